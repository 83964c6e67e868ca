import type { Counter, Family, Gauge, Histogram, Registry, Summary } from '@pollux/telemetry';

/** Prometheus' names and meanings. Per-pool children are removed with their pool. */
export class ScrapeMetrics {
  readonly pools: Counter;
  readonly poolsFailed: Counter;
  readonly poolReloads: Counter;
  readonly poolReloadsFailed: Counter;
  readonly poolExceededTargetLimit: Counter;
  readonly poolExceededLabelLimits: Counter;
  readonly poolTargets: Family<Gauge>;
  readonly poolTargetLimit: Family<Gauge>;
  readonly poolSyncs: Family<Counter>;
  readonly syncFailed: Family<Counter>;
  readonly syncLength: Family<Summary>;
  readonly intervalLength: Family<Summary>;
  readonly exceededSampleLimit: Counter;
  readonly exceededBodySizeLimit: Counter;
  readonly duplicateTimestamp: Counter;
  readonly outOfOrder: Counter;
  readonly outOfBounds: Counter;
  readonly parseDuration: Histogram;

  constructor(registry: Registry) {
    const pool = 'prometheus_target_scrape_pool';
    const scrapes = 'prometheus_target_scrapes';
    const counter = (name: string, help: string): Counter => registry.counter(name, help);
    const byJob = (name: string, help: string): Family<Gauge> =>
      registry.gauges(name, help, ['scrape_job']);
    this.pools = counter(`${pool}s_total`, 'Total number of scrape pool creation attempts.');
    this.poolsFailed = counter(
      `${pool}s_failed_total`,
      'Total number of scrape pool creations that failed.',
    );
    this.poolReloads = counter(`${pool}_reloads_total`, 'Total number of scrape pool reloads.');
    this.poolReloadsFailed = counter(
      `${pool}_reloads_failed_total`,
      'Total number of failed scrape pool reloads.',
    );
    this.poolExceededTargetLimit = counter(
      `${pool}_exceeded_target_limit_total`,
      'Total number of times scrape pools hit the target limit, during sync or config reload.',
    );
    this.poolExceededLabelLimits = counter(
      `${pool}_exceeded_label_limits_total`,
      'Total number of times scrape pools hit the label limits, during sync or config reload.',
    );
    this.poolTargets = byJob(`${pool}_targets`, 'Current number of targets in this scrape pool.');
    this.poolTargetLimit = byJob(
      `${pool}_target_limit`,
      'Maximum number of targets allowed in this scrape pool.',
    );
    this.poolSyncs = registry.counters(
      `${pool}_sync_total`,
      'Total number of syncs that were executed on a scrape pool.',
      ['scrape_job'],
    );
    this.syncFailed = registry.counters(
      'prometheus_target_sync_failed_total',
      'Total number of target sync failures.',
      ['scrape_job'],
    );
    this.syncLength = registry.summaries(
      'prometheus_target_sync_length_seconds',
      'Actual interval to sync the scrape pool.',
      ['scrape_job'],
    );
    this.intervalLength = registry.summaries(
      'prometheus_target_interval_length_seconds',
      'Actual intervals between scrapes.',
      ['interval'],
    );
    this.exceededSampleLimit = counter(
      `${scrapes}_exceeded_sample_limit_total`,
      'Total number of scrapes that hit the sample limit and were rejected.',
    );
    this.exceededBodySizeLimit = counter(
      `${scrapes}_exceeded_body_size_limit_total`,
      'Total number of scrapes that hit the body size limit',
    );
    this.duplicateTimestamp = counter(
      `${scrapes}_sample_duplicate_timestamp_total`,
      'Total number of samples rejected due to duplicate timestamps but different values.',
    );
    this.outOfOrder = counter(
      `${scrapes}_sample_out_of_order_total`,
      'Total number of samples rejected due to not being out of the expected order.',
    );
    this.outOfBounds = counter(
      `${scrapes}_sample_out_of_bounds_total`,
      'Total number of samples rejected due to timestamp falling outside of the time bounds.',
    );
    this.parseDuration = registry.histogram(
      'pollux_scrape_parse_duration_seconds',
      'Time that parsing one exposition took.',
      [0.0001, 0.001, 0.01, 0.1, 1],
    );
  }

  /** Forgets the children of a removed pool. */
  removePool(job: string): void {
    for (const family of [
      this.poolTargets,
      this.poolTargetLimit,
      this.poolSyncs,
      this.syncFailed,
      this.syncLength,
    ])
      family.remove(job);
  }
}
