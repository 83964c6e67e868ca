import type { Counter, Family, Gauge, Histogram, Registry } from '@pollux/telemetry';

/** Seconds. */
const DURATION_BOUNDS = [0.001, 0.01, 0.1, 1, 10] as const;

/** What the mechanisms count; names as Prometheus'. One set per registry, whatever the number of managers. */
export class DiscoveryMetrics {
  readonly refreshFailures: Family<Counter>;
  readonly refreshDuration: Family<Histogram>;
  readonly fileReadErrors: Counter;
  readonly fileScanDuration: Histogram;
  readonly fileModifiedSeconds: Family<Gauge>;
  readonly httpFailures: Counter;

  constructor(registry: Registry) {
    this.refreshFailures = registry.counters(
      'prometheus_sd_refresh_failures_total',
      'Number of refresh failures for the given SD mechanism.',
      ['mechanism'],
    );
    this.refreshDuration = registry.histograms(
      'prometheus_sd_refresh_duration_histogram_seconds',
      'The duration of a refresh for the given SD mechanism.',
      ['mechanism'],
      DURATION_BOUNDS,
    );
    this.fileReadErrors = registry.counter(
      'prometheus_sd_file_read_errors_total',
      'The number of File-SD read errors.',
    );
    this.fileScanDuration = registry.histogram(
      'prometheus_sd_file_scan_duration_seconds',
      'The duration of the File-SD scan in seconds.',
      DURATION_BOUNDS,
    );
    this.fileModifiedSeconds = registry.gauges(
      'prometheus_sd_file_mtime_seconds',
      'Timestamp (mtime) of files read by FileSD. Timestamp is set at read time.',
      ['filename'],
    );
    this.httpFailures = registry.counter(
      'prometheus_sd_http_failures_total',
      'Number of HTTP service discovery refresh failures.',
    );
  }
}
