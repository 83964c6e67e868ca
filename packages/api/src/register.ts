import { type Router, text } from '@pollux/http';
import { Labels } from '@pollux/model';
import { ParsedQueries, type ParserOptions } from '@pollux/promql/parser';
import { type ExemplarQueryable, MemoryBudget, type Queryable } from '@pollux/storage';
import type { Registry } from '@pollux/telemetry';
import { ApiDoor, type DoorOptions } from './door.ts';
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
import { apiErrorOf } from './wire/errors.ts';

export type ApiOptions = DoorOptions & {
  /** Exposed at /metrics. */
  readonly registry: Registry;
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
  /** Default `Prometheus Server`. */
  readonly serverName?: string;
};

const DEFAULT_LOOKBACK_MS = 300_000;

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
  door.get(
    '/metadata',
    metadata(() => options.targets.active()),
  );
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
