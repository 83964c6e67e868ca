import {
  type Clock,
  type HttpResponse,
  LimitError,
  type StopSignal,
  stopAfter,
  TimeoutError,
} from '@pollux/base';
import { type Exchange, formOf, hasFormBody, type Router, text } from '@pollux/http';
import { Labels } from '@pollux/model';
import { ParsedQueries, type ParserOptions } from '@pollux/promql/parser';
import { type ExemplarQueryable, MemoryBudget, type Queryable } from '@pollux/storage';
import type { Log, Registry } from '@pollux/telemetry';
import type { ApiCall, ApiHandler, ReadLimits } from './call.ts';
import { CorsPolicy } from './cors.ts';
import { federate } from './federate.ts';
import { activeQueries, killQuery } from './handlers/active-queries.ts';
import { cleanTombstones, deleteSeries, snapshot } from './handlers/admin.ts';
import { formatQuery, parseQuery, queryExemplars } from './handlers/expressions.ts';
import { instantQuery, rangeQuery } from './handlers/query.ts';
import { alerts, rules } from './handlers/rules.ts';
import { labelNames, labelValues, series } from './handlers/series.ts';
import {
  cardinality,
  coverage,
  details,
  features,
  notifications,
  statusPages,
  walReplay,
} from './handlers/status.ts';
import {
  alertmanagers,
  metadata,
  scrapePools,
  targetMetadata,
  targets,
} from './handlers/targets.ts';
import { registerLifecycle } from './lifecycle.ts';
import type {
  ActiveQueriesPort,
  AdminPort,
  AlertmanagersPort,
  CoveragePort,
  LifecyclePort,
  QueryPort,
  RulesPort,
  StatusPort,
  TargetsPort,
} from './ports.ts';
import { type Guard, type Readiness, readGuard, readinessGuard } from './readiness.ts';
import { respond, respondError } from './wire/answer.ts';
import { apiErrorOf } from './wire/errors.ts';

export type ApiOptions = {
  readonly clock: Clock;
  readonly log: Log;
  /** Exposed at /metrics. */
  readonly registry: Registry;
  readonly readiness: () => Readiness;
  readonly query: QueryPort;
  /** What `/api/v1/status/active_queries` lists and kills. */
  readonly active?: ActiveQueriesPort;
  /** For series, labels and federation. */
  readonly queryable: Queryable;
  /** Null while exemplars are not kept. */
  readonly exemplars?: ExemplarQueryable | null;
  readonly targets: TargetsPort;
  readonly rules: RulesPort;
  readonly alertmanagers: AlertmanagersPort;
  readonly status: StatusPort;
  /** Null without `--web.enable-admin-api`. */
  readonly admin: AdminPort | null;
  /** Null without `--web.enable-lifecycle`. */
  readonly lifecycle: LifecyclePort | null;
  readonly coverage: CoveragePort | null;
  readonly externalLabels?: () => Labels;
  /** Which parts of PromQL are on, as the engine has them. */
  readonly parser?: ParserOptions;
  /** Parses so, if the engine is to find what was parsed here. */
  readonly parsed?: ParsedQueries;
  /** `--query.lookback-delta`. Default 5 minutes. */
  readonly lookbackMs?: number;
  /** Longest series, labels or federation request. Default 2 minutes. */
  readonly readTimeoutMs?: number;
  /** Memory of one such request. Default 1 GiB. */
  readonly maxReadBytes?: number;
  /** `--web.cors.origin`. */
  readonly corsOrigin?: string;
  /** Default `Prometheus Server`. */
  readonly serverName?: string;
};

const API = '/api/v1';
const DEFAULT_LOOKBACK_MS = 300_000;
const DEFAULT_READ_TIMEOUT_MS = 120_000;
const DEFAULT_READ_BYTES = 1024 * 1024 * 1024;

/** Registers Prometheus' HTTP API, /federate, /metrics and the pages below /-/ on the router. */
export function registerApi(router: Router, options: ApiOptions): void {
  const door = new ApiDoor(router, options);
  registerQueries(door, options);
  registerViews(door, options);
  registerFederate(door, options);
  registerLifecycle(router, {
    lifecycle: options.lifecycle,
    status: options.status,
    registry: options.registry,
    serverName: options.serverName ?? 'Prometheus Server',
    guard: door.guard,
  });
}

function registerQueries(door: ApiDoor, options: ApiOptions): void {
  const parser = options.parser ?? {};
  const lookbackMs = options.lookbackMs ?? DEFAULT_LOOKBACK_MS;
  const parsed = options.parsed ?? new ParsedQueries(parser);
  const queries = { query: options.query, coverage: options.coverage, lookbackMs, parsed };
  const reads = { queryable: options.queryable, limits: door.limits };
  door.both('/query', instantQuery(queries));
  door.both('/query_range', rangeQuery(queries));
  const active = options.active ?? null;
  door.get('/status/active_queries', activeQueries(active));
  door.kill('/status/active_queries/:id', killQuery(active));
  door.both('/query_exemplars', queryExemplars(options.exemplars ?? null, parser, door.limits));
  door.both('/format_query', formatQuery(parser));
  door.both('/parse_query', parseQuery(parser));
  door.both('/labels', labelNames(reads));
  door.get('/label/:name/values', labelValues(reads));
  door.both('/series', series(reads));
}

function registerViews(door: ApiDoor, options: ApiOptions): void {
  const { admin, status } = options;
  door.get('/scrape_pools', scrapePools(options.targets));
  door.get('/targets', targets(options.targets));
  door.get('/targets/metadata', targetMetadata(options.targets));
  door.get('/metadata', metadata(options.targets));
  door.get('/alertmanagers', alertmanagers(options.alertmanagers));
  door.get('/rules', rules(options.rules));
  door.get('/alerts', alerts(options.rules));
  for (const [page, handler] of Object.entries(statusPages(status))) {
    door.get(`/status/${page}`, handler);
  }
  door.get('/status/walreplay', walReplay(status), { always: true });
  door.get('/features', features(status));
  door.get('/notifications', notifications, { always: true });
  door.get('/pollux/cardinality', cardinality(status));
  door.get('/pollux/coverage', coverage(options.coverage));
  door.get('/pollux/status', details(status), { always: true });
  door.write('/admin/tsdb/delete_series', deleteSeries(admin));
  door.write('/admin/tsdb/clean_tombstones', cleanTombstones(admin));
  door.write('/admin/tsdb/snapshot', snapshot(admin));
}

function registerFederate(door: ApiDoor, options: ApiOptions): void {
  const settings = {
    queryable: options.queryable,
    lookbackMs: options.lookbackMs ?? DEFAULT_LOOKBACK_MS,
    externalLabels: options.externalLabels ?? (() => Labels.EMPTY),
  };
  door.router.get('/federate', async (exchange) => {
    const refusal = door.readGuard();
    if (refusal !== null) return refusal;
    const limit = door.deadlineOf(exchange);
    const budget = new MemoryBudget(door.limits.maxBytes, 'api.read-max-bytes');
    try {
      const context = { signal: limit.signal, budget };
      return await federate(exchange, options.clock.now(), context, settings);
    } catch (error) {
      const known = apiErrorOf(error);
      return text(known.status ?? (known.type === 'bad_data' ? 400 : 500), `${known.message}\n`);
    } finally {
      limit.release();
    }
  });
}

/** Puts handlers on routes: readiness before, envelope and cross-origin headers after. */
class ApiDoor {
  readonly router: Router;
  readonly guard: Guard;
  readonly readGuard: Guard;
  readonly limits: ReadLimits;
  readonly #cors: CorsPolicy;
  readonly #log: Log;

  constructor(router: Router, options: ApiOptions) {
    this.router = router;
    this.guard = readinessGuard(options.readiness);
    this.readGuard = readGuard(options.readiness);
    this.limits = {
      clock: options.clock,
      timeoutMs: options.readTimeoutMs ?? DEFAULT_READ_TIMEOUT_MS,
      maxBytes: options.maxReadBytes ?? DEFAULT_READ_BYTES,
    };
    this.#cors = new CorsPolicy(options.corsOrigin);
    this.#log = options.log.with({ component: 'web' });
  }

  get(path: string, handler: ApiHandler, how: { readonly always?: boolean } = {}): void {
    this.#on(['GET', 'HEAD'], path, handler, how.always ? null : this.readGuard);
  }

  /** GET and POST: long queries do not fit a URL. */
  both(path: string, handler: ApiHandler): void {
    this.#on(['GET', 'HEAD', 'POST'], path, handler, this.readGuard);
  }

  write(path: string, handler: ApiHandler): void {
    this.#on(['POST', 'PUT'], path, handler, this.guard);
  }

  /** Not behind `--web.enable-admin-api`: who may ask may also take a question back. */
  kill(path: string, handler: ApiHandler): void {
    this.#on(['DELETE', 'POST'], path, handler, this.readGuard);
  }

  deadlineOf(exchange: Exchange): ReturnType<typeof stopAfter> {
    const { clock, timeoutMs } = this.limits;
    const timeUp = (): Error => new TimeoutError(`request took longer than ${timeoutMs} ms`);
    return stopAfter(clock, timeoutMs, timeUp, exchange.signal);
  }

  #on(methods: readonly string[], path: string, handler: ApiHandler, guard: Guard | null): void {
    this.router.on(methods, API + path, async (exchange) => {
      const answer = guard?.() ?? (await this.#answer(exchange, handler));
      return this.#cors.apply(answer, exchange.request.headers.origin);
    });
    this.router.on('OPTIONS', API + path, async (exchange) =>
      this.#cors.apply({ status: 204 }, exchange.request.headers.origin),
    );
  }

  async #answer(exchange: Exchange, handler: ApiHandler): Promise<HttpResponse> {
    const call = new PendingCall(exchange, this.limits.clock.now(), () =>
      this.deadlineOf(exchange),
    );
    try {
      if (hasFormBody(exchange)) call.form = await formOf(exchange);
      return respond(await handler(call));
    } catch (error) {
      // The router knows what to say to a body that is too long.
      if (error instanceof LimitError && error.code === 'HTTP.BODY_TOO_LARGE') throw error;
      const known = apiErrorOf(error);
      if (known.type === 'internal') {
        this.#log.error('API request failed', { path: exchange.path, err: known.message });
      }
      return respondError(known.type, known.message, known);
    } finally {
      call.release();
    }
  }
}

/**
 * A call whose signal begins when it is first looked at: queries have limits of their own, and to a small one a signal and a timer
 * that nobody looks at are much. A class, since an object literal with a getter is a hidden class of its own for each call, which keeps
 * the call's objects until the next whole collection.
 */
class PendingCall implements ApiCall {
  readonly exchange: Exchange;
  readonly nowMs: number;
  form: URLSearchParams;
  readonly #open: () => ReturnType<typeof stopAfter>;
  #limit: ReturnType<typeof stopAfter> | null = null;

  constructor(exchange: Exchange, nowMs: number, open: () => ReturnType<typeof stopAfter>) {
    this.exchange = exchange;
    this.nowMs = nowMs;
    this.form = exchange.query;
    this.#open = open;
  }

  get signal(): StopSignal {
    this.#limit ??= this.#open();
    return this.#limit.signal;
  }

  release(): void {
    this.#limit?.release();
  }
}
