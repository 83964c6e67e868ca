import type { NotificationLog } from '../../nflog/notification-log.ts';
import type { OwedNotes } from '../../outbox/owed-notes.ts';
import type { Stage } from '../batch.ts';
import type { Integration } from '../integration.ts';

/** Notes the notification in the log that all members share. Runs only after the send stage succeeded. */
export function logStage(
  log: NotificationLog,
  integration: Integration,
  owed: Pick<OwedNotes, 'delivered'>,
): Stage {
  return async (batch) => {
    const { flush, firing, resolved, memory } = batch;
    log.write(
      { groupKey: flush.groupKey, receiver: integration.receiver, firing, resolved, memory },
      2 * flush.route.settings.repeatIntervalMs,
    );
    owed.delivered(flush, integration);
    return batch;
  };
}
