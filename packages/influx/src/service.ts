import { CanceledError, Closer, type Env, errorText, type HttpResponse, sleep } from '@pollux/base';
import type { Exchange } from '@pollux/http';
import type { WriteTarget } from '@pollux/storage';
import type { Log, Registry } from '@pollux/telemetry';
import type { PrometheusCodec } from './codec-port.ts';
import type { InfluxConfig } from './config.ts';
import { ContinuousQueries } from './continuous-queries.ts';
import type { OpenQueryable, PrometheusView, StoreEngine } from './engine-port.ts';
import { Access } from './http/access.ts';
import type { HttpContext } from './http/context.ts';
import { openPrometheusRead } from './http/prometheus-routes.ts';
import { parseQuery } from './influxql/parser/parse.ts';
import { diagnosticsOf, statisticsOf } from './introspection.ts';
import { KnownSeries } from './line-protocol/known-series.ts';
import { MetaStore } from './meta/meta-store.ts';
import { QueryExecutor } from './query/executor.ts';
import { RunningQueries } from './query/running-queries.ts';
import type { Statistic } from './query/statistics.ts';
import { PointWriter } from './write/point-writer.ts';
import { Subscriptions } from './write/subscriptions.ts';

/** A shorter one would only hold the processor. */
const LEAST_RUN_INTERVAL_MS = 100;

export type InfluxOptions = {
  readonly env: Env;
  readonly log: Log;
  readonly registry: Registry;
  readonly config: InfluxConfig;
  /** Shown in X-Influxdb-Version and /ping; clients decide on features by it: `1.8.10`. */
  readonly version: string;
  readonly engine: StoreEngine;
  readonly openQueryable: OpenQueryable;
  readonly codec: PrometheusCodec;
};

/** The InfluxDB side of a store: names, writes, queries, retention. Its routes are given by `registerInflux`. */
export class InfluxService {
  readonly meta: MetaStore;
  /** For the routes. */
  readonly context: HttpContext;
  readonly #options: InfluxOptions;
  readonly #closer: Closer;
  readonly #stop = new AbortController();
  readonly #views = new Map<string, PrometheusView>();
  readonly #writer: PointWriter;
  readonly #continuous: ContinuousQueries;
  #retention: Promise<void> | null = null;

  constructor(options: InfluxOptions) {
    const { env, config, registry, engine } = options;
    this.#options = options;
    this.#closer = new Closer(env.clock);
    this.meta = new MetaStore({
      env,
      directory: config.meta.dir,
      autocreatePolicy: config.meta['retention-autocreate'],
    });
    const replicaLabels = config.ha['replica-labels'];
    const { subscriber } = config;
    const subscriptions = new Subscriptions({
      net: env.net,
      log: options.log,
      registry,
      meta: this.meta,
      isEnabled: subscriber.enabled,
      httpTimeoutMs: subscriber['http-timeout'],
      skipsVerification: subscriber['insecure-skip-verify'],
      maxWaiting: subscriber['write-buffer-size'],
    });
    this.#closer.defer('subscriptions', () => subscriptions.close());
    this.#writer = new PointWriter({
      meta: this.meta,
      engine,
      clock: env.clock,
      replicaLabels,
      subscriptions,
    });
    const running = new RunningQueries(
      env.clock,
      config.coordinator['max-concurrent-queries'],
      config.coordinator['query-timeout'],
    );
    const statistics = (): Statistic[] =>
      statisticsOf(this.context, this.#continuous, subscriptions, config.http['bind-address']);
    const executor = new QueryExecutor({
      clock: env.clock,
      random: env.random,
      meta: this.meta,
      engine,
      writer: this.#writer,
      maxSeries: config.coordinator['max-select-series'],
      maxBuckets: config.coordinator['max-select-buckets'],
      running,
      statistics,
      diagnostics: () =>
        diagnosticsOf(config, options.version, env.clock.now() - this.context.startedMs),
    });
    this.context = {
      clock: env.clock,
      log: options.log,
      meta: this.meta,
      writer: this.#writer,
      executor,
      codec: options.codec,
      access: new Access(this.meta, {
        isEnabled: config.http['auth-enabled'],
        realm: config.http.realm,
        sharedSecret: config.http['shared-secret'].reveal(),
        clock: env.clock,
      }),
      running,
      statistics,
      startedMs: env.clock.now(),
      headers: config.http.headers,
      metrics: {
        writeRequests: registry.counter(
          'influxdb_write_requests_total',
          'Write requests with a readable body.',
        ),
        writeErrors: registry.counter(
          'influxdb_write_errors_total',
          'Write requests that were refused in whole or part.',
        ),
        points: registry.counter('influxdb_points_written_total', 'Points stored.'),
        queries: registry.counter('influxdb_queries_total', 'Query requests.'),
        queryErrors: registry.counter('influxdb_query_errors_total', 'Statements that failed.'),
      },
      maxBodyBytes: config.http['max-body-size'],
      acceptsUnsigned: config.ha['unsigned-integers'],
      knownSeries: new KnownSeries(),
      maxRowLimit: config.http['max-row-limit'],
      replicaLabels,
      version: options.version,
      viewOf: (database, retentionPolicy) => this.view(database, retentionPolicy),
    };
    this.#continuous = new ContinuousQueries({
      clock: env.clock,
      log: options.log,
      meta: this.meta,
      runIntervalMs: Math.max(config.continuous_queries['run-interval'], LEAST_RUN_INTERVAL_MS),
      logsRuns: config.continuous_queries['log-enabled'],
      succeeded: registry.counter(
        'influxdb_continuous_query_runs_total',
        'Runs of continuous queries that succeeded.',
      ),
      failed: registry.counter(
        'influxdb_continuous_query_failures_total',
        'Runs of continuous queries that failed.',
      ),
      execute: (statement, database, signal) =>
        executor.execute(statement, { database, retentionPolicy: '', signal, user: null }),
    });
    registry.gaugeFrom('influxdb_databases', 'Databases.', () => this.meta.databases().length);
  }

  /** Starts dropping expired shard groups and running continuous queries. */
  start(): void {
    const { config } = this.#options;
    if (config.continuous_queries.enabled) {
      this.#continuous.start();
      this.#closer.defer('continuous queries', () => this.#continuous.close());
    }
    if (config.retention.enabled) this.#retention ??= this.#enforceRetention();
    this.#closer.defer('retention', async () => {
      this.#stop.abort();
      await this.#retention;
    });
  }

  /**
   * Prometheus' view of a database. An empty policy is the default one. The same names give the same object. Throws `database not found` and `retention policy not found`.
   */
  view(database: string, retentionPolicy = ''): PrometheusView {
    const policy = this.meta.requirePolicy(this.meta.requireDatabase(database), retentionPolicy);
    const key = `${database}\ud800${policy.name}`;
    let view = this.#views.get(key);
    if (view === undefined) {
      const { engine, openQueryable } = this.#options;
      const { replicaLabels } = this.context;
      view = {
        queryable: openQueryable({ database, retentionPolicy: policy.name, replicaLabels }),
        metadata: () => engine.metadata(database, policy.name),
      };
      this.#views.set(key, view);
    }
    return view;
  }

  /** Where writes to a policy go now. Throws `database not found` and `retention policy not found`. */
  writeTarget(database: string, retentionPolicy: string): WriteTarget {
    return this.#writer.target(database, retentionPolicy);
  }

  /** As {@link view}, for who asks by HTTP: the refusal instead where the request may not read, or names what is not there. */
  openRead(
    exchange: Exchange,
    place: { readonly database: string; readonly retentionPolicy: string },
  ): PrometheusView | HttpResponse {
    return openPrometheusRead(this.context, exchange, place);
  }

  /** Runs the statements of a text as an administrator would by POST, up to the first that fails: throws it. */
  async run(text: string): Promise<void> {
    for (const statement of parseQuery(text, new Map())) {
      await this.context.executor.execute(statement, {
        database: '',
        retentionPolicy: '',
        signal: this.#stop.signal,
        user: null,
      });
    }
  }

  /** Drops the shard groups whose end is older than their policy's duration; returns how many. */
  async dropExpired(): Promise<number> {
    let dropped = 0;
    for (const database of this.meta.databases()) {
      for (const policy of database.policies) {
        if (policy.durationNanos === 0n) continue;
        const beforeMs = this.#options.env.clock.now() - Number(policy.durationNanos / 1_000_000n);
        dropped += await this.#options.engine.expire(database.name, policy.name, beforeMs);
      }
    }
    return dropped;
  }

  /** Runs the continuous queries that are due now; returns how many ran. */
  runContinuousQueries(): Promise<number> {
    return this.#continuous.runDue();
  }

  async #enforceRetention(): Promise<void> {
    const { config, env, log } = this.#options;
    for (;;) {
      try {
        const dropped = await this.dropExpired();
        if (dropped > 0) log.info('dropped expired shard groups', { groups: dropped });
        await sleep(env.clock, config.retention['check-interval'], this.#stop.signal);
      } catch (error) {
        if (error instanceof CanceledError) return;
        log.error('cannot enforce retention', { error: errorText(error) });
        try {
          await sleep(env.clock, 60_000, this.#stop.signal);
        } catch {
          return;
        }
      }
    }
  }

  /** Ends background work. The engine is closed by whoever opened it. */
  async close(): Promise<void> {
    const failures = await this.#closer.close();
    for (const failure of failures) this.#options.log.warn('closing was not clean', { failure });
  }
}
