import { isResolvedAt } from '../../alert/alert.ts';
import type { LogEntry } from '../../nflog/entry.ts';
import type { NotificationLog } from '../../nflog/notification-log.ts';
import { toMs } from '../../wire/timestamp.ts';
import type { Batch, Stage } from '../batch.ts';
import type { Integration } from '../integration.ts';
import type { NotificationReason } from '../notification.ts';

/** Ends the way unless the notification log calls for a notification. */
export function dedupStage(log: NotificationLog, integration: Integration): Stage {
  return async (batch) => {
    const { flush, alerts } = batch;
    const firing: bigint[] = [];
    const resolved: bigint[] = [];
    for (const alert of alerts) {
      (isResolvedAt(alert, flush.nowMs) ? resolved : firing).push(alert.identity.hash);
    }
    const asked = { ...batch, firing, resolved };
    const reason = dueReason(log, integration, asked);
    if (reason === null) return null;
    // A conversation that begins anew knows nothing of the last one.
    const known = log.find(flush.groupKeySpellings, integration.receiver)?.memory;
    return { ...asked, reason, memory: new Map(reason === 'first notification' ? [] : known) };
  };
}

/** What the log calls for now; another member may have notified since the last look. */
export function dueReason(
  log: NotificationLog,
  integration: Integration,
  { flush, firing, resolved }: Batch,
): NotificationReason | null {
  return needsUpdate(log.find(flush.groupKeySpellings, integration.receiver), {
    firing,
    resolved,
    sendResolved: integration.sendResolved,
    nowMs: flush.nowMs,
    repeatIntervalMs: flush.route.settings.repeatIntervalMs,
  });
}

export type UpdateQuestion = {
  readonly firing: readonly bigint[];
  readonly resolved: readonly bigint[];
  readonly sendResolved: boolean;
  readonly nowMs: number;
  readonly repeatIntervalMs: number;
};

/** Why a notification is due, or null when none is. The rules are those of every member of the cluster. */
export function needsUpdate(
  entry: LogEntry | null,
  { firing, resolved, sendResolved, nowMs, repeatIntervalMs }: UpdateQuestion,
): NotificationReason | null {
  if (entry === null) return firing.length > 0 ? 'first notification' : null;
  if (!isSubset(firing, entry.firing)) {
    return entry.firing.length === 0 ? 'first notification' : 'new alerts added';
  }
  if (firing.length === 0) return entry.firing.length > 0 ? 'all alerts resolved' : null;
  if (sendResolved && !isSubset(resolved, entry.resolved)) return 'some alerts resolved';
  return toMs(entry.timestamp) < nowMs - repeatIntervalMs ? 'repeat interval elapsed' : null;
}

function isSubset(part: readonly bigint[], whole: readonly bigint[]): boolean {
  const set = new Set(whole);
  return part.every((item) => set.has(item));
}
