import type { Finding, FindingKind } from '../finding.ts';
import type { Alarm, FaultKind, Notification } from '../record.ts';
import {
  EVALUATION_MS,
  FOR_MS,
  GROUP_INTERVAL_MS,
  GROUP_WAIT_MS,
  LOOKBACK_MS,
  NEIGHBOURS_MS,
  PEER_TIMEOUT_MS,
  SCRAPE_MS,
  SLACK_MS,
} from '../times.ts';
import type { Truth } from '../truth.ts';

/** From the rise to the message: seen, evaluated, `for`, seen again, group_wait, and the turn of the second member. */
const FIRING_MS =
  SCRAPE_MS + 2 * EVALUATION_MS + FOR_MS + GROUP_WAIT_MS + PEER_TIMEOUT_MS + SLACK_MS;
/** The end waits for the group's next turn. */
const RESOLVED_MS = SCRAPE_MS + EVALUATION_MS + GROUP_INTERVAL_MS + PEER_TIMEOUT_MS + SLACK_MS;
/** A member that dies so soon after a delivery may not have told of it. */
const TOLD_MS = 2_000;
/** Members that lost each other try again every ten seconds. */
const REJOINED_MS = 12_000;
/** A silence has reached both members by then. */
const SILENCE_SPREAD_MS = 1_000;

/**
 * Each alarm is told once when it rises and once when it ends, in time; a silenced one is not. A second message is allowed where the first
 * came from a member that was killed or stopped before it can have told of it, or where one of the two was cut off meanwhile.
 */
export function judgeNotifications(truth: Truth): Finding[] {
  return truth.record.alarms.flatMap((alarm) => judgeAlarm(truth, alarm));
}

function judgeAlarm(truth: Truth, alarm: Alarm): Finding[] {
  const { notifications, silences } = truth.record;
  const all = notifications
    .filter(({ id }) => id === alarm.id)
    .sort((left, right) => left.atMs - right.atMs);
  if (alarm.isSilenced) {
    const silence = silences.find(({ id }) => id === alarm.id);
    // A silence that was not taken is told as a failed question; the alarm is then told as any.
    if (silence !== undefined && silence.acknowledgedMs !== null) {
      const fromMs = silence.acknowledgedMs + SILENCE_SPREAD_MS;
      return all
        .filter(({ atMs }) => atMs >= fromMs && atMs < silence.endsMs)
        .map((one) => finding('silenced-told', one.atMs, false, told(one)));
    }
  }
  const endedMs = all.find(
    ({ status, atMs }) => status === 'resolved' && atMs >= alarm.fallMs,
  )?.atMs;
  const overMs = Math.min(endedMs ?? Number.POSITIVE_INFINITY, alarm.fallMs + RESOLVED_MS);
  // `resolved` while the alarm is up is untrue, and so is `firing` after its end was told, or should have been.
  const isTrue = ({ status, atMs }: Notification): boolean =>
    status === 'resolved' ? atMs >= alarm.fallMs : atMs <= overMs;
  const untrue = all.filter((one) => !isTrue(one));
  const [firing, resolved] = (['firing', 'resolved'] as const).map((status) =>
    all.filter((one) => one.status === status && isTrue(one)),
  );
  const early = untrue.filter(({ status }) => status === 'resolved').at(-1);
  const ofEnd = once(
    truth,
    all,
    resolved ?? [],
    `resolved of alarm ${alarm.id}`,
    alarm.fallMs + RESOLVED_MS,
  );
  return [
    ...untrue.map((one) => {
      const why = excuseOfUntrue(truth, alarm, one);
      return finding(
        'untrue',
        one.atMs,
        why !== null,
        `${told(one)}: ${why ?? 'nothing explains it'}`,
      );
    }),
    ...once(truth, all, firing ?? [], `firing of alarm ${alarm.id}`, alarm.riseMs + FIRING_MS),
    // Nothing is left to be told when the end was told too early, and the alarm was not told again before it came.
    ...(resolved?.length === 0 && early !== undefined && early === all.at(-1)
      ? ofEnd.map((one) => ({ ...one, isAllowed: excuseOfUntrue(truth, alarm, early) !== null }))
      : ofEnd),
  ];
}

/**
 * A server whose targets cannot be reached no longer has the series that its rules look at, and says that their alerts have ended, as
 * Prometheus does. The other says that they go on; the last word before the group's turn is told. A member that was stopped while
 * another told the end knows of neither when it goes on. Rules of a server whose disk is full look at the last sample that it could
 * store, for the lookback at most, and it says that an alarm goes on that has ended since.
 */
function excuseOfUntrue(
  truth: Truth,
  { fallMs }: Alarm,
  { status, atMs, from }: Notification,
): string | null {
  const full = truth.record.faults.find(
    ({ kind, fromMs, recoveredMs }) =>
      status === 'firing' &&
      kind === 'full-disk' &&
      fallMs >= fromMs - NEIGHBOURS_MS &&
      fallMs <= recoveredMs &&
      atMs <= Math.min(fromMs + LOOKBACK_MS, recoveredMs) + SCRAPE_MS + 2 * EVALUATION_MS,
  );
  if (full !== undefined) return `server ${full.host}, whose disk was full, said so`;
  const fault = truth.record.faults.find(({ kind, processes, fromMs, endedMs }) => {
    const isBehind = fromMs <= atMs && endedMs + RESOLVED_MS >= atMs;
    if (status === 'resolved') return (kind === 'cut-link' || kind === 'cut-host') && isBehind;
    return isAway(kind) && processes.includes(`${from}/alertmanager`) && isBehind;
  });
  if (fault === undefined) return null;
  return status === 'resolved'
    ? `server ${fault.host}, which was cut off from its targets, said so`
    : `${from} was stopped or cut off meanwhile`;
}

/** Members go on with what they knew when it ends. */
function isAway(kind: FaultKind): boolean {
  return kind === 'pause-process' || kind === 'silent-host' || isCut(kind);
}

function isCut(kind: FaultKind): boolean {
  return kind === 'cut-host' || kind === 'partition';
}

function once(
  truth: Truth,
  all: readonly Notification[],
  ofStatus: readonly Notification[],
  what: string,
  dueMs: number,
): Finding[] {
  const [first, ...more] = ofStatus;
  if (first === undefined) {
    // What was due behind the end may still have come.
    const isDue = dueMs <= truth.record.toMs;
    return isDue ? [finding('lost', dueMs, false, `${what} was never told`)] : [];
  }
  const late =
    first.atMs <= dueMs
      ? []
      : [finding('late', first.atMs, false, `${told(first)} ${first.atMs - dueMs} ms late`)];
  return [
    ...late,
    ...more.map((again, index) => {
      const before = ofStatus[index] ?? first;
      const why = excuse(truth, all, before, again);
      const sinceMs = again.atMs - before.atMs;
      return finding(
        'doubled',
        again.atMs,
        why !== null,
        `${told(again)} again, ${sinceMs} ms after ${before.from}: ${why ?? 'nothing explains it'}`,
      );
    }),
  ];
}

/** Why a message may have been sent again; null when nothing explains it. */
function excuse(
  truth: Truth,
  all: readonly Notification[],
  first: Notification,
  again: Notification,
): string | null {
  const between = all.find(
    ({ atMs, status }) => atMs > first.atMs && atMs < again.atMs && status !== first.status,
  );
  if (between !== undefined) return `${between.status} was told between the two`;
  for (const outage of truth.record.outages[`${first.from}/alertmanager`] ?? []) {
    const afterMs = outage.fromMs - first.atMs;
    if (afterMs >= 0 && afterMs <= TOLD_MS && outage.fromMs <= again.atMs)
      return `${first.from} fell ${afterMs} ms after the first`;
  }
  const cut = truth.record.faults.find(
    ({ kind, processes, fromMs, endedMs }) =>
      isAway(kind) &&
      processes.some((name) => name.endsWith('/alertmanager')) &&
      fromMs <= again.atMs &&
      endedMs + (isCut(kind) ? REJOINED_MS : 0) >= first.atMs,
  );
  if (cut === undefined) return null;
  return cut.kind === 'partition'
    ? 'the alertmanagers did not reach each other'
    : `an alertmanager of ${cut.host} was stopped or cut off meanwhile`;
}

function told({ id, status, from }: Notification): string {
  return `${status} of alarm ${id} from ${from}`;
}

function finding(kind: FindingKind, atMs: number, isAllowed: boolean, text: string): Finding {
  return { kind, atMs, secondsMs: [], isAllowed, text };
}
