import type { LogEntry } from '../nflog/entry.ts';
import { toMs } from '../wire/timestamp.ts';
import type { NotificationReason } from './notification.ts';

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
      readonly because:
        | 'nothing fires and nothing was notified'
        | 'its end was notified'
        | 'another member notified meanwhile';
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
