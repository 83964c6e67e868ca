import { isResolvedAt } from '../../alert/alert.ts';
import type { RestoredAlerts } from '../../durable/downtime.ts';
import type { NotificationLog } from '../../nflog/notification-log.ts';
import { groupName, type Stage } from '../batch.ts';
import type { Integration } from '../integration.ts';

/** Leaves out alerts of before a restart of which it is doubtful whether they are still as they were. */
export function doubtStage(
  log: NotificationLog,
  { receiver }: Pick<Integration, 'receiver'>,
  restored: () => RestoredAlerts | null,
): Stage {
  return async (batch) => {
    const doubts = restored();
    if (doubts === null) return batch;
    const { nowMs, groupKeySpellings } = batch.flush;
    const group = groupName(batch.flush);
    const entry = log.find(groupKeySpellings, receiver);
    const isFromMember = entry !== null && log.isFromMember(entry);
    const alerts = batch.alerts.filter((alert) => {
      const isFiring = !isResolvedAt(alert, nowMs);
      return !doubts.isDoubted(alert, entry, { group, isFiring, isFromMember, nowMs });
    });
    return alerts.length === batch.alerts.length ? batch : { ...batch, alerts };
  };
}
