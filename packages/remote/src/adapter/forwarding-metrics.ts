import type { Counter, Family, Histogram, Registry } from '@pollux/telemetry';

/** Why a target does not get a sample. */
export type LeftOut = 'value' | 'labels' | 'histogram';

/** Upstream's of remote_storage_adapter, and what it does not tell. */
export class ForwardingMetrics {
  readonly received: Counter;
  readonly sent: Family<Counter>;
  readonly failed: Family<Counter>;
  readonly duration: Family<Histogram>;
  readonly leftOut: Family<Counter>;
  readonly influxIgnored: Counter | null;

  constructor(registry: Registry, hasInflux: boolean) {
    this.received = registry.counter('received_samples_total', 'Total number of received samples.');
    this.sent = registry.counters(
      'sent_samples_total',
      'Total number of processed samples sent to remote storage.',
      ['remote'],
    );
    this.failed = registry.counters(
      'failed_samples_total',
      'Total number of processed samples which failed on send to remote storage.',
      ['remote'],
    );
    this.duration = registry.histograms(
      'sent_batch_duration_seconds',
      'Duration of sample batch send calls to the remote storage.',
      ['remote'],
      [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    );
    this.leftOut = registry.counters(
      'pollux_adapter_left_out_samples_total',
      'Samples that a remote storage has no form for: NaN and infinite values, labels that cannot be written, native histograms.',
      ['remote', 'reason'],
    );
    this.influxIgnored = hasInflux
      ? registry.counter(
          'prometheus_influxdb_ignored_samples_total',
          'The total number of samples not sent to InfluxDB due to unsupported float values (Inf, -Inf, NaN).',
        )
      : null;
  }
}
