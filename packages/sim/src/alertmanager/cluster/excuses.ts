import type { Attempt } from './attempts.ts';
import { ALWAYS_REACHED, type ClusterPlan, hostName } from './cluster-plan.ts';
import type { ClusterWorld, Cut, Life } from './cluster-world.ts';
import {
  gossipBoundMs,
  gossipRoundsMs,
  MIN_FLUSH_MS,
  repairBoundMs,
  settleBoundMs,
} from './promises.ts';
import type { Accepted } from './receiver-double.ts';

/**
 * Why the log of a message's sender lacked what was told before, by the record of the run:
 * `owed`        the sender's own earlier attempt had failed: the outbox tells what is left of it
 * `died`        who told it died before it knew that it was accepted, or before the others could have heard or stored it
 * `unheard`     the answer to who told it was cut off or came too late for it to know, also as the time of its flush was over
 * `under way`   it was told within the time that the news take: their timers are apart, as one began later, or one tries again
 * `overwritten` two told at once, and the log keeps the one whose clock is ahead; what only the other told is missing in it
 * `behind`      the clock of who told it was behind: its stamp lies before an earlier attempt of the sender that failed, whose content counts
 *             as news still
 * `expired`     a wall clock was past the life of the entry
 * `alone`       the sender came up behind it, and nobody who had heard of it, or had heard of it from such a one, was up since together
 *             with the sender
 * `cut`         members did not all hear each other from then on for as long as it takes to repair that
 * `lost`        the datagram to the sender was lost that had the news, and no exchange of whole states has repaired it yet
 * `missed`      gossip, which draws its targets by chance in a larger cluster, left the sender out, and nothing has repaired it yet
 * `out of turn` the first kept silent, as a change of a silence was on its way or an end reached it behind its flush, and of those behind
 *             it one stood still past its turn: two things that the promise of exactly one excludes
 */
export type Excuse =
  | 'owed'
  | 'died'
  | 'unheard'
  | 'under way'
  | 'overwritten'
  | 'behind'
  | 'expired'
  | 'alone'
  | 'cut'
  | 'lost'
  | 'missed'
  | 'out of turn';

/** What a member was told is on its disk within this time. */
const DURABLE_MS = 1_500;
/** Changes within this time go round together. */
const JOINED_MS = 100;
/** A server tells of an end at its next evaluation, within this time. */
const ENDS_TOLD_MS = 1_000;
/** Stamps are kept to the nanosecond, times of the world to less. */
const STAMP_TOLERANCE_MS = 0.01;

/** Null when nothing excuses that the message was sent although it was not called for after the earlier one. */
export function excuseOf(
  cluster: ClusterWorld,
  double: Accepted,
  earlier: Accepted,
): Excuse | null {
  const { plan } = cluster;
  const sentMs = double.attempt.sentMs;
  if (hasFailedBefore(cluster, double, earlier)) return 'owed';
  if (isOvertakenByRetry(double, earlier)) return 'unheard';
  const { isTaken, endedMs } = earlier.attempt;
  if (!isTaken || endedMs === null) return excuseOfUnknown(cluster, earlier);
  if (isLostWithDead(cluster, earlier.attempt)) return 'died';
  if (isOverwritten(cluster, double, earlier)) return 'overwritten';
  if (isStampBehind(cluster, double, earlier)) return 'behind';
  if (mayHaveExpired(cluster, double.member, { told: earlier, untilMs: sentMs })) return 'expired';
  // Whoever told it has noted it: nothing below keeps that from its own log.
  if (double.member === earlier.member) return null;
  if (sentMs <= endedMs + newsBoundMs(plan)) return 'under way';
  if (isUnknownTo(cluster, double.attempt, endedMs)) return 'alone';
  if (longestWholeMs(cluster, endedMs, sentMs) >= repairBoundMs(plan)) return null;
  const wasCut = cluster.cuts.some(
    (cut) =>
      isAmongMembers(cut) &&
      cut.fromMs <= sentMs &&
      (cut.toMs ?? Infinity) >= earlier.beganMs - repairBoundMs(plan),
  );
  if (wasCut) return 'cut';
  if (wasNewsLost(cluster, earlier.attempt, double.member)) return 'lost';
  return plan.members > ALWAYS_REACHED ? 'missed' : null;
}

/**
 * The one excuse where the promise is exactly one: members did not hold the same silences or alerts when the group was due, so that who is
 * first did not tell, and the time without the processor of who told instead, with its delivery and its news, was longer than the peer
 * timeout.
 */
export function excuseOfCalm(
  cluster: ClusterWorld,
  double: Accepted,
  earlier: Accepted,
): Excuse | null {
  const { plan } = cluster;
  const both = [double, earlier];
  const first = hostName('m', 0);
  if (both.some(({ member }) => member === first)) return null;
  const dueMs = Math.min(...both.map((one) => one.attempt.sentMs - waitMs(cluster, one)));
  if (
    !wasSilenceOnItsWay(cluster, double.group, dueMs) &&
    !wasToldTooEarly(cluster, double, dueMs)
  ) {
    return null;
  }
  const isPastTurn = both.some(({ member, attempt, acceptedMs }) => {
    const stoodMs = cluster.stalls
      .filter((stall) => stall.member === member)
      .map(({ fromMs, toMs }) => Math.min(toMs, attempt.sentMs) - Math.max(fromMs, dueMs))
      .reduce((sumMs, ms) => sumMs + Math.max(0, ms), 0);
    const tellsMs = acceptedMs - attempt.sentMs + newsBoundMs(plan);
    return stoodMs > 0 && stoodMs + tellsMs >= plan.peerTimeoutMs;
  });
  return isPastTurn ? 'out of turn' : null;
}

/** Whether a silence of the group was begun or ended so shortly before that members may differ on it. */
function wasSilenceOnItsWay(cluster: ClusterWorld, group: number, dueMs: number): boolean {
  const boundMs = gossipBoundMs(cluster.plan);
  return cluster.silences.some(
    (silence) =>
      silence.group === group &&
      [silence.askedMs, silence.endAskedMs].some(
        (ms) => ms !== null && ms <= dueMs && ms >= dueMs - boundMs,
      ),
  );
}

/**
 * Whether the first told what had ended already, as the end reached it only behind its flush: for others, which knew of it, the group was
 * over by then and begins anew with what fires next, while the first tells of that an interval later.
 */
function wasToldTooEarly(
  { attempts, senders, plan }: ClusterWorld,
  { group, receiver }: Accepted,
  dueMs: number,
): boolean {
  const last = attempts.all.findLast(
    (one) =>
      one.member === hostName('m', 0) &&
      one.group === group &&
      one.receiver === receiver &&
      one.sentMs <= dueMs,
  );
  if (last === undefined || last.sentMs < dueMs - plan.groupIntervalMs) return false;
  return last.firing.some((alert) => {
    const endedMs = senders.lastEndMs(alert, last.sentMs);
    return endedMs !== null && endedMs >= last.sentMs - ENDS_TOLD_MS - 2 * plan.link.maxDelayMs;
  });
}

/** How long a member waits for those before it. */
function waitMs({ memberNames, plan }: ClusterWorld, { member }: Accepted): number {
  return memberNames.indexOf(member) * plan.peerTimeoutMs;
}

function hasFailedBefore(cluster: ClusterWorld, { attempt }: Accepted, earlier: Accepted): boolean {
  return cluster.attempts.all.some(
    (one) =>
      one.member === attempt.member &&
      one.group === attempt.group &&
      one.receiver === attempt.receiver &&
      one !== earlier.attempt &&
      !one.isTaken &&
      one.sentMs >= earlier.attempt.sentMs &&
      one.sentMs < attempt.sentMs,
  );
}

/** The sender gave it up and told it once more, and the receiver took the first one last. */
function isOvertakenByRetry({ attempt }: Accepted, { attempt: later }: Accepted): boolean {
  return (
    attempt.member === later.member &&
    !attempt.isTaken &&
    attempt.endedMs !== null &&
    attempt.endedMs <= later.sentMs
  );
}

/** Who told it never learned that it was accepted. */
function excuseOfUnknown(cluster: ClusterWorld, { attempt, acceptedMs }: Accepted): Excuse | null {
  const { member, sentMs, endedMs } = attempt;
  const life = lifeAt(cluster, member, sentMs);
  if (life?.toMs !== undefined && life.toMs !== null && life.toMs <= (endedMs ?? Infinity)) {
    return 'died';
  }
  const isCutOff = cluster.cuts.some(
    (cut) =>
      touches(cut, 'sink', member) &&
      cut.fromMs <= (endedMs ?? Infinity) &&
      (cut.toMs ?? Infinity) >= sentMs,
  );
  if (isCutOff || wasCutShort(cluster, attempt)) return 'unheard';
  return acceptedMs - sentMs >= cluster.plan.slowAnswerMs ? 'unheard' : null;
}

/** A member that has heard of a loss asks the survivors before it sends, for so long at most. */
const CATCH_UP_MS = 1_000;

/** Whether the time of the flush was over, which tried in vain from its turn on, while the receiver took what it sent last. */
function wasCutShort({ attempts, plan }: ClusterWorld, attempt: Attempt): boolean {
  const flushMs = Math.max(plan.groupIntervalMs, MIN_FLUSH_MS);
  const triedMs = (attempt.endedMs ?? Infinity) - flushMs + CATCH_UP_MS + 1;
  return attempts.all.some(
    (one) =>
      one.member === attempt.member &&
      one.group === attempt.group &&
      one.receiver === attempt.receiver &&
      !one.isTaken &&
      one.sentMs <= triedMs,
  );
}

/** Whether who told it died before gossip can have carried that on, or all who heard of it before it was on a disk. */
export function isLostWithDead(cluster: ClusterWorld, attempt: Attempt): boolean {
  const { member, sentMs, endedMs } = attempt;
  const teller = lifeAt(cluster, member, sentMs);
  // Who lives and waits for the answer will note it.
  if (endedMs === null) return teller?.goneMs != null;
  const diedMs = (life: Life): number => life.goneMs ?? Infinity;
  const { plan } = cluster;
  if (teller !== undefined && diedMs(teller) <= endedMs + gossipRoundsMs(plan)) {
    return diedMs(teller) <= endedMs + newsBoundMs(plan) || !hasWitness(cluster, attempt, endedMs);
  }
  return cluster.lives
    .filter((life) => life.fromMs <= endedMs && diedMs(life) >= endedMs)
    .every((life) => diedMs(life) <= endedMs + DURABLE_MS);
}

/**
 * Whether a member heard first hand what was noted, and had the time to write it down: one that was there for long, where nothing is lost
 * or cut and news go to all at once.
 */
function hasWitness(cluster: ClusterWorld, { member }: Attempt, notedMs: number): boolean {
  const { plan } = cluster;
  if (plan.kind !== 'crash' || plan.members > ALWAYS_REACHED) return false;
  return cluster.lives.some(
    (life) =>
      life.member !== member &&
      life.fromMs <= notedMs - settleBoundMs(plan) &&
      (life.goneMs ?? Infinity) > notedMs + newsBoundMs(plan) + DURABLE_MS,
  );
}

/**
 * Of two entries that neither writer knew of the other's, every log keeps the one with the later stamp. The sender's log has
 * one that counts as newer than the earlier message's. So it is when who tells hears of the other's message while its own request is
 * under way, as the answer is late, and its clock is behind: it notes the nanosecond after that. Which of the two the receiver took
 * last it cannot know.
 */
function isOverwritten(cluster: ClusterWorld, double: Accepted, earlier: Accepted): boolean {
  const { held } = double.attempt;
  const { endedWallMs, held: before } = earlier.attempt;
  if (held === null || endedWallMs === null) return false;
  if (held.stampMs < endedWallMs - STAMP_TOLERANCE_MS) return false;
  const { group, receiver } = double;
  return cluster.attempts.all.some(
    (other) =>
      other !== earlier.attempt &&
      other !== double.attempt &&
      other.group === group &&
      other.receiver === receiver &&
      other.isTaken &&
      other.endedMs !== null &&
      other.endedMs <= double.attempt.sentMs &&
      (isStampOf(other.endedWallMs, held.stampMs, before?.stampMs ?? null) ||
        (isHeardUnderWay(other, earlier.attempt) &&
          other.firing.join() === held.firing.join() &&
          held.stampMs - endedWallMs < 1)),
  );
}

/** Whether a request was sent before its sender can have known of what another told, and its answer came behind that. */
function isHeardUnderWay(other: Attempt, told: Attempt): boolean {
  if (other.member === told.member || other.endedMs === null || told.endedMs === null) return false;
  return other.sentMs < told.endedMs && other.endedMs > told.endedMs;
}

/** Whether wall clocks put a failed attempt of the sender behind the earlier message, which in truth it lay before. */
function isStampBehind(cluster: ClusterWorld, { attempt }: Accepted, earlier: Accepted): boolean {
  const { endedMs, endedWallMs } = earlier.attempt;
  if (endedMs === null || endedWallMs === null) return false;
  return cluster.attempts.all.some(
    (one) =>
      one.member === attempt.member &&
      one.group === attempt.group &&
      one.receiver === attempt.receiver &&
      !one.isTaken &&
      one.sentMs < endedMs &&
      latestFlushWallMs(cluster, one) > endedWallMs,
  );
}

/**
 * The latest that the sender's wall clock said while the flush of an attempt was under way: what failed counts from its beginning, and a
 * clock may have been set back since.
 */
export function latestFlushWallMs(cluster: ClusterWorld, { member, sentMs }: Attempt): number {
  const { groupIntervalMs, members, peerTimeoutMs } = cluster.plan;
  const flushMs = Math.max(groupIntervalMs, MIN_FLUSH_MS) + members * peerTimeoutMs;
  return cluster.latestWallMs(member, sentMs - flushMs, sentMs);
}

/** A writer whose clock is behind stamps with the nanosecond after what it knows. */
function isStampOf(wallMs: number | null, stampMs: number, beforeMs: number | null): boolean {
  if (wallMs === null) return false;
  return Math.abs(stampMs - wallMs) < 1 || (beforeMs !== null && Math.abs(stampMs - beforeMs) < 1);
}

/** Whether the wall clock of a member was past the life of what a message left in the log. */
export function mayHaveExpired(
  cluster: ClusterWorld,
  member: string,
  { told, untilMs }: { readonly told: Accepted; readonly untilMs: number },
): boolean {
  const { endedMs, endedWallMs } = told.attempt;
  if (endedMs === null || endedWallMs === null) return false;
  const expiresMs = endedWallMs + 2 * cluster.plan.repeatIntervalMs;
  return cluster.latestWallMs(member, endedMs, untilMs) >= expiresMs;
}

/** Within this time news are with every member of a small cluster, which has them first hand, while nothing is lost. */
function newsBoundMs(plan: ClusterPlan): number {
  if (plan.members > ALWAYS_REACHED) return gossipRoundsMs(plan);
  // What does not fit a datagram goes over a stream, which is opened first.
  return JOINED_MS + 4 * plan.link.maxDelayMs;
}

/** Whether the network lost a datagram from who told it to the member when the news of it went out. */
function wasNewsLost({ lost, plan }: ClusterWorld, attempt: Attempt, to: string): boolean {
  const fromMs = attempt.endedMs ?? Infinity;
  return lost.some(
    (one) =>
      one.to === to &&
      (one.from === attempt.member || plan.members > ALWAYS_REACHED) &&
      one.atMs >= fromMs &&
      one.atMs <= fromMs + newsBoundMs(plan),
  );
}

/**
 * Whether the sender cannot have heard what was noted: all lives are found that were there in that moment, were up together with such a
 * one since, or follow one of the same member, which has it on its disk; the sender's is none of them.
 */
function isUnknownTo(cluster: ClusterWorld, { member, sentMs }: Attempt, notedMs: number): boolean {
  const sender = lifeAt(cluster, member, sentMs);
  if (sender === undefined || sender.fromMs <= notedMs) return false;
  const endMs = (life: Life): number => Math.min(life.goneMs ?? Infinity, sentMs);
  const lives = cluster.lives.filter((life) => life.fromMs <= sentMs && endMs(life) >= notedMs);
  const informed = new Set(lives.filter((life) => life.fromMs <= notedMs));
  const canHear = (life: Life): boolean =>
    [...informed].some(
      (other) =>
        (other.member === life.member && other.fromMs < life.fromMs) ||
        Math.max(other.fromMs, life.fromMs) <= Math.min(endMs(other), endMs(life)),
    );
  for (let before = -1; before < informed.size; ) {
    before = informed.size;
    for (const life of lives) if (canHear(life)) informed.add(life);
  }
  return !informed.has(sender);
}

function lifeAt(cluster: ClusterWorld, member: string, atMs: number): Life | undefined {
  return cluster.lives.findLast((life) => life.member === member && life.fromMs <= atMs);
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
