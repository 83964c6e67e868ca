import {
  CanceledError,
  type Clock,
  DecodeError,
  type HttpClientResponse,
  type Net,
  OperatingError,
  Slices,
  type StopSignal,
} from '@pollux/base';
import { type Labels, Matcher } from '@pollux/model';
import {
  CHUNKED_CONTENT_TYPE,
  type ChunkedSeries,
  decodeReadResponse,
  encodeReadRequest,
  type ResponseType,
  readChunkedResponse,
  snappyDecode,
  snappyEncode,
} from '@pollux/remote';
import {
  type Annotation,
  columnsWithin,
  mergeColumns,
  type ReadContext,
  type SelectRequest,
  type SeriesColumns,
  type SeriesSource,
  type TimeRange,
} from '@pollux/storage';
import { LAST_RESORT_MS, type Upstream } from '../upstream.ts';
import { MemberReadError } from './member-read-error.ts';
import type { MemberSettings } from './member-settings.ts';

const MAX_ANSWER_BYTES = 512 * 1024 * 1024;
/** Series handed on per batch. */
const BATCH_SERIES = 256;
/** Members that answer so have no remote read, or none that the gateway may use. */
const UNABLE = [401, 403, 404, 405, 501];

/** One series of an answer. */
type ReadSeries = ChunkedSeries;

type ReadSourceOptions = {
  readonly context: ReadContext;
  readonly slices: Slices;
  readonly onBad: (cause: DecodeError) => MemberReadError;
};

export type MemberReaderOptions = {
  readonly clock: Clock;
  readonly net: Net;
  readonly upstream: Upstream;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly settings: MemberSettings;
  /** Further labels that answers come without. */
  readonly replicaLabels: readonly string[];
  /** Told of each failure before the query fails by it. */
  readonly onFailure: (error: MemberReadError) => void;
};

/** Raw samples of one member by remote read, as its own queries see them: without external labels. */
export class MemberReader {
  readonly #options: MemberReaderOptions;
  readonly #dropped: ReadonlySet<string>;

  constructor(options: MemberReaderOptions) {
    this.#options = options;
    this.#dropped = new Set(options.replicaLabels);
  }

  select(request: SelectRequest, range: TimeRange, context: ReadContext): SeriesSource {
    const { clock, upstream, onFailure } = this.#options;
    const slices = new Slices(clock, context.signal);
    return new ReadSource(() => this.#read(request, range, context), {
      context,
      slices,
      onBad: (cause) => {
        const error = new MemberReadError(upstream, 'bad answer to remote read', { cause });
        onFailure(error);
        return error;
      },
    });
  }

  async #read(
    request: SelectRequest,
    range: TimeRange,
    context: ReadContext,
  ): Promise<readonly ReadSeries[]> {
    // Chunks are a tenth of the bytes, and cost the member no decoding.
    const chunked = await this.#ask(request, range, context, ['streamed-xor-chunks', 'samples']);
    const series = chunked ?? (await this.#ask(request, range, context, ['samples'])) ?? [];
    return this.#asQueried(series, range);
  }

  /** Null when the answer has chunks that only the member can read. The bytes that it is made of are taken from the budget. */
  async #ask(
    { matchers, hints }: SelectRequest,
    { minMs, maxMs }: TimeRange,
    context: ReadContext,
    accepted: readonly ResponseType[],
  ): Promise<readonly ReadSeries[] | null> {
    const { externalLabels } = this.#options.settings;
    const query = {
      startMs: minMs,
      endMs: maxMs,
      matchers: matchers.map((matcher) => ownOnly(matcher, externalLabels)),
      hints: { ...hints, startMs: minMs, endMs: maxMs },
    };
    const request = encodeReadRequest({ queries: [query], accepted });
    const { body, headers } = await this.#exchange(snappyEncode(request), context.signal);
    if (headers['content-type']?.startsWith(CHUNKED_CONTENT_TYPE) === true) {
      const series = readChunkedResponse(body);
      if (series !== null) context.budget.take(body.length);
      return series;
    }
    const decoded = await snappyDecode(body, MAX_ANSWER_BYTES);
    context.budget.take(decoded.length);
    const [series = []] = decodeReadResponse(decoded);
    context.budget.give(decoded.length);
    context.budget.take(sizeOf(series));
    return series.map((columns) => ({ labels: columns.labels, decode: () => columns }));
  }

  /** Without the labels that remote read added, in order, and only the samples that were asked for. */
  #asQueried(series: readonly ReadSeries[], range: TimeRange): readonly ReadSeries[] {
    const { externalLabels } = this.#options.settings;
    const plain = series.map(({ labels: given, decode }): ReadSeries => {
      const labels = withoutExternal(given, externalLabels).drop(this.#dropped);
      return { labels, decode: () => ({ ...columnsWithin(decode(), range), labels }) };
    });
    plain.sort((a, b) => a.labels.compare(b.labels));
    if (this.#dropped.size === 0) return plain;
    const joined: ReadSeries[] = [];
    for (const { labels, decode } of plain) {
      const last = joined.at(-1);
      if (last?.labels.equals(labels) === true) {
        const both = (): SeriesColumns => mergeColumns([last.decode(), decode()]);
        joined[joined.length - 1] = { labels, decode: both };
      } else joined.push({ labels, decode });
    }
    return joined;
  }

  async #exchange(body: Uint8Array, signal: StopSignal): Promise<HttpClientResponse> {
    const { net, upstream, headers, timeoutMs, onFailure } = this.#options;
    const fail = (why: string, how: { isUnable?: boolean; cause?: unknown }): MemberReadError => {
      const error = new MemberReadError(upstream, why, how);
      onFailure(error);
      return error;
    };
    let response: HttpClientResponse;
    try {
      response = await upstream.send(
        net,
        {
          method: 'POST',
          url: `${upstream.url}/api/v1/read`,
          headers: {
            ...headers,
            'content-encoding': 'snappy',
            'accept-encoding': 'snappy',
            'content-type': 'application/x-protobuf',
            'x-prometheus-remote-read-version': '0.1.0',
          },
          body,
          timeoutMs: upstream.isUp ? timeoutMs : LAST_RESORT_MS,
          maxBodyBytes: MAX_ANSWER_BYTES,
        },
        signal,
      );
    } catch (error) {
      if (signal.aborted || !OperatingError.is(error)) throw error;
      throw fail('no answer to remote read', { cause: error });
    }
    const { status } = response;
    if (status === 200) return response;
    const reason = new TextDecoder().decode(response.body).trim().slice(0, 256);
    const why = `remote read answered ${status}: ${reason}`;
    if (UNABLE.includes(status)) throw fail(why, { isUnable: true });
    if (status >= 500) throw fail(why, {});
    // A limit of the query: another member would refuse it as well.
    throw new OperatingError('GATEWAY.READ_REFUSED', `member ${upstream.name}: ${why}`);
  }
}

/** Remote read takes an equality with the value of an external label for true of all series: queries do not. */
function ownOnly(matcher: Matcher, external: Labels): Matcher {
  const { name, operator, value } = matcher;
  if (operator !== '=' || value === '' || external.get(name) !== value) return matcher;
  return new Matcher(name, '=~', value.replace(/[\\.+*?()|[\]{}^$]/g, '\\$&'));
}

/** A label of a series' own goes before the external one of its name. */
function withoutExternal(labels: Labels, external: Labels): Labels {
  if (external.isEmpty) return labels;
  const added = new Set<string>();
  for (const [name, value] of external) if (labels.get(name) === value) added.add(name);
  return added.size === 0 ? labels : labels.drop(added);
}

/** Series are decoded batch by batch, so that few are held as samples and other work has its turn. */
class ReadSource implements SeriesSource {
  readonly warnings: readonly Annotation[] = [];
  readonly #read: () => Promise<readonly ReadSeries[]>;
  readonly #options: ReadSourceOptions;
  #series: readonly ReadSeries[] | null = null;
  #at = 0;
  #heldBytes = 0;

  constructor(read: () => Promise<readonly ReadSeries[]>, options: ReadSourceOptions) {
    this.#read = read;
    this.#options = options;
  }

  async next(): Promise<readonly SeriesColumns[] | null> {
    const { context, slices, onBad } = this.#options;
    if (this.#series === null) {
      try {
        this.#series = await this.#read();
      } catch (error) {
        throw error instanceof DecodeError ? onBad(error) : error;
      }
    }
    this.#giveBack();
    const batch: SeriesColumns[] = [];
    while (batch.length < BATCH_SERIES && this.#at < this.#series.length) {
      if (slices.isOver) await slices.pause();
      const one = this.#series[this.#at++];
      if (one === undefined) break;
      try {
        batch.push(one.decode());
      } catch (error) {
        throw error instanceof DecodeError ? onBad(error) : error;
      }
    }
    if (context.signal.aborted) throw new CanceledError('query canceled');
    if (batch.length === 0) return null;
    this.#heldBytes = sizeOf(batch);
    context.budget.take(this.#heldBytes);
    return batch;
  }

  close(): void {
    this.#giveBack();
    this.#series = [];
  }

  #giveBack(): void {
    this.#options.context.budget.give(this.#heldBytes);
    this.#heldBytes = 0;
  }
}

/** Bytes of the columns; labels are counted roughly. */
function sizeOf(series: readonly SeriesColumns[]): number {
  let bytes = 0;
  for (const { timestampsMs, labels } of series)
    bytes += timestampsMs.length * 16 + labels.size * 64;
  return bytes;
}
