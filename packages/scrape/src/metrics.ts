import type { Counter, Family, Gauge, Histogram, Registry, Summary } from '@pollux/telemetry';

/** Prometheus' names and meanings. */
export class ScrapeMetrics {
  readonly pools: PoolMetrics;
  readonly refusals: RefusalMetrics;
  readonly intervalLength: Family<Summary>;
  readonly parseDuration: Histogram;

  constructor(registry: Registry) {
    this.pools = new PoolMetrics(registry);
    this.refusals = new RefusalMetrics(registry);
    this.intervalLength = registry.summaries(
      'prometheus_target_interval_length_seconds',
      'Actual intervals between scrapes.',
      ['interval'],
    );
    this.parseDuration = registry.histogram(
      'pollux_scrape_parse_duration_seconds',
      'Time that parsing one exposition took.',
      [0.0001, 0.001, 0.01, 0.1, 1],
    );
  }
}

/** About pools as a whole; children per job are removed with it. */
export class PoolMetrics {
  readonly created: Counter;
  readonly reloads: Counter;
  readonly exceededTargetLimit: Counter;
  readonly targets: Family<Gauge>;
  readonly targetLimit: Family<Gauge>;
  readonly syncs: Family<Counter>;
  readonly syncFailed: Family<Counter>;
  readonly syncLength: Family<Summary>;

  constructor(registry: Registry) {
    const pool = 'prometheus_target_scrape_pool';
    const byJob = ['scrape_job'];
    this.created = registry.counter(
      `${pool}s_total`,
      'Total number of scrape pool creation attempts.',
    );
    this.reloads = registry.counter(
      `${pool}_reloads_total`,
      'Total number of scrape pool reloads.',
    );
    // Creating and reloading a pool cannot fail here: all that can has been done when the configuration was read.
    registry.counter(`${pool}s_failed_total`, 'Total number of scrape pool creations that failed.');
    registry.counter(`${pool}_reloads_failed_total`, 'Total number of failed scrape pool reloads.');
    this.exceededTargetLimit = registry.counter(
      `${pool}_exceeded_target_limit_total`,
      'Total number of times scrape pools hit the target limit, during sync or config reload.',
    );
    this.targets = registry.gauges(
      `${pool}_targets`,
      'Current number of targets in this scrape pool.',
      byJob,
    );
    this.targetLimit = registry.gauges(
      `${pool}_target_limit`,
      'Maximum number of targets allowed in this scrape pool.',
      byJob,
    );
    this.syncs = registry.counters(
      `${pool}_sync_total`,
      'Total number of syncs that were executed on a scrape pool.',
      byJob,
    );
    this.syncFailed = registry.counters(
      'prometheus_target_sync_failed_total',
      'Total number of target sync failures.',
      byJob,
    );
    this.syncLength = registry.summaries(
      'prometheus_target_sync_length_seconds',
      'Actual interval to sync the scrape pool.',
      byJob,
    );
  }

  /** Forgets the children of a removed pool. */
  remove(job: string): void {
    this.targets.remove(job);
    this.targetLimit.remove(job);
    this.syncs.remove(job);
    this.syncFailed.remove(job);
    this.syncLength.remove(job);
  }
}

/** Scrapes and samples that were refused, by reason. */
export class RefusalMetrics {
  readonly sampleLimit: Counter;
  readonly bodySizeLimit: Counter;
  readonly labelLimits: Counter;
  readonly duplicateTimestamp: Counter;
  readonly outOfOrder: Counter;
  readonly outOfBounds: Counter;
  readonly seriesLimit: Counter;
  readonly bucketLimit: Counter;

  constructor(registry: Registry) {
    const scrapes = 'prometheus_target_scrapes';
    this.sampleLimit = registry.counter(
      `${scrapes}_exceeded_sample_limit_total`,
      'Total number of scrapes that hit the sample limit and were rejected.',
    );
    this.bucketLimit = registry.counter(
      `${scrapes}_exceeded_native_histogram_bucket_limit_total`,
      'Total number of scrapes that hit the native histogram bucket limit and were rejected.',
    );
    this.bodySizeLimit = registry.counter(
      `${scrapes}_exceeded_body_size_limit_total`,
      'Total number of scrapes that hit the body size limit',
    );
    this.labelLimits = registry.counter(
      'prometheus_target_scrape_pool_exceeded_label_limits_total',
      'Total number of times scrape pools hit the label limits, during sync or config reload.',
    );
    this.duplicateTimestamp = registry.counter(
      `${scrapes}_sample_duplicate_timestamp_total`,
      'Total number of samples rejected due to duplicate timestamps but different values.',
    );
    this.outOfOrder = registry.counter(
      `${scrapes}_sample_out_of_order_total`,
      'Total number of samples rejected due to not being out of the expected order.',
    );
    this.outOfBounds = registry.counter(
      `${scrapes}_sample_out_of_bounds_total`,
      'Total number of samples rejected due to timestamp falling outside of the time bounds.',
    );
    this.seriesLimit = registry.counter(
      'pollux_target_scrapes_sample_series_limit_total',
      'Samples left out because a limit of the database refused their series.',
    );
  }
}
