import {
  type Env,
  errorText,
  type HttpResponse,
  OperatingError,
  type StopSignal,
} from '@pollux/base';
import { type Exchange, formOf, json } from '@pollux/http';
import type {
  ActiveQueries,
  ActiveQuery,
  QueryLife,
  QueryOutcome,
  RangeCache,
} from '@pollux/promql';
import type { Log } from '@pollux/telemetry';
import { clientAddress } from '../balance/forwarded-headers.ts';
import { Coalescer } from '../coalescer.ts';
import type { GatewayMetrics } from '../metrics.ts';
import type { QueryHandler } from '../query-handler.ts';
import { readDurationMs, readTimeMs } from '../query-params.ts';
import { FairGate, TooManyQueriesError } from './fair-gate.ts';
import type { FrontConfig } from './front-config.ts';
import type { FrontMetrics } from './front-metrics.ts';
import { RangeFront } from './range-front.ts';
import { SlowQueries } from './slow-queries.ts';

/** Who was refused may come again after so long, s. */
const RETRY_AFTER = '1';

export type QueryFrontOptions = {
  readonly env: Env;
  readonly log: Log;
  readonly metrics: FrontMetrics;
  readonly memberMetrics: GatewayMetrics;
  readonly config: FrontConfig;
  readonly lookbackMs: number;
  readonly cache: RangeCache | null;
  readonly active: ActiveQueries;
  readonly queries: Pick<QueryHandler, 'handle'>;
};

/**
 * What stands before the planning of queries: turns and limits for each user, queries that can be looked at and ended, one
 * answer for equal questions, kept and divided range queries, and a log of slow ones.
 */
export class QueryFront {
  readonly gate: FairGate;
  readonly #options: QueryFrontOptions;
  readonly #ranges: RangeFront;
  readonly #slow: SlowQueries | null;
  readonly #underWay = new Coalescer<HttpResponse>();

  /** Throws when the log of slow queries cannot be opened. */
  constructor(options: QueryFrontOptions) {
    this.#options = options;
    const { env, log, metrics, memberMetrics, config, lookbackMs, cache, queries } = options;
    this.gate = new FairGate({
      clock: env.clock,
      maxRunning: config.max_concurrent,
      maxRunningPerUser: config.max_concurrent_per_user,
      maxWaitingPerUser: config.max_queued_per_user,
      timeoutMs: config.queue_timeout,
    });
    this.#ranges = new RangeFront({
      clock: env.clock,
      metrics,
      config,
      lookbackMs,
      cache,
      ask: (exchange, form) => queries.handle(withForm(exchange, form), true),
    });
    const onDropped = (count: number): void => memberMetrics.droppedLines.inc(count);
    const { slow_log: slow } = config;
    this.#slow = slow === null ? null : new SlowQueries({ env, log, config: slow, onDropped });
  }

  async handle(exchange: Exchange, isRange: boolean): Promise<HttpResponse> {
    const { env } = this.#options;
    const form = await formOf(exchange);
    const user = userOf(exchange);
    const life = this.#options.active.begin(this.#about(exchange, form, isRange), exchange.signal);
    const arrivedMs = env.clock.monotonic();
    let queueMs = 0;
    let response: HttpResponse | null = null;
    try {
      const leave = await this.gate.enter(user, life.signal);
      queueMs = env.clock.monotonic() - arrivedMs;
      life.running(() => 0);
      try {
        response = await this.#answer(exchange, { form, isRange, signal: life.signal });
      } finally {
        leave();
      }
    } catch (error) {
      if (!OperatingError.is(error)) throw error;
      response = this.#refusal(error, life.signal);
    } finally {
      this.#end(life, { user, queueMs, response });
    }
    return response;
  }

  reopenLogs(): void {
    this.#slow?.reopen();
  }

  close(): void {
    this.#slow?.close();
  }

  #answer(
    exchange: Exchange,
    asked: {
      readonly form: URLSearchParams;
      readonly isRange: boolean;
      readonly signal: StopSignal;
    },
  ): Promise<HttpResponse> {
    const { queries, memberMetrics } = this.#options;
    const { form, isRange, signal } = asked;
    // Many people look at one dashboard. A query of "now" is that of the first who asked: the others came while it was answered.
    return this.#underWay.run(
      keyOf(exchange, form, isRange),
      signal,
      (shared) => {
        const alone = { ...exchange, signal: shared };
        return isRange
          ? this.#ranges.handle(alone, form)
          : queries.handle(withForm(alone, new URLSearchParams(form)), false);
      },
      () => memberMetrics.coalesced.inc(),
    );
  }

  #about(exchange: Exchange, form: URLSearchParams, isRange: boolean) {
    const { request, path } = exchange;
    const nowMs = this.#options.env.clock.now();
    const startMs = readTimeMs(form.get(isRange ? 'start' : 'time'), nowMs) ?? nowMs;
    const endMs = isRange ? (readTimeMs(form.get('end'), nowMs) ?? nowMs) : startMs;
    const stepMs = isRange ? (readDurationMs(form.get('step') ?? '') ?? 0) : 0;
    const origin = {
      kind: 'http' as const,
      method: request.method,
      path,
      clientIp: clientAddress(request.remote.host),
      userAgent: request.headers['user-agent'] ?? '',
    };
    return { query: form.get('query') ?? '', startMs, endMs, stepMs, origin };
  }

  #refusal(error: OperatingError, signal: StopSignal): HttpResponse {
    if (error instanceof TooManyQueriesError) {
      this.#options.metrics.rejected.with(error.limit).inc();
      const answer = failure(429, 'unavailable', error);
      return { ...answer, headers: { ...answer.headers, 'retry-after': RETRY_AFTER } };
    }
    return signal.aborted ? failure(499, 'canceled', error) : failure(503, 'unavailable', error);
  }

  #end(
    life: QueryLife,
    how: {
      readonly user: string;
      readonly queueMs: number;
      readonly response: HttpResponse | null;
    },
  ): void {
    const { user, queueMs, response } = how;
    if (this.#slow !== null) {
      const query = this.#viewOf(life);
      const replica = String(response?.headers?.['x-pollux-replica'] ?? '');
      const status = response?.status ?? 500;
      if (query !== null) this.#slow.ended(query, { user, replica, status, queueMs });
    }
    life.end(ENDED);
  }

  #viewOf({ id }: QueryLife): ActiveQuery | null {
    return this.#options.active.list().find((query) => query.id === id) ?? null;
  }
}

/** Nobody looks at figures of a query that members evaluated. */
const ENDED: QueryOutcome = {
  error: null,
  stats: {
    queueMs: 0,
    prepareMs: 0,
    evalMs: 0,
    totalQueryableSamples: 0,
    samplesRead: 0,
    peakSamples: 0,
    perStep: null,
  },
};

/** By the name that the door knows, else by the address: names that nobody checked are for anyone to choose. */
function userOf({ principal, request }: Exchange): string {
  return principal.user === '' ? clientAddress(request.remote.host) : principal.user;
}

/** Equal for queries that have the same answer for the same person; members look at credentials and cookies themselves. */
function keyOf({ request }: Exchange, form: URLSearchParams, isRange: boolean): string {
  const { authorization = '', cookie = '' } = request.headers;
  return [isRange, form, authorization, cookie].map(String).join('\n');
}

/** The same request with this form in its address. */
function withForm(exchange: Exchange, form: URLSearchParams): Exchange {
  const { request } = exchange;
  const { remote, headers, principal, signal } = request;
  return {
    ...exchange,
    query: form,
    request: {
      method: 'GET',
      target: exchange.path,
      headers,
      remote,
      principal,
      signal,
      body: async () => new Uint8Array(),
      stream: () => NOTHING,
    },
  };
}

const NOTHING: AsyncIterable<Uint8Array> = {
  [Symbol.asyncIterator]: () => ({ next: async () => ({ done: true, value: undefined }) }),
};

function failure(status: number, errorType: string, error: OperatingError): HttpResponse {
  return json(status, { status: 'error', errorType, error: errorText(error) });
}
