import { type Alert, isResolvedAt } from '../../alert/alert.ts';
import { OvertakenError } from '../../errors.ts';
import type { NotifyEvents } from '../../events/notify-events.ts';
import type { LogEntry } from '../../nflog/entry.ts';
import type { NotificationLog } from '../../nflog/notification-log.ts';
import type { OwedNotes } from '../../outbox/owed-notes.ts';
import { compareTimes, toMs } from '../../wire/timestamp.ts';
import type { Batch, Flush, Stage } from '../batch.ts';
import type { Integration } from '../integration.ts';
import { type UpdateVerdict, updateVerdict } from '../update-verdict.ts';

/** Ends the way unless the notification log calls for a notification, or an earlier one that it called for is owed still. */
export function dedupStage(
  log: NotificationLog,
  integration: Integration,
  events: NotifyEvents,
  owed: Pick<OwedNotes, 'owedReason'> | null = null,
): Stage {
  return async (given) => {
    const { batch, meanwhile } = upToDate(log, integration, given);
    const { flush, alerts } = batch;
    const toldMs = meanwhile === null ? null : log.arrivedMs(meanwhile);
    if (toldMs !== null) flush.toldByOther(toldMs);
    const asked = { ...batch, ...hashesOf(alerts, flush.nowMs) };
    const asBegun = { ...given, ...hashesOf(given.alerts, given.flush.nowMs) };
    // What has begun since is no reason to tell of it: its own flush does.
    const isFlushDue = meanwhile !== null || verdictOf(log, integration, asBegun).isDue;
    const found = verdictOf(log, integration, isFlushDue ? asked : asBegun);
    const fired = asBegun.firing;
    const isLeft =
      found.isDue && meanwhile !== null && !hasBeginning(asked.firing, fired, meanwhile);
    const verdict: UpdateVerdict = isLeft
      ? { isDue: false, because: 'another member notified meanwhile' }
      : found;
    if (events.isHeard) {
      events.tell({ kind: 'verdict', flush, receiver: integration.receiver, alerts, verdict });
    }
    const reason = verdict.isDue ? verdict.reason : (owed?.owedReason(asked, integration) ?? null);
    if (reason === null && isLeft) throw new OvertakenError();
    if (reason === null) return null;
    // A conversation that begins anew knows nothing of the last one.
    const known = log.find(flush.groupKeySpellings, integration.receiver)?.memory;
    return { ...asked, reason, memory: new Map(reason === 'first notification' ? [] : known) };
  };
}

/** Reads when the group was last notified, so that the dedup stage sees whether somebody did while it waited. */
export function readStage(log: NotificationLog, integration: Integration): Stage {
  return async (batch) => {
    const entry = log.find(batch.flush.groupKeySpellings, integration.receiver);
    return { ...batch, notifiedAt: entry?.timestamp ?? null };
  };
}

/**
 * A flush waits for the members before this one with the alerts of its beginning. When another member has notified in the
 * meantime, it may have told of an end that this flush knows nothing of, and the alert would be sent as firing anew: then
 * the alerts count as they are by now, and only what fires all along is still told. An end would be told without knowing what has
 * begun since; the next flush knows. Otherwise they stay, but for what had ended and has begun anew: an end that is over
 * would be told, and undo what a member found that heard of the new beginning before its flush; and for what fired then, as its end
 * reached this member behind the flush, while another had told that end before: it would be told to fire anew. What fired and has
 * ended while this flush waited for a member that died is still to be told. That somebody notified is seen by a change of the log:
 * clocks of members may differ by much.
 */
function upToDate(
  log: NotificationLog,
  integration: Integration,
  batch: Batch,
): { readonly batch: Batch; readonly meanwhile: LogEntry | null } {
  const { flush, notifiedAt } = batch;
  const entry = log.find(flush.groupKeySpellings, integration.receiver);
  const isOvertaken =
    entry !== null &&
    notifiedAt !== undefined &&
    (notifiedAt === null || compareTimes(entry.timestamp, notifiedAt) > 0);
  if (!isOvertaken) return { batch: withChanges(batch, entry), meanwhile: null };
  const { nowMs, alerts } = flush.latest(batch.alerts);
  return { batch: { ...batch, alerts, flush: { ...flush, nowMs } }, meanwhile: entry };
}

/** Alerts that have begun anew by now, or whose end was told already, are of now; the others stay as they were. */
function withChanges(batch: Batch, entry: LogEntry | null): Batch {
  const { flush, alerts } = batch;
  const hasEnds = (entry?.resolved.length ?? 0) > 0;
  if (!hasEnds && !alerts.some((alert) => isResolvedAt(alert, flush.nowMs))) return batch;
  const { nowMs, alerts: latest } = flush.latest(alerts);
  let hasToldEnd = false;
  const changed = alerts.map((alert, at) => {
    const now = latest[at] ?? alert;
    const isEnded = isResolvedAt(now, nowMs);
    if (isResolvedAt(alert, flush.nowMs)) return isEnded ? alert : now;
    if (!isEnded || !hasEnd(entry, alert)) return alert;
    hasToldEnd = true;
    return now;
  });
  // What fired when the flush began has no end in it, whatever the time.
  return { ...batch, alerts: changed, flush: hasToldEnd ? { ...flush, nowMs } : flush };
}

/** Whether an end of the alert was told since it began. */
function hasEnd(entry: LogEntry | null, { identity, startsAtMs }: Alert): boolean {
  if (entry === null || toMs(entry.timestamp) <= startsAtMs) return false;
  return entry.resolved.includes(identity.hash);
}

/** Whether something fires that fired when the flush began already and was not told. */
function hasBeginning(
  firing: readonly bigint[],
  fired: readonly bigint[],
  entry: LogEntry,
): boolean {
  return firing.some((hash) => fired.includes(hash) && !entry.firing.includes(hash));
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
