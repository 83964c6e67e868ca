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

/** Upstream's metrics of the pipeline; one instance for each registry. */
export class NotifyMetrics {
  readonly notifications: Family<Counter>;
  readonly failed: Family<Counter>;
  readonly requests: Family<Counter>;
  readonly requestsFailed: Family<Counter>;
  readonly suppressed: Family<Counter>;
  readonly latency: Family<Histogram>;

  constructor(registry: Registry) {
    const name = (suffix: string): string => `alertmanager_${suffix}`;
    this.notifications = registry.counters(
      name('notifications_total'),
      'The total number of attempted notifications.',
      ['integration'],
    );
    this.failed = registry.counters(
      name('notifications_failed_total'),
      'The total number of failed notifications.',
      ['integration', 'reason'],
    );
    this.requests = registry.counters(
      name('notification_requests_total'),
      'The total number of attempted notification requests.',
      ['integration'],
    );
    this.requestsFailed = registry.counters(
      name('notification_requests_failed_total'),
      'The total number of failed notification requests.',
      ['integration'],
    );
    this.suppressed = registry.counters(
      name('notifications_suppressed_total'),
      'The total number of notifications suppressed for being silenced, inhibited, outside of active time intervals or within muted time intervals.',
      ['reason'],
    );
    this.latency = registry.histograms(
      name('notification_latency_seconds'),
      'The latency of notifications in seconds.',
      ['integration'],
      [1, 5, 10, 15, 20],
    );
    for (const reason of SUPPRESS_REASONS) this.suppressed.with(reason);
  }

  /** Makes all series of an integration visible at zero. */
  introduce(integration: string): void {
    this.notifications.with(integration);
    this.requests.with(integration);
    this.requestsFailed.with(integration);
    this.latency.with(integration);
    for (const reason of FAILURE_REASONS) this.failed.with(integration, reason);
  }
}
