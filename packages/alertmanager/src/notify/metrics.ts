import type { Counter, Family, Histogram, Registry } from '@pollux/telemetry';
import type { FailureReason } from '../errors.ts';

const FAILURE_REASONS: readonly FailureReason[] = [
  'other',
  'clientError',
  'serverError',
  'contextCanceled',
  'contextDeadlineExceeded',
  'authError',
  'rateLimited',
];

/** Why the pipeline withheld alerts. */
export type SuppressReason =
  | 'silence'
  | 'inhibition'
  | 'mute_time_interval'
  | 'active_time_interval';

const SUPPRESS_REASONS: readonly SuppressReason[] = [
  'silence',
  'inhibition',
  'mute_time_interval',
  'active_time_interval',
];

/** The series of one integration. */
export type IntegrationMetrics = {
  readonly notifications: Counter;
  readonly requests: Counter;
  readonly requestsFailed: Counter;
  readonly latency: Histogram;
  failed(reason: FailureReason): Counter;
};

/** Upstream's metrics of the pipeline; one instance for each registry. */
export class NotifyMetrics {
  readonly suppressed: Family<Counter>;
  readonly #hasReceiverNames: boolean;
  readonly #notifications: Family<Counter>;
  readonly #failed: Family<Counter>;
  readonly #requests: Family<Counter>;
  readonly #requestsFailed: Family<Counter>;
  readonly #latency: Family<Histogram>;

  /** With names of receivers, as `receiver-name-in-metrics` asks for, each series has them as `receiver_name`. */
  constructor(registry: Registry, hasReceiverNames = false) {
    this.#hasReceiverNames = hasReceiverNames;
    const labels = hasReceiverNames ? ['integration', 'receiver_name'] : ['integration'];
    const name = (suffix: string): string => `alertmanager_${suffix}`;
    this.#notifications = registry.counters(
      name('notifications_total'),
      'The total number of attempted notifications.',
      labels,
    );
    this.#failed = registry.counters(
      name('notifications_failed_total'),
      'The total number of failed notifications.',
      [...labels, 'reason'],
    );
    this.#requests = registry.counters(
      name('notification_requests_total'),
      'The total number of attempted notification requests.',
      labels,
    );
    this.#requestsFailed = registry.counters(
      name('notification_requests_failed_total'),
      'The total number of failed notification requests.',
      labels,
    );
    this.suppressed = registry.counters(
      name('notifications_suppressed_total'),
      'The total number of notifications suppressed for being silenced, inhibited, outside of active time intervals or within muted time intervals.',
      ['reason'],
    );
    this.#latency = registry.histograms(
      name('notification_latency_seconds'),
      'The latency of notifications in seconds.',
      labels,
      [1, 5, 10, 15, 20],
    );
    for (const reason of SUPPRESS_REASONS) this.suppressed.with(reason);
  }

  of(integration: string, receiver: string): IntegrationMetrics {
    const labels = this.#hasReceiverNames ? [integration, receiver] : [integration];
    return {
      notifications: this.#notifications.with(...labels),
      requests: this.#requests.with(...labels),
      requestsFailed: this.#requestsFailed.with(...labels),
      latency: this.#latency.with(...labels),
      failed: (reason) => this.#failed.with(...labels, reason),
    };
  }

  /** Makes all series of integrations that no receiver needs to have visible at zero, unless series have receivers. */
  introduceAll(integrations: readonly string[]): void {
    if (this.#hasReceiverNames) return;
    for (const integration of integrations) this.introduce(integration, '');
  }

  /** Makes all series of an integration visible at zero. */
  introduce(integration: string, receiver: string): void {
    const series = this.of(integration, receiver);
    for (const reason of FAILURE_REASONS) series.failed(reason);
  }
}
