import { ALWAYS_REACHED } from './cluster-plan.ts';
import { type ClusterWorld, type Cut, type Life, MAINTENANCE_MS } from './cluster-world.ts';
import { isCalledFor } from './log-rules.ts';
import { gossipBoundMs, repairBoundMs, settleBoundMs } from './promises.ts';
import type { Accepted } from './receiver-double.ts';

/**
 * The causes that excuse a message which the rules did not call for:
 * `owed`     an attempt in between did not get through: what it had to tell is told by the outbox, as it is by then
 * `died`     who told it before died, or ended, before the others could have heard of it
 * `unheard`  the answer to who told it before was cut off or came too late for it to know
 * `cut`      members did not all hear each other from then on for as long as it takes to repair that
 * `under way` two members told it within the time that gossip takes: their timers are apart, as one began later, or one tries again
 * `lost`     datagrams are lost in this run, and no exchange of whole states has repaired it yet
 * `missed`   gossip, which draws its targets by chance in a larger cluster, left a member out, and nothing has repaired it yet
 * `clock`    clocks are wrong by more than the peer timeout, so that members disagree on what is newer
 */
export type Excuse =
  | 'owed'
  | 'died'
  | 'unheard'
  | 'cut'
  | 'under way'
  | 'lost'
  | 'missed'
  | 'clock';

/** So many excused doubles a run may have per accepted message, besides the first few. */
const FREE_DOUBLES = 3;
const DOUBLES_PER_MESSAGE = 0.34;

/**
 * The promise of at most one: every accepted message is called for by what was accepted before it, by the rules of the
 * notification log. Where I4 promises exactly one, nothing else passes; elsewhere every double needs one of the excuses.
 */
export function tooMany(cluster: ClusterWorld): { problems: string[]; excused: string[] } {
  const problems: string[] = [];
  const excused: string[] = [];
  const { plan } = cluster;
  let messages = 0;
  for (let group = 0; group < plan.groups; group++) {
    for (let receiver = 0; receiver < plan.sendResolved.length; receiver++) {
      const accepted = cluster.receivers.accepted(group, receiver);
      messages += accepted.length;
      for (const [double, earlier] of doubles(cluster, accepted, receiver)) {
        const excuse = plan.kind === 'calm' ? null : excuseOf(cluster, double, earlier);
        const text = `${shown(cluster, double)} after ${shown(cluster, earlier)}`;
        if (excuse === null) problems.push(`too many: ${text}`);
        else excused.push(`${excuse}: ${text}`);
      }
    }
  }
  const allowed = FREE_DOUBLES + DOUBLES_PER_MESSAGE * messages;
  if (excused.length > allowed && plan.kind !== 'storm') {
    problems.push(`too many: ${excused.length} excused doubles among ${messages} messages`);
  }
  return { problems, excused };
}

/** Messages that were not called for, each with the one before it. */
function* doubles(
  cluster: ClusterWorld,
  accepted: readonly Accepted[],
  receiver: number,
): Generator<[Accepted, Accepted]> {
  const { plan } = cluster;
  let earlier: Accepted | null = null;
  for (const message of accepted) {
    const told =
      earlier === null
        ? null
        : {
            firing: new Set(earlier.firing),
            resolved: new Set(earlier.resolved),
            atMs: earlier.acceptedMs,
          };
    // Stamps of members differ by what their clocks are apart; a flush counts from its beginning, which lies before.
    const repeatIntervalMs = plan.repeatIntervalMs - clockSpreadMs(cluster);
    const asked = { ...message, atMs: message.beganMs };
    const isNews =
      isCalledFor(told, asked, { repeatIntervalMs }) ||
      (plan.sendResolved[receiver] === false && wasSilentEnd(cluster, message, earlier));
    if (!isNews && earlier !== null) yield [message, earlier];
    earlier = message;
  }
}

/** A receiver that wants no ends hears nothing of one, yet the log notes it: what fires anew is a first message again. */
function wasSilentEnd(cluster: ClusterWorld, message: Accepted, earlier: Accepted | null): boolean {
  if (earlier === null) return false;
  return message.firing.some((alert) => cluster.senders.firedAnew(alert, earlier.acceptedMs));
}

function excuseOf(cluster: ClusterWorld, double: Accepted, earlier: Accepted): Excuse | null {
  const { plan } = cluster;
  const gossipMs = gossipBoundMs(plan);
  if (wasOwed(cluster, double, earlier)) return 'owed';
  if (isLostWithDead(cluster, earlier)) return 'died';
  const isCutOff = (cut: Cut): boolean =>
    touches(cut, 'sink', earlier.member) &&
    cut.fromMs <= earlier.acceptedMs + plan.link.maxDelayMs &&
    (cut.toMs ?? Infinity) >= earlier.beganMs;
  if (cluster.cuts.some(isCutOff)) return 'unheard';
  if (earlier.acceptedMs - earlier.beganMs >= plan.slowAnswerMs) return 'unheard';
  if (longestWholeMs(cluster, earlier.acceptedMs, double.beganMs) < repairBoundMs(plan)) {
    const wasCut = cluster.cuts.some(
      (cut) =>
        isAmongMembers(cut) &&
        cut.fromMs <= double.beganMs &&
        (cut.toMs ?? Infinity) >= earlier.beganMs - repairBoundMs(plan),
    );
    if (wasCut) return 'cut';
    if (plan.link.loss > 0) return 'lost';
    if (plan.members > ALWAYS_REACHED) return 'missed';
  }
  if (double.beganMs <= earlier.acceptedMs + gossipMs) return 'under way';
  if (clockSpreadMs(cluster) > 1_000) return 'clock';
  return null;
}

function wasOwed(cluster: ClusterWorld, double: Accepted, earlier: Accepted): boolean {
  return cluster.receivers.deliveries.some(
    ({ group, receiver, acceptedMs, beganMs }) =>
      group === double.group &&
      receiver === double.receiver &&
      acceptedMs === null &&
      beganMs >= earlier.beganMs &&
      beganMs < double.beganMs,
  );
}

/** Whether who told it died before gossip can have carried that on, or all who heard of it before it was on a disk. */
function isLostWithDead(cluster: ClusterWorld, { member, beganMs, acceptedMs }: Accepted): boolean {
  const diedMs = (life: Life): number => life.toMs ?? Infinity;
  const lived = cluster.lives.filter((life) => life.fromMs <= beganMs && diedMs(life) >= beganMs);
  const teller = lived.find((life) => life.member === member);
  if (teller !== undefined && diedMs(teller) <= acceptedMs + gossipBoundMs(cluster.plan))
    return true;
  return lived.every((life) => diedMs(life) <= acceptedMs + MAINTENANCE_MS);
}

/** The longest time within a span in which all members that lived had settled and heard each other. */
function longestWholeMs(cluster: ClusterWorld, fromMs: number, toMs: number): number {
  const broken = cluster.cuts
    .filter(isAmongMembers)
    .map((cut) => ({ fromMs: cut.fromMs, toMs: cut.toMs ?? toMs }));
  for (const { fromMs: beganMs } of cluster.lives) {
    broken.push({ fromMs: beganMs, toMs: beganMs + settleBoundMs(cluster.plan) });
  }
  broken.sort((a, b) => a.fromMs - b.fromMs);
  let atMs = fromMs;
  let longest = 0;
  for (const { fromMs: from, toMs: to } of broken) {
    if (to < atMs || from > toMs) continue;
    longest = Math.max(longest, from - atMs);
    atMs = Math.max(atMs, to);
  }
  return Math.max(longest, toMs - atMs);
}

function isAmongMembers(cut: Cut): boolean {
  return (
    cut.from.some((host) => host.startsWith('m')) && cut.to.some((host) => host.startsWith('m'))
  );
}

function touches(cut: Cut, a: string, b: string): boolean {
  const has = (hosts: readonly string[], other: readonly string[]): boolean =>
    hosts.includes(a) && other.includes(b);
  return has(cut.from, cut.to) || has(cut.to, cut.from);
}

/** How far apart the wall clocks were at most, ms. */
export function clockSpreadMs({ plan }: ClusterWorld): number {
  const leaps = plan.steps.flatMap(({ event }) => (event.kind === 'clock' ? [event.aheadMs] : []));
  const all = [0, ...plan.aheadMs, ...leaps];
  return Math.max(...all) - Math.min(...all);
}

export function shown(cluster: ClusterWorld, message: Accepted): string {
  const { member, group, receiver, firing, resolved, beganMs, acceptedMs } = message;
  const at = (ms: number): number => ms - cluster.startMs;
  return `${member} to r${receiver} of g${group} firing[${firing}] resolved[${resolved}] at ${at(beganMs)}-${at(acceptedMs)} ms`;
}
