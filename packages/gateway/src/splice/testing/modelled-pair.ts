import {
  type Env,
  EVERYONE,
  type HttpClientRequest,
  type HttpClientResponse,
  type HttpPoolOptions,
  PoolOverRequests,
  type Random,
  VirtualClock,
} from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import { Router } from '@pollux/http';
import { type Labels, LabelsBuilder, Matcher } from '@pollux/model';
import { Engine } from '@pollux/promql';
import {
  CHUNKED_CONTENT_TYPE,
  ChunkedResponseReader,
  ChunkFrameWriter,
  decodeReadRequest,
  decodeReadResponse,
  encodeReadRequest,
  encodeReadResponse,
  QueryResultEncoder,
  type ResponseType,
  snappyDecode,
  snappyEncode,
} from '@pollux/remote';
import {
  type CoverageReport,
  chooseCopy,
  encodeHeader,
  type Interval,
  MemoryBudget,
  mayMatchAny,
  NO_HINTS,
  type Queryable,
  type SeriesColumns,
  splitReplica,
  summaryOf,
  type TimeRange,
  toWire,
} from '@pollux/storage';
import { Log, Registry } from '@pollux/telemetry';
import { parseGatewayConfig } from '../../config.ts';
import { Gateway } from '../../gateway.ts';
import { selectorsOf } from '../../merge/choose-replica.ts';
import {
  type Faults,
  INTERVAL_MS,
  ModelledReplica,
  type ModelledTarget,
  START_MS,
  WORLD_MS,
} from './modelled-replica.ts';

export const LOOKBACK_MS = 60_000;
/** More than the clocks differ. */
const HEALING_GUARD_MS = 5_000;

const STORE_GROUP = `  - name: stores
    kind: store
    members: [{name: s, url: 'http://s:8086'}]
long_term: {names_lookback: 5m}`;

export type Times = { readonly startMs: number; readonly endMs: number; readonly stepMs: number };
/** Of each step, the value of each series; both by texts. */
export type Points = ReadonlyMap<number, ReadonlyMap<string, string>>;
export type Told = { readonly points: Points; readonly warnings: readonly string[] };

/** A gateway over two replicas that have a past full of faults, all in memory. */
export class ModelledPair {
  readonly clock = new VirtualClock(START_MS + WORLD_MS);
  readonly engine = new Engine({
    clock: this.clock,
    registry: new Registry(),
    log: Log.silent(),
    lookbackMs: LOOKBACK_MS,
  });
  readonly targets: readonly ModelledTarget[];
  readonly replicas: readonly ModelledReplica[];
  readonly #gateway: Gateway;
  readonly #router: Router;
  readonly #isStale: boolean;
  readonly #hidesSeams: boolean;
  /** Which of the two has filled its gaps from the other, if any. */
  readonly #healed: number;
  readonly store = { isBroken: false, isDown: false, reads: 0 };

  constructor(
    random: Random,
    how: {
      readonly guardMs: number;
      readonly isStale?: boolean;
      readonly hidesSeams?: boolean;
      /** A long-term store holds all that both replicas would hold; these have only the same times of it. */
      readonly storeBehind?: readonly Interval[];
    },
  ) {
    this.#isStale = how.isStale ?? false;
    this.#hidesSeams = how.hidesSeams ?? false;
    const { storeBehind } = how;
    this.targets = ['t0', 't1'].map((instance) => ({
      instance,
      restartsMs: intervalsOf(random, 2, 1).map(({ startMs }) => startMs),
      // Copies of a target that dies are put together by the store.
      dead: storeBehind === undefined ? intervalsOf(random, 1, 120_000) : [],
    }));
    this.replicas = ['a', 'b'].map(
      (name) =>
        new ModelledReplica(name, {
          targets: this.targets,
          faults:
            storeBehind === undefined
              ? faultsOf(random, this.targets)
              : { down: storeBehind, missed: new Map(), broken: new Map() },
          random,
          skewMs: random.below(4_001) - 2_000,
        }),
    );
    // What a store is behind, no twin has.
    this.#healed = how.isStale === true || storeBehind !== undefined ? 2 : random.below(3);
    const request = (asked: HttpClientRequest): Promise<HttpClientResponse> => this.#answer(asked);
    const env: Env = { ...nodeEnv(), clock: this.clock };
    const openPool = (options: HttpPoolOptions) => new PoolOverRequests({ request }, options);
    Object.assign(env, { net: { request, openPool } });
    const config = `
groups:
  - name: servers
    kind: server
    members: [{name: a, url: 'http://a:9090'}, {name: b, url: 'http://b:9090'}]
${storeBehind === undefined ? '' : STORE_GROUP}
lookback_delta: ${LOOKBACK_MS / 1_000}s
seam_guard: ${how.guardMs}ms
`;
    this.#gateway = new Gateway({
      env,
      log: Log.silent(),
      registry: new Registry(),
      config: parseGatewayConfig(config, 'gateway.yml'),
    });
    this.#router = new Router({ monotonic: () => this.clock.monotonic() });
    this.#gateway.registerRoutes(this.#router);
    this.#gateway.start();
  }

  async ready(): Promise<void> {
    const twin = this.replicas[1 - this.#healed];
    if (twin !== undefined) await this.replicas[this.#healed]?.heal(twin, HEALING_GUARD_MS);
    await this.clock.advance(1_100);
  }

  async close(): Promise<void> {
    const closed = this.#gateway.close();
    await this.clock.advance(3_000);
    await closed;
  }

  /** Through the gateway. */
  async ask(query: string, { startMs, endMs, stepMs }: Times): Promise<Told> {
    const isRange = stepMs > 0;
    const form = new URLSearchParams({ query });
    if (isRange) {
      form.set('start', String(startMs / 1_000));
      form.set('end', String(endMs / 1_000));
      form.set('step', String(stepMs / 1_000));
    } else form.set('time', String(startMs / 1_000));
    const { data, warnings } = await this.get(`/api/v1/query${isRange ? '_range' : ''}?${form}`);
    return { points: pointsOf(data as Parameters<typeof pointsOf>[0]), warnings };
  }

  async get(
    target: string,
  ): Promise<{ readonly data: unknown; readonly warnings: readonly string[] }> {
    const { body, status } = await this.#router.handler({
      method: 'GET',
      target,
      headers: {},
      remote: { host: '127.0.0.1', port: 1 },
      body: async () => new Uint8Array(),
      stream: () => new Response('').body as unknown as AsyncIterable<Uint8Array>,
      signal: new AbortController().signal,
      principal: EVERYONE,
    });
    const text = body instanceof Uint8Array ? new TextDecoder().decode(body) : String(body);
    if (status !== 200) throw new Error(`${target}: ${status} ${text}`);
    const { data, warnings = [] } = JSON.parse(text);
    return { data, warnings };
  }

  /** Remote read through the gateway. */
  async read(
    matchers: readonly Matcher[],
    { minMs, maxMs }: TimeRange,
    accepted: readonly ResponseType[],
  ): Promise<readonly SeriesColumns[]> {
    const query = { startMs: minMs, endMs: maxMs, matchers, hints: null };
    const asked = snappyEncode(encodeReadRequest({ queries: [query], accepted }));
    const { status, body, headers } = await this.#router.handler({
      method: 'POST',
      target: '/api/v1/read',
      headers: {},
      remote: { host: '127.0.0.1', port: 1 },
      body: async () => asked,
      stream: () => new Response('').body as unknown as AsyncIterable<Uint8Array>,
      signal: new AbortController().signal,
      principal: EVERYONE,
    });
    if (status !== 200) throw new Error(`remote read: ${status} ${String(body)}`);
    if (accepted[0] !== 'streamed-xor-chunks') {
      return decodeReadResponse(await snappyDecode(body as Uint8Array))[0] ?? [];
    }
    if (!String(headers?.['content-type']).startsWith(CHUNKED_CONTENT_TYPE))
      throw new Error('no chunks');
    const reader = new ChunkedResponseReader();
    for await (const piece of body instanceof Uint8Array
      ? [body]
      : (body as AsyncIterable<Uint8Array>))
      reader.push(piece);
    reader.end();
    return reader.take().map((series) => series.columns({ minMs, maxMs }));
  }

  /** As one server that has `queryable` would answer. */
  async evaluate(
    query: string,
    { startMs, endMs, stepMs }: Times,
    queryable: Queryable,
  ): Promise<Points> {
    const common = { query, queryable, limit: 0 };
    const { body } = await this.engine.encoded(
      stepMs > 0 ? { ...common, startMs, endMs, stepMs } : { ...common, timeMs: startMs },
    );
    if (body.kind !== 'whole') throw new Error('an answer in parts');
    return pointsOf(JSON.parse(Buffer.concat(body.pieces).toString()));
  }

  async #answer({ url, body }: HttpClientRequest): Promise<HttpClientResponse> {
    const { pathname, hostname, searchParams } = new URL(url);
    if (hostname === 's') return this.#answerAsStore(pathname, body as Uint8Array);
    const replica = this.replicas.find(({ name }) => name === hostname)!;
    switch (pathname) {
      case '/-/ready':
        return answered('ok');
      case '/api/v1/pollux/coverage':
        return answered(JSON.stringify(toWire(this.#reportOf(replica))));
      case '/api/v1/status/config':
        return answered(
          JSON.stringify({
            status: 'success',
            data: { yaml: `global: {external_labels: {replica: ${hostname}}}` },
          }),
        );
      case '/api/v1/query':
      case '/api/v1/query_range':
        return this.#query(replica, new URLSearchParams(String(body)));
      case '/api/v1/read':
        return readHeld(replica, body as Uint8Array);
      case '/api/v1/series':
        return this.#series(replica, searchParams);
      case '/api/v1/labels':
      case '/api/v1/label/job/values':
      case '/api/v1/label/U__job/values':
        return answered('{"status":"success","data":[]}');
      default:
        return { status: 404, headers: {}, body: new Uint8Array() };
    }
  }

  async #series(replica: ModelledReplica, form: URLSearchParams): Promise<HttpClientResponse> {
    const [minMs = 0, maxMs = 0] = ['start', 'end'].map((name) => Number(form.get(name)) * 1_000);
    const [matchers = []] = selectorsOf(form.getAll('match[]')) ?? [];
    const context = { signal: new AbortController().signal, budget: MemoryBudget.unlimited() };
    const request = { range: { minMs, maxMs }, matchers, hints: NO_HINTS, sorted: true };
    const source = replica.held.select(request, context);
    const data: object[] = [];
    for (let batch = await source.next(); batch !== null; batch = await source.next())
      data.push(...batch.map(({ labels }) => labels.toObject()));
    return answered(JSON.stringify({ status: 'success', data }));
  }

  async #answerAsStore(pathname: string, body: Uint8Array): Promise<HttpClientResponse> {
    if (pathname === '/ping' && !this.store.isDown) return answered('');
    if (pathname !== '/api/v1/prom/read' || this.store.isBroken || this.store.isDown)
      return { status: 500, headers: {}, body: new Uint8Array() };
    this.store.reads++;
    return readStored(this.replicas, body);
  }

  #reportOf(replica: ModelledReplica): CoverageReport {
    const report = replica.report(this.clock.now());
    if (this.#hidesSeams) return { ...report, seams: [] };
    return this.#isStale ? { ...report, serverGaps: [], subjects: [] } : report;
  }

  async #query(replica: ModelledReplica, form: URLSearchParams): Promise<HttpClientResponse> {
    const times = ['start', 'end', 'step', 'time'].map((name) => Number(form.get(name)) * 1_000);
    const [startMs = 0, endMs = 0, stepMs = 0, timeMs = 0] = times.map(Math.round);
    const common = { query: form.get('query') ?? '', queryable: replica.held, limit: 0 };
    const { body } = await this.engine.encoded(
      stepMs > 0 ? { ...common, startMs, endMs, stepMs } : { ...common, timeMs },
    );
    if (body.kind !== 'whole') throw new Error('an answer in parts');
    const data = Buffer.concat(body.pieces).toString();
    const report = this.#reportOf(replica);
    const selectors = selectorsOf([common.query]) ?? [];
    const subjects = report.subjects.filter(({ subject }) => mayMatchAny(subject, selectors));
    const header = encodeHeader(summaryOf({ ...report, subjects }), () => '/c');
    return answered(`{"status":"success","data":${data}}`, { 'x-pollux-coverage': header });
  }
}

/** Remote read as a server gives it: with the external labels, which a matcher may name. One of the pair knows no chunks, the other gives buckets to who can do with them. */
async function readHeld(replica: ModelledReplica, body: Uint8Array): Promise<HttpClientResponse> {
  const { queries, accepted } = decodeReadRequest(await snappyDecode(body));
  const isChunked = replica.name === 'a' && accepted[0] === 'streamed-xor-chunks';
  const frames: Uint8Array[] = [];
  const results: Uint8Array[] = [];
  const context = { signal: new AbortController().signal, budget: MemoryBudget.unlimited() };
  for (const [index, { startMs, endMs, matchers, buckets }] of queries.entries()) {
    const own = matchers.map((matcher) =>
      matcher.operator === '=' && matcher.name === 'replica' && matcher.value === replica.name
        ? new Matcher('replica', '=', '')
        : matcher,
    );
    const range = { minMs: startMs, maxMs: endMs };
    const source = replica.held.select(
      { range, matchers: own, hints: NO_HINTS, sorted: true },
      context,
    );
    const encoder = isChunked ? new ChunkFrameWriter(index) : new QueryResultEncoder();
    for (let batch = await source.next(); batch !== null; batch = await source.next()) {
      for (const columns of batch) {
        const shown = { ...columns, labels: withReplica(columns.labels, replica.name) };
        if (buckets !== undefined && encoder instanceof ChunkFrameWriter)
          encoder.addBuckets(shown, buckets);
        else encoder.add(shown);
      }
    }
    if (encoder instanceof ChunkFrameWriter)
      frames.push(...encoder.takeFull(), ...encoder.finish());
    else results.push(encoder.bytes());
  }
  const headers = { 'content-type': isChunked ? CHUNKED_CONTENT_TYPE : 'application/x-protobuf' };
  const answer = isChunked
    ? new Uint8Array(Buffer.concat(frames))
    : snappyEncode(encodeReadResponse(results));
  return { status: 200, headers, body: answer };
}

/** One copy of each series, of the replica that a matcher prefers, as a store chooses it. */
async function readStored(
  replicas: readonly ModelledReplica[],
  body: Uint8Array,
): Promise<HttpClientResponse> {
  const { queries } = decodeReadRequest(await snappyDecode(body));
  const [query] = queries;
  if (query === undefined || queries.length > 1) throw new Error('a store takes one query');
  const range = { minMs: query.startMs, maxMs: query.endMs };
  const { matchers, preferredReplica } = splitReplica(query.matchers, ['replica']);
  const context = { signal: new AbortController().signal, budget: MemoryBudget.unlimited() };
  const copies = new Map<string, SeriesColumns[]>();
  for (const { whole, name } of replicas) {
    const source = whole.select({ range, matchers, hints: NO_HINTS, sorted: true }, context);
    for (let batch = await source.next(); batch !== null; batch = await source.next()) {
      for (const columns of batch) {
        const key = columns.labels.key();
        copies.set(key, [...(copies.get(key) ?? []), { ...columns, replica: name }]);
      }
    }
  }
  const encoder = new QueryResultEncoder();
  for (const same of copies.values())
    encoder.add(chooseCopy(same, { preferredReplica, guardMs: 1_000 }));
  const answer = snappyEncode(encodeReadResponse([encoder.bytes()]));
  return { status: 200, headers: { 'content-type': 'application/x-protobuf' }, body: answer };
}

function withReplica(labels: Labels, name: string): Labels {
  return new LabelsBuilder(labels).set('replica', name).build();
}

function answered(text: string, headers: Record<string, string> = {}): HttpClientResponse {
  return {
    status: 200,
    headers: { 'content-type': 'application/json', ...headers },
    body: new TextEncoder().encode(text),
  };
}

type WireSeries = {
  readonly metric: Record<string, string>;
  readonly value?: [number, unknown];
  readonly values?: [number, unknown][];
  readonly histogram?: [number, unknown];
  readonly histograms?: [number, unknown][];
};

function pointsOf({ result }: { readonly result: readonly WireSeries[] }): Points {
  const points = new Map<number, Map<string, string>>();
  for (const { metric, value, values = [], histogram, histograms = [] } of result) {
    const key = JSON.stringify(Object.entries(metric).sort());
    const all = [...values, ...histograms];
    if (value !== undefined) all.push(value);
    if (histogram !== undefined) all.push(histogram);
    for (const [seconds, point] of all) {
      const timeMs = Math.round(seconds * 1_000);
      const step = points.get(timeMs) ?? new Map<string, string>();
      step.set(key, JSON.stringify(point));
      points.set(timeMs, step);
    }
  }
  return points;
}

function faultsOf(random: Random, targets: readonly ModelledTarget[]): Faults {
  const perTarget = (most: number): Map<string, readonly Interval[]> =>
    new Map(targets.map(({ instance }) => [instance, intervalsOf(random, most, 240_000)]));
  return { down: intervalsOf(random, 4, 600_000), missed: perTarget(1), broken: perTarget(1) };
}

/** At most so many, of at most so long. */
function intervalsOf(random: Random, most: number, longestMs: number): readonly Interval[] {
  const intervals = Array.from({ length: random.below(most + 1) }, () => {
    const startMs = START_MS + INTERVAL_MS + random.below(WORLD_MS - INTERVAL_MS);
    return { startMs, endMs: startMs + 1 + random.below(longestMs) };
  });
  return intervals.sort((a, b) => a.startMs - b.startMs);
}
