import { assert, type Env, withTimeout } from '@pollux/base';
import { type DiscoveredTargets, DiscoveryManager } from '@pollux/discovery';
import { HttpConfigClient, type Variables } from '@pollux/http';
import type { Labels, Metadata } from '@pollux/model';
import type { Appendable, CoverageRecorder } from '@pollux/storage';
import type { Log, MetricFamily, Registry } from '@pollux/telemetry';
import type { ScrapeConfig } from './config.ts';
import { ScrapeMetrics } from './metrics.ts';
import type { LoopDeps, ScrapeLoop } from './scrape-loop.ts';
import { ScrapePool } from './scrape-pool.ts';
import { type ActiveTarget, activeTarget, type Targets } from './target-status.ts';

const CLOSE_TIMEOUT_MS = 4_000;

export type ScrapeManagerOptions = {
  readonly env: Env;
  readonly log: Log;
  readonly registry: Registry;
  /** Where samples go. */
  readonly appendable: Appendable;
  readonly coverage: CoverageRecorder;
  /** Of the User-Agent: `3.4.0` gives `Prometheus/3.4.0`. */
  readonly version: string;
  /** The environment's, for proxies. */
  readonly variables: Variables;
  /**
   * Whether series get a zero at the time from which they count, as targets tell it; `_created` of OpenMetrics is then no
   * series. Default false.
   */
  readonly readsStartTimes?: boolean;
  /** Shortest time between two changes of the targets; default 5 s. */
  readonly discoveryThrottleMs?: number;
  /** How a scrape URL reads from outside (localhost replaced by this host's name). Default: as it is. */
  readonly globalUrl?: (url: string) => string;
};

export type ScrapeManagerConfig = {
  readonly jobs: readonly ScrapeConfig[];
  /** From host name and external labels: replicas with different ones scrape at different phases. */
  readonly seed: bigint;
  /** Joins a relative name to the folder of the configuration file. */
  readonly resolvePath: (name: string) => string;
};

export type ScrapeChange = { commit(): void };

/** Metadata of one metric family as one target told it. */
export type TargetMetadata = {
  readonly scrapePool: string;
  readonly target: Labels;
  readonly metric: string;
  readonly metadata: Metadata;
};

/** Discovers targets and scrapes them. Pools whose configuration does not change live through a reload untouched. */
export class ScrapeManager {
  readonly #options: ScrapeManagerOptions;
  readonly #metrics: ScrapeMetrics;
  readonly #discovery: DiscoveryManager;
  readonly #pools = new Map<string, ScrapePool>();
  readonly #shutdown = new AbortController();
  #config: ScrapeManagerConfig = { jobs: [], seed: 0n, resolvePath: (name) => name };
  #isStarted = false;

  constructor(options: ScrapeManagerOptions) {
    this.#options = options;
    const { env, registry } = options;
    const log = options.log.with({ component: 'scrape manager' });
    this.#metrics = new ScrapeMetrics(registry);
    this.#discovery = new DiscoveryManager({
      env,
      log: log.with({ component: 'discovery manager scrape' }),
      registry,
      name: 'scrape',
      variables: options.variables,
      resolvePath: (name) => this.#config.resolvePath(name),
      onUpdate: (targets) => this.#sync(targets),
      ...(options.discoveryThrottleMs === undefined
        ? {}
        : { throttleMs: options.discoveryThrottleMs }),
    });
    registry.collect(() => [this.#cacheEntries()]);
  }

  /** Checks nothing any more (decoding did); `commit` makes the configuration run. */
  prepare(config: ScrapeManagerConfig): ScrapeChange {
    const sets = new Map(config.jobs.map((job) => [job.jobName, job.providers]));
    const discovery = this.#discovery.prepare(sets);
    return {
      commit: () => {
        const isMoved = config.seed !== this.#config.seed;
        this.#config = config;
        this.#dropPools(isMoved);
        discovery.commit();
      },
    };
  }

  start(): void {
    assert(!this.#isStarted, 'scrape manager started twice');
    this.#isStarted = true;
    this.#discovery.start();
  }

  /** Ends all loops without stale markers; scrapes in flight are cut. */
  async close(): Promise<void> {
    if (this.#shutdown.signal.aborted) return;
    this.#shutdown.abort();
    this.#discovery.close();
    await withTimeout(
      this.#options.env.clock,
      CLOSE_TIMEOUT_MS,
      'closing scrape pools',
      async () => {
        await Promise.all([...this.#pools.values()].map((pool) => pool.close()));
      },
    );
  }

  /** Names of the jobs, sorted. */
  scrapePools(): string[] {
    return [...this.#pools.keys()].sort();
  }

  /** In the shape of `/api/v1/targets`, sorted by pool. */
  targets(): Targets {
    const activeTargets: ActiveTarget[] = [];
    const droppedTargets: { discoveredLabels: Record<string, string>; scrapePool: string }[] = [];
    const droppedTargetCounts: Record<string, number> = {};
    for (const [name, pool] of this.#sortedPools()) {
      for (const loop of pool.loops)
        activeTargets.push(activeTarget(name, loop, this.#options.globalUrl ?? ((url) => url)));
      for (const labels of pool.dropped)
        droppedTargets.push({ discoveredLabels: labels.toObject(), scrapePool: name });
      droppedTargetCounts[name] = pool.droppedCount;
    }
    return { activeTargets, droppedTargets, droppedTargetCounts };
  }

  /** What the targets say about their metrics; lazily, since there may be much of it. */
  *metadata(): IterableIterator<TargetMetadata> {
    for (const [scrapePool, pool] of this.#sortedPools()) {
      for (const loop of pool.loops) yield* metadataOf(scrapePool, loop);
    }
  }

  #sortedPools(): [string, ScrapePool][] {
    return [...this.#pools].sort(([a], [b]) => (a < b ? -1 : 1));
  }

  /** Ends pools that are gone or changed; `sync` creates their successors at once. */
  #dropPools(all: boolean): void {
    const wanted = new Map(this.#config.jobs.map((job) => [job.jobName, job.identity]));
    for (const [name, pool] of this.#pools) {
      if (!all && wanted.get(name) === pool.config.identity) continue;
      this.#pools.delete(name);
      pool.stop();
      if (wanted.has(name)) this.#metrics.pools.reloads.inc();
    }
  }

  #sync(targets: DiscoveredTargets): void {
    for (const job of this.#config.jobs) {
      let pool = this.#pools.get(job.jobName);
      if (pool === undefined) {
        pool = new ScrapePool(job, this.#loopDeps(job), this.#shutdown.signal);
        this.#pools.set(job.jobName, pool);
      }
      pool.sync(targets.get(job.jobName) ?? []);
    }
  }

  #loopDeps({ client }: ScrapeConfig): LoopDeps {
    const { env, log, appendable, coverage, version, variables } = this.#options;
    const { seed, resolvePath } = this.#config;
    return {
      env,
      log,
      appendable,
      coverage,
      metrics: this.#metrics,
      seed,
      readsStartTimes: this.#options.readsStartTimes === true,
      userAgent: `Prometheus/${version}`,
      http: new HttpConfigClient({ ...env, config: client, resolvePath, variables }),
    };
  }

  #cacheEntries(): MetricFamily {
    const samples = this.#sortedPools().map(([name, pool]) => {
      let value = 0;
      for (const loop of pool.loops) value += loop.series.template?.metadataSize ?? 0;
      return { suffix: '', labels: ['scrape_job', name], value };
    });
    return {
      name: 'prometheus_target_metadata_cache_entries',
      help: 'Total number of metric metadata entries in the cache',
      type: 'gauge',
      samples,
    };
  }
}

function* metadataOf(scrapePool: string, loop: ScrapeLoop): IterableIterator<TargetMetadata> {
  const entries = loop.series.template?.metadata() ?? [];
  for (const [metric, metadata] of entries)
    yield { scrapePool, target: loop.target.labels, metric, metadata };
}
