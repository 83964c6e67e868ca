import { type Alert, isResolvedAt } from '../../alert/alert.ts';
import type { NotifyEvents } from '../../events/notify-events.ts';
import type { LogEntry } from '../../nflog/entry.ts';
import type { NotificationLog } from '../../nflog/notification-log.ts';
import { toMs } from '../../wire/timestamp.ts';
import type { Batch, Flush, Stage } from '../batch.ts';
import type { Integration } from '../integration.ts';
import type { NotificationReason } from '../notification.ts';

/** Ends the way unless the notification log calls for a notification. */
export function dedupStage(
  log: NotificationLog,
  integration: Integration,
  events: NotifyEvents,
): Stage {
  return async (batch) => {
    const { flush, alerts } = batch;
    const asked = { ...batch, ...hashesOf(alerts, flush.nowMs) };
    const verdict = verdictOf(log, integration, asked);
    if (events.isHeard) {
      events.tell({ kind: 'verdict', flush, receiver: integration.receiver, alerts, verdict });
    }
    if (!verdict.isDue) return null;
    // A conversation that begins anew knows nothing of the last one.
    const { reason } = verdict;
    const known = log.find(flush.groupKeySpellings, integration.receiver)?.memory;
    return { ...asked, reason, memory: new Map(reason === 'first notification' ? [] : known) };
  };
}

/** The hashes by which the log knows the alerts of a flush. */
export function hashesOf(
  alerts: readonly Alert[],
  nowMs: number,
): { readonly firing: readonly bigint[]; readonly resolved: readonly bigint[] } {
  const firing: bigint[] = [];
  const resolved: bigint[] = [];
  for (const alert of alerts) {
    (isResolvedAt(alert, nowMs) ? resolved : firing).push(alert.identity.hash);
  }
  return { firing, resolved };
}

/** What the log calls for now; another member may have notified since the last look. */
export function verdictOf(
  log: NotificationLog,
  integration: Pick<Integration, 'receiver' | 'sendResolved'>,
  batch: Pick<Batch, 'firing' | 'resolved'> & {
    readonly flush: Pick<Flush, 'groupKeySpellings' | 'nowMs' | 'route'>;
  },
): UpdateVerdict {
  const { flush, firing, resolved } = batch;
  return updateVerdict(log.find(flush.groupKeySpellings, integration.receiver), {
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

/** Whether a notification is due, and why or why not. */
export type UpdateVerdict =
  | { readonly isDue: true; readonly reason: NotificationReason }
  | {
      readonly isDue: false;
      readonly because: 'nothing fires and nothing was notified' | 'its end was notified';
    }
  | {
      readonly isDue: false;
      readonly because: 'notified already';
      /** From then on it is repeated, ms. */
      readonly repeatAtMs: number;
    };

const due = (reason: NotificationReason): UpdateVerdict => ({ isDue: true, reason });

/** The rules are those of every member of the cluster. */
export function updateVerdict(
  entry: LogEntry | null,
  { firing, resolved, sendResolved, nowMs, repeatIntervalMs }: UpdateQuestion,
): UpdateVerdict {
  if (entry === null) {
    if (firing.length > 0) return due('first notification');
    return { isDue: false, because: 'nothing fires and nothing was notified' };
  }
  if (!isSubset(firing, entry.firing)) {
    return due(entry.firing.length === 0 ? 'first notification' : 'new alerts added');
  }
  if (firing.length === 0) {
    if (entry.firing.length > 0) return due('all alerts resolved');
    return { isDue: false, because: 'its end was notified' };
  }
  if (sendResolved && !isSubset(resolved, entry.resolved)) return due('some alerts resolved');
  const repeatAtMs = toMs(entry.timestamp) + repeatIntervalMs;
  if (repeatAtMs < nowMs) return due('repeat interval elapsed');
  return { isDue: false, because: 'notified already', repeatAtMs };
}

function isSubset(part: readonly bigint[], whole: readonly bigint[]): boolean {
  const set = new Set(whole);
  return part.every((item) => set.has(item));
}
