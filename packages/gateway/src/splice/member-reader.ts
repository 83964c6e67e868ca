import {
  CanceledError,
  type HttpClientResponse,
  type Net,
  OperatingError,
  type StopSignal,
} from '@pollux/base';
import { type Labels, Matcher } from '@pollux/model';
import {
  CHUNKED_CONTENT_TYPE,
  decodeChunkedResponse,
  decodeReadResponse,
  encodeReadRequest,
  type ResponseType,
  snappyDecode,
  snappyEncode,
} from '@pollux/remote';
import {
  type Annotation,
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

export type MemberReaderOptions = {
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
    return new ReadSource(() => this.#read(request, range, context), context);
  }

  async #read(
    request: SelectRequest,
    range: TimeRange,
    context: ReadContext,
  ): Promise<SeriesColumns[]> {
    const { upstream } = this.#options;
    // Chunks are a tenth of the bytes, and cost the member no decoding.
    const chunked = await this.#ask(request, range, context, ['streamed-xor-chunks', 'samples']);
    const series = chunked ?? (await this.#ask(request, range, context, ['samples'])) ?? [];
    try {
      return this.#asQueried(series, range);
    } catch (error) {
      throw new MemberReadError(upstream, 'bad answer to remote read', { cause: error });
    }
  }

  /** Null when the answer has chunks that only the member can read. The caller gives back the bytes of the columns. */
  async #ask(
    { matchers, hints }: SelectRequest,
    { minMs, maxMs }: TimeRange,
    context: ReadContext,
    accepted: readonly ResponseType[],
  ): Promise<SeriesColumns[] | null> {
    const { externalLabels } = this.#options.settings;
    const query = {
      startMs: minMs,
      endMs: maxMs,
      matchers: matchers.map((matcher) => ownOnly(matcher, externalLabels)),
      hints: { ...hints, startMs: minMs, endMs: maxMs },
    };
    const request = encodeReadRequest({ queries: [query], accepted });
    const { body, headers } = await this.#exchange(snappyEncode(request), context.signal);
    const isChunked = headers['content-type']?.startsWith(CHUNKED_CONTENT_TYPE) === true;
    const decoded = isChunked ? body : await snappyDecode(body, MAX_ANSWER_BYTES);
    context.budget.take(decoded.length);
    const series = isChunked ? decodeChunkedResponse(decoded) : decodeReadResponse(decoded)[0];
    context.budget.give(decoded.length);
    if (series === null) return null;
    context.budget.take(sizeOf(series ?? []));
    return series ?? [];
  }

  /** Without the labels that remote read added, in order, and only the samples that were asked for. */
  #asQueried(series: readonly SeriesColumns[], range: TimeRange): SeriesColumns[] {
    const { externalLabels } = this.#options.settings;
    const plain = series.map((columns) => ({
      ...within(columns, range),
      labels: withoutExternal(columns.labels, externalLabels).drop(this.#dropped),
    }));
    plain.sort((a, b) => a.labels.compare(b.labels));
    if (this.#dropped.size === 0) return plain;
    const joined: SeriesColumns[] = [];
    for (const columns of plain) {
      const last = joined.at(-1);
      if (last?.labels.equals(columns.labels) === true)
        joined[joined.length - 1] = mergeColumns([last, columns]);
      else joined.push(columns);
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

/** A server may send whole chunks. */
function within(columns: SeriesColumns, { minMs, maxMs }: TimeRange): SeriesColumns {
  const { timestampsMs, count, values, histograms } = columns;
  let start = 0;
  let end = count;
  while (start < end && timestampsMs[start]! < minMs) start++;
  while (end > start && timestampsMs[end - 1]! > maxMs) end--;
  if (end - start === count) return columns;
  return {
    ...columns,
    count: end - start,
    timestampsMs: timestampsMs.subarray(start, end),
    values: values.subarray(start, end),
    histograms: histograms?.slice(start, end) ?? null,
  };
}

class ReadSource implements SeriesSource {
  readonly warnings: readonly Annotation[] = [];
  readonly #read: () => Promise<SeriesColumns[]>;
  readonly #context: ReadContext;
  #series: SeriesColumns[] | null = null;
  #at = 0;
  #heldBytes = 0;

  constructor(read: () => Promise<SeriesColumns[]>, context: ReadContext) {
    this.#read = read;
    this.#context = context;
  }

  async next(): Promise<readonly SeriesColumns[] | null> {
    if (this.#series === null) {
      this.#series = await this.#read();
      this.#heldBytes = sizeOf(this.#series);
    }
    if (this.#context.signal.aborted) throw new CanceledError('query canceled');
    if (this.#at >= this.#series.length) {
      this.close();
      return null;
    }
    const batch = this.#series.slice(this.#at, this.#at + BATCH_SERIES);
    this.#at += BATCH_SERIES;
    return batch;
  }

  close(): void {
    this.#series = [];
    this.#at = 0;
    this.#context.budget.give(this.#heldBytes);
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
