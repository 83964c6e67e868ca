import { type Clock, type HttpResponse, OperatingError } from '@pollux/base';
import type { Exchange } from '@pollux/http';
import {
  isStepLocal,
  joinedMatrix,
  ParsedQueries,
  ParseError,
  type QueryAnswer,
  type RangeCache,
  type RangeMatrix,
  type RangeTimes,
  writeResultJson,
} from '@pollux/promql';
import { stepWindow } from '@pollux/promql/parser';
import type { ChangeWatch } from '@pollux/storage';
import { readQueryParams } from '../query-params.ts';
import type { FrontConfig } from './front-config.ts';
import type { FrontMetrics } from './front-metrics.ts';
import { KeptBodies } from './kept-bodies.ts';
import { bytesOf, matrixOf } from './matrix-answer.ts';

/** Others change what is answered. */
const PLAIN_PARAMETERS = new Set(['query', 'start', 'end', 'step', 'timeout']);
/** Of a range of which less is settled the whole is asked for: writing its answer anew would cost more than is saved. */
const MIN_SETTLED_SHARE = 0.5;
const MAX_REPLICAS_KNOWN = 10_000;

export type RangeFrontOptions = {
  readonly clock: Clock;
  readonly metrics: FrontMetrics;
  /** Null: nothing is kept. It outlives reloads; see {@link settledChanges}. */
  readonly cache: RangeCache | null;
  readonly config: FrontConfig;
  readonly lookbackMs: number;
  /** Answers a range query of this form by planning; rejects as the query does. */
  readonly ask: (exchange: Exchange, form: URLSearchParams) => Promise<HttpResponse>;
};

/** What a cache in the gateway goes by: nobody tells of changes, so what is older than any late sample is fixed, and nothing else. */
export function settledChanges(clock: Clock, settledMs: () => number): ChangeWatch {
  return { mark: () => clock.now(), changedSinceMs: (mark) => mark - settledMs() };
}

/** One query on its way, with what members were asked for it. */
type Asked = {
  readonly exchange: Exchange;
  readonly form: URLSearchParams;
  readonly key: string;
  readonly times: RangeTimes;
  readonly pieces: { readonly part: RangeTimes; readonly response: HttpResponse }[];
};

/** A piece's answer is none that can be put together with others. */
class NotPlainError extends OperatingError {
  /** When it is the answer to the whole. */
  readonly response: HttpResponse | null;

  constructor(response: HttpResponse | null) {
    super('GATEWAY.NOT_PLAIN', 'the answer to a piece of a query is not plain');
    this.response = response;
  }
}

/**
 * Range queries in pieces: those of their steps that can no longer change are kept, long ranges are asked for day by day. An answer
 * is, byte for byte, what one replica gives for the whole: only expressions whose steps do not depend on one another
 * ({@link isStepLocal}) are cut, and only plain answers of one and the same replica are joined. In any other case the whole is asked.
 */
export class RangeFront {
  readonly #options: RangeFrontOptions;
  readonly #parsed = new ParsedQueries();
  /** By query: the replica that answered last, whose steps alone are put together; null where the answer is not plain. */
  readonly #replicas = new Map<string, string | null>();

  readonly #bodies: KeptBodies;

  constructor(options: RangeFrontOptions) {
    this.#options = options;
    this.#bodies = new KeptBodies(options.cache === null ? 0 : options.config.cache.max_bytes / 2);
  }

  async handle(exchange: Exchange, form: URLSearchParams): Promise<HttpResponse> {
    const { ask, metrics } = this.#options;
    const plan = this.#planOf(exchange, form);
    if (plan === null) return ask(exchange, form);
    if (plan.run === null) return this.#learn(plan.key, await ask(exchange, form));
    try {
      const asked: Asked = { exchange, form, key: plan.key, times: plan.times, pieces: [] };
      const bodyKey = `${plan.key}\n${plan.times.startMs}\n${plan.times.endMs}`;
      const kept = await this.#unchanged(asked, bodyKey);
      if (kept !== null) return this.#response(plan.key, kept);
      const { result } = await plan.run(asked);
      const written: Uint8Array[] = [];
      writeResultJson(result, { write: (piece) => written.push(piece) });
      const body = Buffer.concat([HEAD, ...written, TAIL]);
      this.#keep(asked, bodyKey, body);
      return this.#response(plan.key, body);
    } catch (error) {
      if (!(error instanceof NotPlainError)) throw error;
      if (error.response !== null) {
        this.#note(plan.key, null);
        return error.response;
      }
      metrics.unjoined.inc();
      return ask(exchange, form);
    }
  }

  #response(key: string, body: Uint8Array): HttpResponse {
    const replica = this.#replicas.get(key) ?? '';
    const headers = { 'content-type': 'application/json', 'x-pollux-replica': replica };
    return { status: 200, headers, body };
  }

  /** The whole answer as it was written before, when the steps that could change since are, byte for byte, as they were. */
  async #unchanged(asked: Asked, bodyKey: string): Promise<Uint8Array | null> {
    const { metrics } = this.#options;
    const kept = this.#bodies.get(bodyKey);
    if (kept === null) return null;
    const { startMs, endMs, stepMs } = asked.times;
    if (kept.tailStartMs > startMs && kept.tailStartMs <= endMs) {
      const part = { startMs: kept.tailStartMs, endMs, stepMs };
      const response = await this.#ask(asked, part);
      const replica = response.headers?.['x-pollux-replica'];
      const isOfSame = response.status === 200 && replica === this.#replicas.get(asked.key);
      if (!isOfSame || Buffer.compare(bytesOf(response), kept.tail) !== 0) {
        this.#bodies.delete(bodyKey);
        return null;
      }
    }
    metrics.unchanged.inc();
    return kept.body;
  }

  /** What was asked of members just now is all of the answer that can change. */
  #keep({ times, pieces }: Asked, bodyKey: string, body: Uint8Array): void {
    const [piece, ...others] = pieces;
    if (others.length > 0) return;
    if (piece === undefined) {
      const tailStartMs = times.endMs + times.stepMs;
      this.#bodies.set(bodyKey, { body, tailStartMs, tail: new Uint8Array(0) });
    } else if (piece.part.startMs > times.startMs) {
      const tail = bytesOf(piece.response);
      this.#bodies.set(bodyKey, { body, tailStartMs: piece.part.startMs, tail });
    }
  }

  /** How the query is answered in pieces; null when it is asked for as it is. */
  #planOf(
    exchange: Exchange,
    form: URLSearchParams,
  ): {
    readonly key: string;
    readonly times: RangeTimes;
    /** Null: the whole is asked for, to see who answers. Only what comes again is worth keeping. */
    readonly run: ((asked: Asked) => Promise<QueryAnswer<RangeMatrix>>) | null;
  } | null {
    const { clock, config, lookbackMs, cache } = this.#options;
    if ([...form.keys()].some((name) => !PLAIN_PARAMETERS.has(name))) return null;
    const nowMs = clock.now();
    const params = readQueryParams(form, true, { nowMs, lookbackMs });
    if (params === null || !params.isDivisible) return null;
    const { startMs, endMs, stepMs, query } = params;
    const expr = this.#parse(query);
    if (expr === null || !isStepLocal(expr)) return null;
    const settledMs = nowMs - config.cache.settled_after;
    const { moving } = stepWindow(expr, lookbackMs, params);
    const aheadMs = Math.max(0, ...moving.map(({ afterMs }) => afterMs));
    const isMostlySettled = settledMs - aheadMs - startMs >= (endMs - startMs) * MIN_SETTLED_SHARE;
    const { split_interval: splitMs } = config;
    const isLong = splitMs > 0 && endMs - startMs >= 2 * splitMs;
    const key = this.#keyOf(exchange, query, stepMs, nowMs);
    const replica = this.#replicas.get(key);
    if (replica === null) return null;
    const times = { startMs, endMs, stepMs };
    if (cache !== null && isMostlySettled) {
      if (replica === undefined && !isLong) return { key, times, run: null };
      const request = { query: `${replica ?? ''}\n${key}`, expr, lookbackMs, ...times };
      if (cache.takes(request)) {
        const run = (asked: Asked): Promise<QueryAnswer<RangeMatrix>> =>
          cache.range(request, (part) => this.#evaluate(asked, part));
        return { key, times, run };
      }
    }
    return isLong ? { key, times, run: (asked) => this.#evaluate(asked, times) } : null;
  }

  #parse(query: string): ReturnType<ParsedQueries['parse']> | null {
    try {
      return this.#parsed.parse(query);
    } catch (error) {
      if (!(error instanceof ParseError)) throw error;
      return null;
    }
  }

  /** Members look at credentials themselves: what one person was given is not given to another. */
  #keyOf({ request }: Exchange, query: string, stepMs: number, nowMs: number): string {
    const { authorization = '', cookie = '' } = request.headers;
    const age = Math.floor(nowMs / this.#options.config.cache.max_age);
    return [age, stepMs, authorization, cookie, query].join('\n');
  }

  #learn(key: string, response: HttpResponse): HttpResponse {
    const replica = response.headers?.['x-pollux-replica'];
    if (response.status === 200 && typeof replica === 'string') this.#isSameReplica(key, replica);
    return response;
  }

  /** In pieces of the split interval, so many at a time. */
  async #evaluate(asked: Asked, part: RangeTimes): Promise<QueryAnswer<RangeMatrix>> {
    const { config, metrics } = this.#options;
    const pieces = piecesOf(part, config.split_interval);
    if (pieces.length > 1) metrics.splits.inc();
    const isWhole = pieces.length === 1 && isSame(part, asked.times);
    const found = new Array<RangeMatrix>(pieces.length);
    let next = 0;
    const work = async (): Promise<void> => {
      for (let at = next++; at < pieces.length; at = next++) {
        const response = await this.#ask(asked, pieces[at]!);
        const matrix = matrixOf(response, (replica) => this.#isSameReplica(asked.key, replica));
        if (matrix === null) {
          next = pieces.length;
          throw new NotPlainError(isWhole ? response : null);
        }
        found[at] = matrix;
      }
    };
    const workers = Math.min(config.split_concurrency, pieces.length);
    await Promise.all(Array.from({ length: workers }, work));
    const result = found.length === 1 ? found[0]! : joinedMatrix(found);
    return { result, annotations: [], stats: NO_STATS };
  }

  /** One piece; as it was answered a moment ago, if it was. */
  async #ask({ exchange, form, pieces }: Asked, part: RangeTimes): Promise<HttpResponse> {
    const { startMs, endMs } = part;
    const known = pieces.find((one) => one.part.startMs === startMs && one.part.endMs === endMs);
    if (known !== undefined) return known.response;
    const sent = new URLSearchParams(form);
    sent.set('start', String(startMs / 1_000));
    sent.set('end', String(endMs / 1_000));
    const response = await this.#options.ask(exchange, sent);
    pieces.push({ part, response });
    return response;
  }

  /** The first to answer is the one; another begins anew, with the next query. */
  #isSameReplica(key: string, replica: string): boolean {
    const known = this.#replicas.get(key);
    if (known === replica) return true;
    if (replica === '' || replica.includes(',')) return false;
    this.#note(key, replica);
    return known === undefined;
  }

  #note(key: string, replica: string | null): void {
    if (this.#replicas.size >= MAX_REPLICAS_KNOWN) this.#replicas.clear();
    this.#replicas.set(key, replica);
  }
}

const HEAD = Buffer.from('{"status":"success","data":');
const TAIL = Buffer.from('}');
const NO_STATS = {
  queueMs: 0,
  prepareMs: 0,
  evalMs: 0,
  totalQueryableSamples: 0,
  samplesRead: 0,
  peakSamples: 0,
  perStep: null,
};

function isSame(a: RangeTimes, b: RangeTimes): boolean {
  return a.startMs === b.startMs && a.endMs > b.endMs - b.stepMs;
}

/** Cut at multiples of the interval, each beginning at a step. */
function piecesOf({ startMs, endMs, stepMs }: RangeTimes, intervalMs: number): RangeTimes[] {
  if (intervalMs === 0 || endMs - startMs < 2 * intervalMs) return [{ startMs, endMs, stepMs }];
  const pieces: RangeTimes[] = [];
  for (let at = startMs; at <= endMs; ) {
    const borderMs = (Math.floor(at / intervalMs) + 1) * intervalMs;
    const steps = Math.max(1, Math.ceil((borderMs - at) / stepMs));
    const lastMs = Math.min(at + (steps - 1) * stepMs, endMs);
    pieces.push({ startMs: at, endMs: lastMs, stepMs });
    at += steps * stepMs;
  }
  return pieces;
}
