import { type Alert, isResolvedAt } from '../alert/alert.ts';
import type { NotifyEvents } from '../events/notify-events.ts';
import type { NotificationLog } from '../nflog/notification-log.ts';
import type { Batch, Stage } from '../notify/batch.ts';
import type { Integration } from '../notify/integration.ts';
import type { Acknowledgements } from './acknowledgements.ts';

export type AcknowledgeStageOptions = {
  readonly acknowledgements: Acknowledgements;
  readonly integration: Integration;
  /** Null when it is only asked what would be. */
  readonly notificationLog: NotificationLog | null;
  readonly events: NotifyEvents;
};

/**
 * Ends the way of a repetition when every alert that fires in it is acknowledged. It is noted as if it had been sent: the
 * log's entry would expire otherwise, after which the group would be notified as if for the first time.
 */
export function acknowledgeStage(options: AcknowledgeStageOptions): Stage {
  const { acknowledgements, integration, notificationLog, events } = options;
  const { receiver } = integration;
  return async (batch) => {
    const by = repetitionWithheldBy(acknowledgements, batch);
    if (by.length === 0) return batch;
    const { flush, firing, resolved, memory } = batch;
    if (events.isHeard) events.tell({ kind: 'acknowledged', flush, receiver, by });
    notificationLog?.write(
      { groupKey: flush.groupKey, receiver, firing, resolved, memory },
      2 * flush.route.settings.repeatIntervalMs,
    );
    return null;
  };
}

/** The ids of the acknowledgements that keep a repetition back; none when it is to be sent. */
function repetitionWithheldBy(
  acknowledgements: Acknowledgements,
  { flush, alerts, reason }: Batch,
): readonly string[] {
  if (reason !== 'repeat interval elapsed') return [];
  const ids = new Set<string>();
  const isFiring = (alert: Alert): boolean => !isResolvedAt(alert, flush.nowMs);
  for (const alert of alerts.filter(isFiring)) {
    const covering = acknowledgements.covering(alert, () => flush.groupKeySpellings);
    if (covering.length === 0) return [];
    for (const { id } of covering) ids.add(id);
  }
  return [...ids];
}
