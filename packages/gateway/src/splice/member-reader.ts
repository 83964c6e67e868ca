import {
  CanceledError,
  ExchangeError,
  type HttpPool,
  type HttpPoolResponse,
  OperatingError,
  type StopSignal,
  StopSource,
} from '@pollux/base';
import { type Labels, Matcher } from '@pollux/model';
import {
  type BucketWish,
  CHUNKED_CONTENT_TYPE,
  encodeReadRequest,
  snappyEncode,
  withoutExternal,
} from '@pollux/remote';
import type { ReadContext, SelectRequest, TimeRange } from '@pollux/storage';
import { LAST_RESORT_MS, type Upstream } from '../upstream.ts';
import { MemberLane } from './member-lane.ts';
import { MemberReadError } from './member-read-error.ts';
import type { MemberSettings } from './member-settings.ts';

/** What a member says of a request that it refuses. */
const MAX_REASON_BYTES = 64 * 1024;
/** Members that answer so have no remote read, or none that the gateway may use. */
const UNABLE = [401, 403, 404, 405, 501];
/** What VictoriaMetrics says, with 400, of paths that it does not have. */
const NO_SUCH_PATH = 'unsupported path';
const STORE_MARGIN_MS = 300_000;
const NO_SERIES: HttpPoolResponse = {
  status: 200,
  headers: { 'content-type': CHUNKED_CONTENT_TYPE },
  body: new Uint8Array(),
};

export type MemberReaderOptions = {
  readonly pool: HttpPool;
  readonly upstream: Upstream;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly settings: MemberSettings;
  /** Further labels that answers come without. */
  readonly replicaLabels: readonly string[];
  /** A long-term store's path and query; its series have the external labels for their own, and its samples are of many servers. */
  readonly storePath?: string;
  /** Series are not given as they come: see {@link MemberLane}. */
  readonly isSorting?: boolean;
  /** Told of each failure before the query fails by it. */
  readonly onFailure: (error: MemberReadError) => void;
};

type Asked = SelectRequest & { readonly buckets?: BucketWish | null };

/** Raw samples of one member by remote read, as its own queries see them: without external labels. */
export class MemberReader {
  readonly #options: MemberReaderOptions;
  readonly #dropped: ReadonlySet<string>;

  constructor(options: MemberReaderOptions) {
    this.#options = options;
    this.#dropped = new Set(options.replicaLabels);
  }

  /** With `wish` series need only be asked for their buckets; whether they come as such is the member's matter. */
  open(
    request: SelectRequest,
    range: TimeRange,
    context: ReadContext,
    wish: BucketWish | null = null,
  ): MemberLane {
    const { upstream, settings, storePath } = this.#options;
    const isSorting =
      (this.#options.isSorting ?? storePath !== undefined) || this.#dropped.size > 0;
    // Copies of a series are merged sample by sample.
    const buckets = isSorting ? null : wish;
    return new MemberLane({
      member: upstream.name,
      range,
      context,
      isSorting,
      hasBuckets: buckets !== null,
      ownLabels: (given) => {
        const own = withoutExternal(given, settings.externalLabels);
        return this.#dropped.size === 0 ? own : own.drop(this.#dropped);
      },
      ask: () =>
        storePath === undefined
          ? this.#askServer({ ...request, buckets }, range, context)
          : this.#askStore(request, range, context),
      onFault: (cause) =>
        cause instanceof ExchangeError || cause instanceof CanceledError
          ? this.#fail('no answer to remote read', { cause })
          : this.#fail('bad answer to remote read', { cause }),
    });
  }

  #askServer(request: Asked, range: TimeRange, context: ReadContext): Promise<HttpPoolResponse> {
    const { externalLabels } = this.#options.settings;
    const matchers = request.matchers.map((matcher) => ownOnly(matcher, externalLabels));
    return this.#ask({ ...request, matchers }, range, context);
  }

  /**
   * Series of the servers' external labels; one of them tells replicas apart, and to a store says whose samples are preferred. It puts
   * its copies together by what lies in the range, so that is asked for with a margin.
   */
  async #askStore(
    request: SelectRequest,
    { minMs, maxMs }: TimeRange,
    context: ReadContext,
  ): Promise<HttpPoolResponse> {
    const { externalLabels } = this.#options.settings;
    const matchers: Matcher[] = [];
    for (const matcher of request.matchers) {
      if (!externalLabels.has(matcher.name)) matchers.push(matcher);
      // Servers' own series are without that label.
      else if (!matcher.matches('')) return NO_SERIES;
    }
    for (const [name, value] of externalLabels) matchers.push(new Matcher(name, '=', value));
    const range = { minMs: minMs - STORE_MARGIN_MS, maxMs: maxMs + STORE_MARGIN_MS };
    return this.#ask({ ...request, matchers }, range, context);
  }

  #ask(
    { matchers, hints, buckets = null }: Asked,
    { minMs, maxMs }: TimeRange,
    context: ReadContext,
  ): Promise<HttpPoolResponse> {
    const query = {
      startMs: minMs,
      endMs: maxMs,
      matchers,
      hints: { ...hints, startMs: minMs, endMs: maxMs },
      ...(buckets === null ? {} : { buckets }),
    };
    // Chunks are a tenth of the bytes, and come as the member reads them; but of series without samples there are none.
    const isNamesOnly = hints.func === 'series';
    const accepted = isNamesOnly
      ? (['samples'] as const)
      : (['streamed-xor-chunks', 'samples'] as const);
    const request = encodeReadRequest({ queries: [query], accepted });
    return this.#exchange(snappyEncode(request), context.signal);
  }

  async #exchange(body: Uint8Array, client: StopSignal): Promise<HttpPoolResponse> {
    const { pool, upstream, headers, timeoutMs, storePath } = this.#options;
    const stop = new StopSource();
    const onClient = (): void => stop.abort(client.reason);
    if (client.aborted) onClient();
    else client.addEventListener('abort', onClient, { once: true });
    const leave = upstream.cutWhenDown(stop);
    const end = (): void => {
      leave();
      client.removeEventListener('abort', onClient);
    };
    const waitMs = upstream.isUp ? timeoutMs : LAST_RESORT_MS;
    let response: HttpPoolResponse;
    try {
      response = await pool.exchange({
        method: 'POST',
        target: upstream.basePath + (storePath ?? '/api/v1/read'),
        headers: {
          ...headers,
          'content-encoding': 'snappy',
          'accept-encoding': 'snappy',
          'content-type': 'application/x-protobuf',
          'x-prometheus-remote-read-version': '0.1.0',
        },
        body,
        headTimeoutMs: waitMs,
        bodyTimeoutMs: waitMs,
        signal: stop,
      });
    } catch (error) {
      end();
      if (client.aborted || !OperatingError.is(error)) throw error;
      throw this.#fail('no answer to remote read', { cause: error });
    }
    if (response.body instanceof Uint8Array) end();
    else response = { ...response, body: until(response.body, end) };
    const { status } = response;
    if (status === 200) return response;
    const reason = await reasonOf(response);
    const why = `remote read answered ${status}: ${reason}`;
    if (UNABLE.includes(status) || reason.includes(NO_SUCH_PATH))
      throw this.#fail(why, { isUnable: true });
    // The query can be answered without a store.
    if (status >= 500 || storePath !== undefined) throw this.#fail(why, {});
    // A limit of the query: another member would refuse it as well.
    throw new OperatingError('GATEWAY.READ_REFUSED', `member ${upstream.name}: ${why}`);
  }

  #fail(why: string, how: { isUnable?: boolean; cause?: unknown }): MemberReadError {
    const error = new MemberReadError(this.#options.upstream, why, how);
    this.#options.onFailure(error);
    return error;
  }
}

/** Calls `onEnd` when all was read, or nobody reads on. */
async function* until(
  pieces: AsyncIterable<Uint8Array>,
  onEnd: () => void,
): AsyncGenerator<Uint8Array, void> {
  try {
    yield* pieces;
  } finally {
    onEnd();
  }
}

async function reasonOf({ body }: HttpPoolResponse): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of body instanceof Uint8Array ? [body] : body) {
    pieces.push(piece);
    bytes += piece.length;
    if (bytes > MAX_REASON_BYTES) break;
  }
  return new TextDecoder().decode(Buffer.concat(pieces)).trim().slice(0, 256);
}

/** Remote read takes an equality with the value of an external label for true of all series: queries do not. */
function ownOnly(matcher: Matcher, external: Labels): Matcher {
  const { name, operator, value } = matcher;
  if (operator !== '=' || value === '' || external.get(name) !== value) return matcher;
  return new Matcher(name, '=~', value.replace(/[\\.+*?()|[\]{}^$]/g, '\\$&'));
}
