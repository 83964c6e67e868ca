import { type AlertName, alertText } from './cluster-plan.ts';
import type { AskedSilence, ClusterWorld } from './cluster-world.ts';
import { excuseOf, isLostWithDead, mayHaveExpired } from './excuses.ts';
import { gossipBoundMs, repairBoundMs, settleBoundMs, tellBoundMs } from './promises.ts';

/** A wall clock may be wrong by so much before what a member holds for firing is left open. */
const CLOCK_MARGIN_MS = 500;

/** For how long something has been so, per member, alert and receiver; in ms. */
type Streaks = Map<string, number>;

/**
 * The promise of at least one, watched while a run goes on: while some member lives, has settled, holds an alert's state
 * without a break, and reaches the receiver, then after the time that this member needs in the worst case somebody must have
 * told of that state; and told of it again after the repeat interval.
 */
export class TooFew {
  readonly problems: string[] = [];
  readonly #cluster: ClusterWorld;
  readonly #firing: Streaks = new Map();
  readonly #ended: Streaks = new Map();
  /** Alerts and receivers whose lack has been reported. */
  readonly #reported = new Set<string>();
  #lastMs: number;

  constructor(cluster: ClusterWorld) {
    this.#cluster = cluster;
    this.#lastMs = cluster.now();
  }

  /** To be called often, at least once a second. */
  look(): void {
    const nowMs = this.#cluster.now();
    const passedMs = nowMs - this.#lastMs;
    this.#lastMs = nowMs;
    const { plan } = this.#cluster;
    for (let receiver = 0; receiver < plan.sendResolved.length; receiver++) {
      for (let group = 0; group < plan.groups; group++) {
        const isQuiet = this.#isQuiet(group);
        for (let index = 0; index < plan.alertsPerGroup; index++) {
          this.#lookAt({ group, index }, receiver, isQuiet ? null : passedMs);
        }
      }
    }
  }

  #lookAt(name: AlertName, receiver: number, passedMs: number | null): void {
    const alert = alertText(name);
    for (const [position, member] of this.#cluster.memberNames.entries()) {
      const key = `${member} ${alert} ${receiver}`;
      const state = passedMs === null ? null : this.#stateAt(member, alert, receiver);
      const firingMs = count(this.#firing, key, state === 'firing' ? passedMs : null);
      const endedMs = count(this.#ended, key, state === 'ended' ? passedMs : null);
      const boundMs = tellBoundMs(this.#cluster.plan, position);
      if (firingMs > boundMs)
        this.#mustBeTold('firing', { alert, receiver, member, forMs: firingMs, boundMs });
      if (endedMs > boundMs && this.#cluster.plan.sendResolved[receiver] === true) {
        this.#mustBeTold('resolved', { alert, receiver, member, forMs: endedMs, boundMs });
      }
      this.#mustBeRepeated(firingMs, boundMs, { alert, receiver, member });
    }
  }

  #mustBeTold(
    state: 'firing' | 'resolved',
    about: { alert: string; receiver: number; member: string; forMs: number; boundMs: number },
  ): void {
    const { alert, receiver, member, forMs, boundMs } = about;
    const words = this.#words(alert, receiver);
    const last = words.at(-1);
    if (state === 'resolved' && !this.#isEndCalledFor(member, alert, receiver, last)) return;
    if (last?.state === state || this.#isToldByLog(alert, receiver, state)) return;
    if (this.#isTakenUnheard(alert, receiver, state)) return;
    // What another said to the contrary is owed an answer from then on, however often it says so.
    const contrary = words.slice(1 + words.findLastIndex((word) => word.state === state)).at(0);
    if (contrary !== undefined && this.#cluster.now() - contrary.atMs <= boundMs) return;
    const sinceMs = this.#cluster.now() - forMs;
    if (words.some((word) => word.state === state && word.atMs >= sinceMs)) return;
    this.#report(
      `${alert} ${receiver} ${state}`,
      `nobody told r${receiver} that ${alert} is ${state}: ${member} knows it and reaches r${receiver} for ${forMs} ms`,
    );
  }

  /**
   * An end is told only of what was told to have begun, not after the end of the whole group was told without it, not when who told the
   * beginning took that along, and not by a member that had to forget what was told: an entry of the log lives for two repeat intervals by the wall clock of who
   * holds it, here as in the original, so that a clock that leaps ahead ends it.
   */
  #isEndCalledFor(
    member: string,
    alert: string,
    receiver: number,
    last: object | undefined,
  ): boolean {
    const told = this.#cluster.receivers.accepted(groupOf(alert), receiver).at(-1);
    if (last === undefined || told === undefined || told.firing.length === 0) return false;
    if (isLostWithDead(this.#cluster, told.attempt)) return false;
    return !mayHaveExpired(this.#cluster, member, { told, untilMs: this.#cluster.now() });
  }

  /**
   * Of two members that told different things and did not know of each other's, as they were cut from each other, the later word is the
   * receiver's last. Every log keeps the entry with the later stamp, which is the earlier word's where its teller's clock is ahead: for
   * the members the state is told until the repeat interval is over, here as in the original.
   */
  #isToldByLog(alert: string, receiver: number, state: 'firing' | 'resolved'): boolean {
    const all = this.#cluster.receivers.accepted(groupOf(alert), receiver);
    const last = all.at(-1);
    if (last === undefined || last.attempt.endedWallMs === null) return false;
    const { held, endedWallMs } = last.attempt;
    // Where the promise is exactly one, nobody speaks who does not know.
    if (this.#cluster.plan.kind === 'calm') return false;
    return all.some((earlier) => {
      const { attempt } = earlier;
      if (attempt === last.attempt || attempt.endedWallMs === null) return false;
      const isUnknown = held === null || held.stampMs < attempt.endedWallMs - 1;
      const isKept = attempt.endedWallMs > endedWallMs;
      if (!isUnknown || !isKept || !earlier[state].includes(alert)) return false;
      return excuseOf(this.#cluster, last, earlier) !== null;
    });
  }

  /**
   * The receiver took last what its sender had given up by then: no log has it, and by the log what was told before is what the
   * receiver knows, here as in the original.
   */
  #isTakenUnheard(alert: string, receiver: number, state: 'firing' | 'resolved'): boolean {
    const all = this.#cluster.receivers.accepted(groupOf(alert), receiver);
    const isUnheard = ({ attempt, acceptedMs }: (typeof all)[number]): boolean =>
      !attempt.isTaken && attempt.endedMs !== null && attempt.endedMs <= acceptedMs;
    const heard = all.findLastIndex((one) => !isUnheard(one));
    if (heard === all.length - 1) return false;
    return all[heard]?.[state].includes(alert) === true;
  }

  #mustBeRepeated(
    firingMs: number,
    boundMs: number,
    { alert, receiver, member }: { alert: string; receiver: number; member: string },
  ): void {
    const { plan } = this.#cluster;
    const limitMs = plan.repeatIntervalMs + boundMs;
    if (firingMs <= limitMs || this.#clocksWere()) return;
    const sinceMs = this.#cluster.now() - limitMs;
    const last = this.#cluster.receivers.accepted(groupOf(alert), receiver).at(-1);
    if (last !== undefined && last.acceptedMs >= sinceMs) return;
    this.#report(
      `${alert} ${receiver} repeat`,
      `nobody repeated to r${receiver} that ${alert} is firing, for ${limitMs} ms; ${member} knows it`,
    );
  }

  /** True where clocks were wrong by more than a margin: repetitions count from stamps that others wrote. */
  #clocksWere(): boolean {
    const { plan } = this.#cluster;
    return plan.kind === 'storm';
  }

  /** What a member holds of an alert and could tell the receiver now; null when it could not tell anything. */
  #stateAt(member: string, alert: string, receiver: number): 'firing' | 'ended' | null {
    const cluster = this.#cluster;
    const life = cluster.lifeOf(member);
    const nowMs = cluster.now();
    if (life === undefined || nowMs - life.fromMs < settleBoundMs(cluster.plan)) return null;
    const mode = cluster.receivers.modes[receiver];
    if (mode !== 'well' && mode !== 'slow') return null;
    if (!cluster.hears(member, 'sink') || !cluster.hears('sink', member)) return null;
    const held = cluster.senders.held(member, alert);
    if (held === undefined) return null;
    const aheadMs = cluster.world.clockOf(member);
    if (held.endsAtMs > nowMs + aheadMs + CLOCK_MARGIN_MS) return 'firing';
    return held.endsAtMs < nowMs + aheadMs - CLOCK_MARGIN_MS ? 'ended' : null;
  }

  /** Whether any member may hold a silence for the group, from when it was asked for to when its end is everywhere. */
  #isQuiet(group: number): boolean {
    return this.#cluster.silences.some(
      (silence) => silence.group === group && !this.#isOver(silence),
    );
  }

  #isOver(silence: AskedSilence): boolean {
    const { plan } = this.#cluster;
    if (silence.endedMs === null) return false;
    const boundMs = gossipBoundMs(plan) + repairBoundMs(plan);
    return wholeForMs(this.#cluster, silence.endedMs) > boundMs;
  }

  /** What the receiver was told of the alert, in the order of its acceptance. */
  #words(alert: string, receiver: number): { state: 'firing' | 'resolved'; atMs: number }[] {
    const words: { state: 'firing' | 'resolved'; atMs: number }[] = [];
    for (const delivery of this.#cluster.receivers.accepted(groupOf(alert), receiver)) {
      const atMs = delivery.acceptedMs;
      if (delivery.firing.includes(alert)) words.push({ state: 'firing', atMs });
      else if (delivery.resolved.includes(alert)) words.push({ state: 'resolved', atMs });
    }
    return words;
  }

  #report(key: string, problem: string): void {
    if (this.#reported.has(key)) return;
    this.#reported.add(key);
    this.problems.push(`too few: ${problem}, at ${this.#cluster.now() - this.#cluster.startMs} ms`);
  }
}

/** For how long, counted from `sinceMs` at most, all members have lived and heard each other without a break. */
export function wholeForMs(cluster: ClusterWorld, sinceMs: number): number {
  let fromMs = sinceMs;
  const nowMs = cluster.now();
  for (const cut of cluster.cuts) {
    const isAmongMembers =
      cut.from.some((host) => host.startsWith('m')) && cut.to.some((host) => host.startsWith('m'));
    if (isAmongMembers) fromMs = Math.max(fromMs, cut.toMs ?? nowMs);
  }
  for (const life of cluster.lives) {
    fromMs = Math.max(fromMs, life.fromMs, life.toMs ?? 0);
  }
  const areAllUp = cluster.memberNames.every((member) => cluster.isUp(member));
  return areAllUp ? nowMs - fromMs : 0;
}

function groupOf(alert: string): number {
  return Number(alert.slice(1, alert.indexOf('/')));
}

function count(streaks: Streaks, key: string, passedMs: number | null): number {
  const lengthMs = passedMs === null ? 0 : (streaks.get(key) ?? 0) + passedMs;
  streaks.set(key, lengthMs);
  return lengthMs;
}
