import { LIFE_MS, RESEND_MS } from './alert-senders.ts';
import type { Attempt } from './attempts.ts';
import type { ClusterKind } from './cluster-plan.ts';
import type { ClusterWorld } from './cluster-world.ts';
import { excuseOf, excuseOfCalm, latestFlushWallMs } from './excuses.ts';
import type { HeldEntry } from './held-log.ts';
import { isCalledFor, type Told } from './log-rules.ts';
import type { Accepted } from './receiver-double.ts';

/** Wall clocks that differ by less tell the same time. */
const CLOCK_MARGIN_MS = 500;
/** So many excused doubles a run may have per accepted message, besides the first few. */
const FREE_DOUBLES = 3;
const DOUBLES_PER_MESSAGE = 0.34;
/** Each part of a cluster that is cut tells everything for itself, as it should: the number of doubles has no such bound. */
const ALL_TELL_FOR_THEMSELVES: readonly ClusterKind[] = ['cut', 'storm'];

/**
 * The promise of at most one, asked twice. Of every request to a receiver: its sender's own log, as it was on its disk when the
 * message was sent, calls for it (or for an earlier attempt of that sender which failed): nobody tells what it knows to be
 * told. And what was accepted before it, by all members, calls for it: where I4 promises exactly one, nothing else passes;
 * elsewhere the sender's log lacked what another had told, and the record of the run says why it could not have it.
 */
export function tooMany(cluster: ClusterWorld): { problems: string[]; excused: string[] } {
  const problems = cluster.attempts.all
    .filter((attempt) => !isCalledForBySender(cluster, attempt) && !isOwed(cluster, attempt))
    .map((attempt) => `too many: ${told(cluster, attempt)}`);
  const excused: string[] = [];
  const { plan } = cluster;
  let messages = 0;
  for (let group = 0; group < plan.groups; group++) {
    for (let receiver = 0; receiver < plan.sendResolved.length; receiver++) {
      const accepted = cluster.receivers.accepted(group, receiver);
      messages += accepted.length;
      for (const [double, earlier] of doubles(cluster, accepted, receiver)) {
        const excuse = (plan.kind === 'calm' ? excuseOfCalm : excuseOf)(cluster, double, earlier);
        const text = `${shown(cluster, double)} after ${shown(cluster, earlier)}, ${heldText(cluster, double.attempt)}`;
        if (excuse === null) problems.push(`too many: ${text}`);
        else excused.push(`${excuse}: ${text}`);
      }
    }
  }
  const allowed = FREE_DOUBLES + DOUBLES_PER_MESSAGE * messages;
  if (excused.length > allowed && !ALL_TELL_FOR_THEMSELVES.includes(plan.kind)) {
    problems.push(`too many: ${excused.length} excused doubles among ${messages} messages`);
  }
  return { problems, excused };
}

/** Whether the sender's log called for the request when it was sent. */
function isCalledForBySender(cluster: ClusterWorld, attempt: Attempt): boolean {
  const { plan } = cluster;
  const { held, sentMs, member } = attempt;
  // It counts from when its flush began; a clock may have been set back since.
  const asked = { ...attempt, atMs: latestFlushWallMs(cluster, attempt) };
  const options = { repeatIntervalMs: plan.repeatIntervalMs };
  if (held === null) return isCalledFor(null, asked, options);
  if (isCalledFor(toldBy(held), asked, options)) return true;
  // The file is written anew now and then; what has expired is forgotten before that.
  const hasExpired = held.expiresMs <= cluster.latestWallMs(member, cluster.startMs, sentMs);
  return hasExpired && isCalledFor(null, asked, options);
}

function toldBy({ firing, resolved, stampMs }: HeldEntry): Told {
  return { firing: new Set(firing), resolved: new Set(resolved), atMs: stampMs };
}

/** Whether an attempt of the sender failed that its log called for: the outbox tells it, as it is by now. */
function isOwed(cluster: ClusterWorld, attempt: Attempt): boolean {
  const { member, group, receiver, sentMs, held } = attempt;
  const sinceMs = held?.stampMs ?? -Infinity;
  return cluster.attempts.all.some(
    (one) =>
      one.member === member &&
      one.group === group &&
      one.receiver === receiver &&
      one !== attempt &&
      one.sentMs <= sentMs &&
      !one.isTaken &&
      latestFlushWallMs(cluster, one) > sinceMs,
  );
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
    const before =
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
      isCalledFor(before, asked, { repeatIntervalMs }) ||
      (plan.sendResolved[receiver] === false && wasSilentEnd(cluster, message, earlier));
    if (!isNews && earlier !== null) yield [message, earlier];
    earlier = message;
  }
}

/**
 * A receiver that wants no ends hears nothing of one, yet the log notes it: what fires anew is a first message again. So is
 * what ended by itself, as no server reached a member, and is repeated later, and what has ended by another member's clock
 * while by that of the sender its end lies ahead, which then waits for the servers to repeat it.
 */
function wasSilentEnd(cluster: ClusterWorld, message: Accepted, earlier: Accepted | null): boolean {
  const { held } = message.attempt;
  if (earlier === null || held === null) return false;
  const fromMs = earlier.acceptedMs;
  return message.firing.some(
    (alert) =>
      !held.firing.includes(alert) &&
      (cluster.senders.firedAnew(alert, fromMs) ||
        mayEndByItself(cluster, held.stampMs) ||
        isEndOpen(cluster, alert, message.attempt.sentMs)),
  );
}

/** Whether members whose clocks differ may still disagree on whether an alert has ended. */
function isEndOpen(cluster: ClusterWorld, alert: string, atMs: number): boolean {
  const spreadMs = clockSpreadMs(cluster);
  return spreadMs > CLOCK_MARGIN_MS && cluster.senders.hasEnded(alert, atMs - spreadMs - RESEND_MS);
}

/** Whether servers were cut off from members for so long then that alerts ran out. */
function mayEndByItself(cluster: ClusterWorld, atMs: number): boolean {
  const has = (hosts: readonly string[], kind: string): boolean =>
    hosts.some((host) => host.startsWith(kind));
  return cluster.cuts.some(
    ({ from, to, fromMs, toMs }) =>
      ((has(from, 'server') && has(to, 'm')) || (has(from, 'm') && has(to, 'server'))) &&
      fromMs <= atMs - (LIFE_MS - RESEND_MS) &&
      (toMs ?? Infinity) >= atMs - RESEND_MS,
  );
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

function told(cluster: ClusterWorld, attempt: Attempt): string {
  const { member, group, receiver, firing, resolved } = attempt;
  return `${member} to r${receiver} of g${group} firing[${firing}] resolved[${resolved}], ${heldText(cluster, attempt)}`;
}

/** What the sender's log said, for people. */
function heldText(cluster: ClusterWorld, { member, held, sentMs }: Attempt): string {
  const said =
    held === null
      ? 'nothing'
      : `firing[${held.firing}] resolved[${held.resolved}] of ${(held.stampMs - cluster.startMs).toFixed(0)} ms by the clock of who told it`;
  return `sent at ${sentMs - cluster.startMs} ms when the log of ${member} had ${said}`;
}
