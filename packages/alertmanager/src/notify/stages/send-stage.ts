import {
  type Clock,
  errorText,
  type Random,
  Slices,
  type StopSignal,
  sleep,
  TimeoutError,
} from '@pollux/base';
import type { Log } from '@pollux/telemetry';
import { isResolvedAt } from '../../alert/alert.ts';
import { DeliveryError, type FailureReason } from '../../errors.ts';
import type { FailedAttemptEvent } from '../../events/notify-event.ts';
import type { NotifyEvents } from '../../events/notify-events.ts';
import type { OwedNotes } from '../../outbox/owed-notes.ts';
import type { NotificationAttempt } from '../attempt.ts';
import type { Batch, Stage } from '../batch.ts';
import type { Integration } from '../integration.ts';
import type { NotifyMetrics } from '../metrics.ts';
import type { Notification } from '../notification.ts';

const FIRST_PAUSE_MS = 500;
const MAX_PAUSE_MS = 60_000;

export type SendStageOptions = {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: NotifyMetrics;
  readonly events: NotifyEvents;
  readonly integration: Integration;
  /** Makes the message of the alerts that are sent. May reject when a template of the route fails. */
  readonly compose: (batch: Batch) => Notification;
  /** Whether the log still calls for this notification; asked before each further attempt. */
  readonly isStillDue: (batch: Batch) => boolean;
  /** Whether the program is ending: no attempt begins then but the first. */
  readonly isStopping: () => boolean;
  /** Loads what the first request of the process needs; null when it is there. */
  readonly expectRequests: () => Promise<void> | null;
  /** Told of attempts that failed; null where one attempt is all. */
  readonly owed: Pick<OwedNotes, 'failed' | 'overtaken'> | null;
};

/**
 * Delivers, trying again with growing pauses until the flush's time is over. A receiver that wants no resolved alerts gets
 * the firing ones only; when none is left, nothing is sent and the batch goes on, so that the log learns of the end. When
 * another member has delivered between two attempts, the way ends: this is where clusters of the original double.
 */
export function sendStage(options: SendStageOptions): Stage {
  const { integration } = options;
  return async (batch) => {
    const alerts = integration.sendResolved
      ? batch.alerts
      : batch.alerts.filter((alert) => !isResolvedAt(alert, batch.flush.nowMs));
    if (alerts.length === 0) return batch;
    return (await deliver(options, { ...batch, alerts })) ? batch : null;
  };
}

/** False when another member was faster. */
async function deliver(options: SendStageOptions, batch: Batch): Promise<boolean> {
  const { clock, integration, log } = options;
  const name = integration.receiver.integration;
  const metrics = options.metrics.of(name, integration.receiver.groupName);
  const startMs = clock.monotonic();
  const tries = { count: 0 };
  metrics.notifications.inc();
  try {
    const isSent = await sendUntilAccepted(options, batch, tries);
    const result = isSent ? 'sent' : 'sent by another member';
    if (!isSent) options.owed?.overtaken(batch.flush, integration);
    else if (log.isEnabled('debug')) {
      log.debug('Notify success', {
        component: 'dispatcher',
        receiver: integration.receiver.groupName,
        integration: `${name}[${integration.receiver.index}]`,
        aggrGroup: batch.flush.groupKey,
        attempts: tries.count,
      });
    }
    record(options, batch, { startMs, attempts: tries.count, result, error: '' });
    return isSent;
  } catch (error) {
    const reason = failureReason(error, batch.flush.signal);
    metrics.failed(reason).inc();
    // What the end of the time cut short was told of attempt by attempt.
    const isFinal = !batch.flush.signal.aborted && !isRetryable(error);
    if (isFinal)
      options.owed?.failed(batch, integration, { error: errorText(error), isRetried: false });
    const outcome = { result: 'failed', error: errorText(error) } as const;
    record(options, batch, { startMs, attempts: tries.count, ...outcome });
    log.error('Notify failed', {
      receiver: integration.receiver.groupName,
      integration: `${name}[${integration.receiver.index}]`,
      group: batch.flush.groupKey,
      attempts: tries.count,
      err: errorText(error),
    });
    throw error;
  }
}

async function sendUntilAccepted(
  options: SendStageOptions,
  batch: Batch,
  tries: { count: number },
): Promise<boolean> {
  const { clock, random, integration, log } = options;
  const { signal } = batch.flush;
  const name = integration.receiver.integration;
  const metrics = options.metrics.of(name, integration.receiver.groupName);
  const loading = options.expectRequests();
  if (loading !== null) {
    await loading;
    // That has held the thread: what other members told meanwhile is read before this one speaks.
    await new Slices(clock, signal).pause();
    if (!options.isStillDue(batch)) return false;
  }
  const notification = options.compose(batch);
  logSending(options, batch);
  let pauseMs = FIRST_PAUSE_MS;
  let last: unknown = null;
  for (;;) {
    if (signal.aborted) throw last ?? signal.reason;
    const startMs = clock.monotonic();
    tries.count++;
    metrics.requests.inc();
    try {
      await integration.send(notification, signal, batch.memory);
      metrics.latency.observe((clock.monotonic() - startMs) / 1000);
      return true;
    } catch (error) {
      metrics.latency.observe((clock.monotonic() - startMs) / 1000);
      metrics.requestsFailed.inc();
      const isRetried = isRetryable(error) && options.owed !== null;
      tellFailed(options, batch, { attempt: tries.count, error: errorText(error), isRetried });
      if (!isRetried) throw error;
      options.owed?.failed(batch, integration, { error: errorText(error), isRetried });
      last = error;
      log.warn('Notify attempt failed, will retry later', {
        receiver: integration.receiver.groupName,
        integration: `${name}[${integration.receiver.index}]`,
        attempts: tries.count,
        err: errorText(error),
      });
    }
    // Half to one and a half of the pause, so that members and groups do not come back in step.
    const wait = sleep(clock, pauseMs * (0.5 + random.next()), signal);
    await wait.catch(() => {
      throw last;
    });
    // What this member owes is on its disk, and the others try for themselves.
    if (options.isStopping()) throw last;
    pauseMs = Math.min(pauseMs * 1.5, MAX_PAUSE_MS);
    if (!options.isStillDue(batch)) return false;
  }
}

/** With it a log shows whether another member's news had come before this one spoke. */
function logSending({ log, integration }: SendStageOptions, { flush }: Batch): void {
  if (!log.isEnabled('debug')) return;
  const { groupName, integration: kind, index } = integration.receiver;
  log.debug('sending', {
    component: 'dispatcher',
    receiver: groupName,
    integration: `${kind}[${index}]`,
    aggrGroup: flush.groupKey,
  });
}

function isRetryable(error: unknown): boolean {
  return error instanceof DeliveryError && error.retry;
}

function failureReason(error: unknown, signal: StopSignal): FailureReason {
  if (signal.aborted) {
    return signal.reason instanceof TimeoutError ? 'contextDeadlineExceeded' : 'contextCanceled';
  }
  return error instanceof DeliveryError ? error.reason : 'other';
}

function tellFailed(
  { events, integration }: SendStageOptions,
  { flush }: Batch,
  failure: Pick<FailedAttemptEvent, 'attempt' | 'error' | 'isRetried'>,
): void {
  if (!events.isHeard) return;
  events.tell({ kind: 'failed attempt', flush, receiver: integration.receiver, ...failure });
}

function record(
  { clock, events, integration }: SendStageOptions,
  batch: Batch,
  outcome: Pick<NotificationAttempt, 'result' | 'attempts' | 'error'> & {
    readonly startMs: number;
  },
): void {
  if (!events.isHeard) return;
  const { receiver } = integration;
  events.tell({
    kind: 'delivery',
    flush: batch.flush,
    receiver,
    alerts: batch.alerts,
    outcome: {
      timeMs: clock.now(),
      receiver: receiver.groupName,
      integration: `${receiver.integration}[${receiver.index}]`,
      groupKey: batch.flush.groupKey,
      reason: batch.reason,
      firing: batch.firing.length,
      resolved: batch.resolved.length,
      result: outcome.result,
      attempts: outcome.attempts,
      durationMs: Math.round(clock.monotonic() - outcome.startMs),
      error: outcome.error,
    },
  });
}
