import { arch, platform } from 'node:os';
import { EngineQueryPort, type ReadSide, registerReadApi } from '@pollux/api';
import type { Closer, HttpResponse } from '@pollux/base';
import type { Router } from '@pollux/http';
import type { InfluxService } from '@pollux/influx';
import { Engine } from '@pollux/promql';
import type { FlagTable, FlagValues } from '../flags/flags.ts';
import { QUERY_FLAGS } from '../flags/query-flags.ts';
import { engineFeatures } from '../runtime/engine-features.ts';
import { openQueryWorkers } from '../runtime/query-workers.ts';
import { PROMETHEUS_VERSION, type RoleContext, VERSION } from '../runtime/role.ts';
import { STORE_QUERY } from './store-query.worker.ts';

/** What a request is about that names no database, as the hand-made set-up calls it. */
const DEFAULT_DATABASE = 'prometheus';
/** Flags of PromQL, by the names that servers have. */
export const PROMETHEUS_API_FLAGS = {
  ...QUERY_FLAGS,
  'enable-feature': {
    kind: 'list',
    fallback: [],
    help: 'Features of PromQL to enable, with commas: promql-experimental-functions, promql-extended-range-selectors, promql-binop-fill-modifiers, promql-delayed-name-removal, promql-per-step-stats.',
  },
} as const satisfies FlagTable;

/** Zero stands for it, as in Prometheus. */
const DEFAULT_LOOKBACK_MS = 300_000;

/**
 * Registers Prometheus' HTTP API over what the store holds, so that it is a data source by itself. `db` and `rp` name the database
 * and the retention policy as in remote reads; who may read them may ask.
 */
export function registerPrometheusApi(
  router: Router,
  parts: {
    readonly context: RoleContext;
    readonly flags: FlagValues<typeof PROMETHEUS_API_FLAGS>;
    readonly service: InfluxService;
    readonly closer: Closer;
    readonly isReady: () => boolean;
  },
): void {
  const { context, flags, service, closer, isReady } = parts;
  const { env, log, registry } = context;
  const workers = openQueryWorkers(context, STORE_QUERY, flags['query.workers']);
  if (workers !== null) closer.defer('query workers', () => workers.close());
  const features = engineFeatures(flags['enable-feature'], log);
  const lookbackMs = flags['query.lookback-delta'] || DEFAULT_LOOKBACK_MS;
  const engine = new Engine({
    ...(workers === null ? {} : { workers }),
    clock: env.clock,
    log: log.with({ component: 'query engine' }),
    registry,
    lookbackMs,
    maxSamples: flags['query.max-samples'],
    timeoutMs: flags['query.timeout'],
    maxConcurrency: flags['query.max-concurrency'],
    maxMemoryBytes: flags['query.max-memory'],
    features,
  });
  registerReadApi(router, {
    clock: env.clock,
    log,
    readiness: () => (isReady() ? 'ready' : 'starting'),
    parser: features,
    lookbackMs,
    buildInfo: {
      version: PROMETHEUS_VERSION,
      revision: `pollux-${VERSION}`,
      branch: 'main',
      buildUser: '',
      buildDate: '',
      // Clients only show it; a Go version would be untrue.
      goVersion: `node ${process.version} ${platform()}/${arch()}`,
    },
    open: (exchange, form): ReadSide | HttpResponse => {
      const database = form.get('db') || DEFAULT_DATABASE;
      const opened = service.openRead(exchange, {
        database,
        retentionPolicy: form.get('rp') ?? '',
      });
      if ('status' in opened) return opened;
      const { queryable, metadata } = opened;
      const query = new EngineQueryPort(engine, queryable);
      return { query, queryable, exemplars: queryable, metadata: { metadata } };
    },
  });
}
