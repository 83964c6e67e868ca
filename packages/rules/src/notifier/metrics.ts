import type { Counter, Family, Gauge, Histogram, Registry } from '@pollux/telemetry';

/** Seconds; a local alertmanager answers in milliseconds, the time-out is 10 s. */
const LATENCY_BOUNDS = [0.01, 0.025, 0.1, 0.25, 1, 2.5, 10, 25] as const;

/** Names as Prometheus'. */
export class NotifierMetrics {
  readonly sent: Family<Counter>;
  readonly errors: Family<Counter>;
  readonly dropped: Family<Counter>;
  readonly queueLength: Family<Gauge>;
  readonly latency: Family<Histogram>;

  constructor(registry: Registry, queueCapacity: number, discovered: () => number) {
    const labels = ['alertmanager'];
    this.sent = registry.counters(
      'prometheus_notifications_sent_total',
      'Total number of alerts sent.',
      labels,
    );
    this.errors = registry.counters(
      'prometheus_notifications_errors_total',
      'Total number of sent alerts affected by errors.',
      labels,
    );
    this.dropped = registry.counters(
      'prometheus_notifications_dropped_total',
      'Total number of alerts dropped due to errors when sending to Alertmanager.',
      labels,
    );
    this.queueLength = registry.gauges(
      'prometheus_notifications_queue_length',
      'The number of alert notifications in the queue.',
      labels,
    );
    this.latency = registry.histograms(
      'prometheus_notifications_latency_histogram_seconds',
      'Latency histogram for sending alert notifications.',
      labels,
      LATENCY_BOUNDS,
    );
    registry.gaugeFrom(
      'prometheus_notifications_queue_capacity',
      'The capacity of the alert notifications queue.',
      () => queueCapacity,
    );
    registry.gaugeFrom(
      'prometheus_notifications_alertmanagers_discovered',
      'The number of alertmanagers discovered and active.',
      discovered,
    );
  }

  /** Children exist from the start, so that the first failure is a rise from zero. */
  addAlertmanager(url: string): void {
    this.sent.with(url);
    this.errors.with(url);
    this.dropped.with(url);
    this.queueLength.with(url).set(0);
  }

  removeAlertmanager(url: string): void {
    for (const family of [this.sent, this.errors, this.dropped, this.queueLength, this.latency]) {
      family.remove(url);
    }
  }
}
