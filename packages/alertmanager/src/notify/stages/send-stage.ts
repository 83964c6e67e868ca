import { type Clock, errorText, type Random, sleep, TimeoutError } from '@pollux/base';
import type { Log } from '@pollux/telemetry';
import { isResolvedAt } from '../../alert/alert.ts';
import { DeliveryError, type FailureReason } from '../../errors.ts';
import type { AttemptRing } from '../attempt-ring.ts';
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
  readonly attempts: AttemptRing;
  readonly integration: Integration;
  /** Makes the message of the alerts that are sent. May reject when a template of the route fails. */
  readonly compose: (batch: Batch) => Notification;
};

/**
 * Delivers, trying again with growing pauses until the flush's time is over. A receiver that wants no resolved alerts gets
 * the firing ones only; when none is left, nothing is sent and the batch goes on, so that the log learns of the end.
 */
export function sendStage(options: SendStageOptions): Stage {
  const { integration } = options;
  return async (batch) => {
    const alerts = integration.sendResolved
      ? batch.alerts
      : batch.alerts.filter((alert) => !isResolvedAt(alert, batch.flush.nowMs));
    if (alerts.length === 0) return batch;
    await deliver(options, { ...batch, alerts });
    return batch;
  };
}

async function deliver(options: SendStageOptions, batch: Batch): Promise<void> {
  const { clock, metrics, integration, log } = options;
  const name = integration.receiver.integration;
  const startMs = clock.monotonic();
  const tries = { count: 0 };
  metrics.notifications.with(name).inc();
  try {
    await sendUntilAccepted(options, batch, tries);
    record(options, batch, { startMs, attempts: tries.count, error: '' });
  } catch (error) {
    const reason = failureReason(error, batch.flush.signal);
    metrics.failed.with(name, reason).inc();
    record(options, batch, { startMs, attempts: tries.count, error: errorText(error) });
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
): Promise<void> {
  const { clock, random, metrics, integration, log } = options;
  const { signal } = batch.flush;
  const name = integration.receiver.integration;
  const notification = options.compose(batch);
  let pauseMs = FIRST_PAUSE_MS;
  let last: unknown = null;
  for (;;) {
    if (signal.aborted) throw last ?? signal.reason;
    const startMs = clock.monotonic();
    tries.count++;
    metrics.requests.with(name).inc();
    try {
      await integration.send(notification, signal);
      metrics.latency.with(name).observe((clock.monotonic() - startMs) / 1000);
      return;
    } catch (error) {
      metrics.latency.with(name).observe((clock.monotonic() - startMs) / 1000);
      metrics.requestsFailed.with(name).inc();
      if (!(error instanceof DeliveryError && error.retry)) throw error;
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
    pauseMs = Math.min(pauseMs * 1.5, MAX_PAUSE_MS);
  }
}

function failureReason(error: unknown, signal: AbortSignal): FailureReason {
  if (signal.aborted) {
    return signal.reason instanceof TimeoutError ? 'contextDeadlineExceeded' : 'contextCanceled';
  }
  return error instanceof DeliveryError ? error.reason : 'other';
}

function record(
  { clock, attempts, integration }: SendStageOptions,
  batch: Batch,
  outcome: { startMs: number; attempts: number; error: string },
): void {
  attempts.add({
    timeMs: clock.now(),
    receiver: integration.receiver.groupName,
    integration: `${integration.receiver.integration}[${integration.receiver.index}]`,
    groupKey: batch.flush.groupKey,
    reason: batch.reason,
    firing: batch.firing.length,
    resolved: batch.resolved.length,
    result: outcome.error === '' ? 'sent' : 'failed',
    attempts: outcome.attempts,
    durationMs: Math.round(clock.monotonic() - outcome.startMs),
    error: outcome.error,
  });
}
