import {
  assert,
  type Clock,
  type StopSignal,
  stopAfter,
  TimeoutError,
  type Timer,
} from '@pollux/base';
import type { Labels } from '@pollux/model';
import type { Log } from '@pollux/telemetry';
import { type Alert, inOrder, isResolvedAt } from '../alert/alert.ts';
import { AlertTable } from '../alert/alert-table.ts';
import type { GroupMemory } from '../durable/group-memory.ts';
import { type Flush, groupName } from '../notify/batch.ts';
import { groupKeySpellings, type Route } from '../route/route.ts';
import type { GroupObserver } from './group-observer.ts';

/** A flush has at least this long, whatever the group interval. */
const MIN_FLUSH_MS = 10_000;

export type AggregationGroupOptions = {
  readonly clock: Clock;
  readonly route: Route;
  readonly labels: Labels;
  /** Resolves when flushes may begin: the cluster has settled, the same group of an earlier configuration is done. */
  readonly ready: Promise<void>;
  /** How long members before this one may keep it waiting, ms; read at each flush. */
  readonly peerWaitMs: () => number;
  readonly notify: (flush: Flush, alerts: readonly Alert[]) => Promise<boolean>;
  readonly stop: StopSignal;
  /** What was known of the group before it was made. */
  readonly memory: GroupMemory;
  readonly observer: GroupObserver | null;
  readonly log: Log;
};

export type NextFlush = {
  readonly atMs: number;
  readonly because: 'group_wait' | 'group_interval' | 'waited long enough already';
};

/** The alerts that one route and one set of group labels hold together, and the timer that sends them. */
export class AggregationGroup {
  readonly route: Route;
  readonly labels: Labels;
  readonly key: string;
  /** In the memory of groups. */
  readonly name: string;
  readonly #options: AggregationGroupOptions;
  readonly #spellings: readonly string[];
  readonly #alerts = new AlertTable();
  #timer: Timer;
  #hasFlushed = false;
  /**
   * When the last flush was due there were ends only, and nothing has begun since: what begins next starts the group anew, as if it had
   * been removed. Members remove empty groups each at its own time; without this their timers would be apart from then on. Judged when
   * the timer fires: a flush that the one before it holds up, which waits for its turn, begins later, and at another time on each member.
   */
  #isOver = false;
  #nextFlush: NextFlush;
  #lastFlushMs: number | null = null;
  #flushCount = 0;
  #isStopped = false;
  /** The running flush; the next one starts after it. */
  #running: Promise<void> | null = null;
  #isDueAgain = false;
  /** When the timer last fell due, ms. */
  #dueMs = 0;
  /** The same by the monotonic clock. */
  #dueAtMs = 0;

  constructor(options: AggregationGroupOptions) {
    this.#options = options;
    this.route = options.route;
    this.labels = options.labels;
    this.#spellings = groupKeySpellings(options.route, options.labels);
    const [key] = this.#spellings;
    assert(key !== undefined, 'a group key has a spelling');
    this.key = key;
    this.name = groupName({ route: options.route, groupKey: key });
    const first = this.#firstFlush();
    this.#nextFlush = first;
    this.#timer = this.#arm(first.atMs - options.clock.now());
  }

  /** Adds a version of an alert. One that has waited long enough elsewhere is sent at once. */
  insert(alert: Alert): void {
    const { memory } = this.#options;
    if (memory.hasToldEnd(this.name, alert)) return;
    this.#alerts.put(alert.identity.tableHash, alert);
    const { groupWaitMs } = this.route.settings;
    if (this.#isOver && !isResolvedAt(alert, this.#options.clock.now())) {
      this.#isOver = false;
      this.#hasFlushed = false;
      this.#timer.cancel();
      this.#nextFlush = this.#next(groupWaitMs, 'group_wait');
      this.#timer = this.#arm(groupWaitMs);
    }
    const isOverdue =
      !this.#hasFlushed && alert.startsAtMs + groupWaitMs < this.#options.clock.now();
    if (isOverdue || memory.takeConfirmed(this.name, alert)) {
      this.#timer.cancel();
      this.#timer = this.#arm(0);
      this.#nextFlush = this.#next(0, 'waited long enough already');
    }
  }

  get isEmpty(): boolean {
    return this.#alerts.size === 0;
  }

  holds(alert: Alert): boolean {
    return this.#held(alert) === alert;
  }

  get alerts(): readonly Alert[] {
    return this.#alerts.list();
  }

  /** Ends the timers; a running flush goes on. */
  stop(): void {
    this.#isStopped = true;
    this.#timer.cancel();
  }

  /** Resolves when no flush is running. */
  async idle(): Promise<void> {
    await this.#running;
  }

  /** It takes no more alerts: removed, or of an earlier configuration. */
  get isStopped(): boolean {
    return this.#isStopped;
  }

  get isFlushing(): boolean {
    return this.#running !== null;
  }

  /** When the timer fires next, and which setting says so. */
  get nextFlush(): NextFlush {
    return this.#nextFlush;
  }

  /** When the last flush began, ms; null before the first. */
  get lastFlushMs(): number | null {
    return this.#lastFlushMs;
  }

  /** The flush that would begin now, over the alerts it would have. */
  flushNow(signal: StopSignal): { readonly flush: Flush; readonly alerts: readonly Alert[] } {
    const nowMs = this.#options.clock.now();
    return { flush: this.#flushAt(nowMs, signal, Number.NaN), alerts: this.#snapshot(nowMs) };
  }

  #held({ identity }: Alert): Alert | undefined {
    return this.#alerts.get(identity.tableHash, identity);
  }

  #next(delayMs: number, because: NextFlush['because']): NextFlush {
    return { atMs: this.#options.clock.now() + delayMs, because };
  }

  /** `dueAtMs` by the monotonic clock; NaN for a flush that is only asked about. */
  #flushAt(nowMs: number, signal: StopSignal, dueAtMs: number): Flush {
    return {
      route: this.route,
      groupLabels: this.labels,
      groupKey: this.key,
      groupKeySpellings: this.#spellings,
      nowMs,
      number: this.#flushCount,
      latest: (alerts) => this.#latest(alerts),
      toldByOther: (atMs) => this.#followOther(dueAtMs, atMs),
      signal,
    };
  }

  /** One that has left the group meanwhile stays as it was. */
  #latest(alerts: readonly Alert[]): { nowMs: number; alerts: readonly Alert[] } {
    const nowMs = this.#options.clock.now();
    const held = alerts.map((alert) => this.#held(alert) ?? alert);
    return { nowMs, alerts: asOf(held, nowMs) };
  }

  /** A group that was there before goes on as it would have; one whose time passed meanwhile is due now. */
  #firstFlush(): NextFlush {
    const { memory, clock } = this.#options;
    const { groupWaitMs, groupIntervalMs } = this.route.settings;
    const known = memory.recall(this.name);
    if (known === null) {
      memory.began(this.name, clock.now());
      return this.#next(groupWaitMs, 'group_wait');
    }
    this.#hasFlushed = known.hasFlushed;
    if (known.hasFlushed) this.#lastFlushMs = known.sinceMs;
    const pauseMs = known.hasFlushed ? groupIntervalMs : groupWaitMs;
    // A clock that was set back does not prolong the pause.
    const leftMs = Math.max(0, Math.min(pauseMs, known.sinceMs + pauseMs - clock.now()));
    return this.#next(leftMs, known.hasFlushed ? 'group_interval' : 'group_wait');
  }

  #arm(delayMs: number): Timer {
    return this.#options.clock.after(delayMs, () => this.#onTimer());
  }

  #onTimer(): void {
    if (this.#isStopped) return;
    this.#hasFlushed = true;
    const nowMs = this.#options.clock.now();
    this.#dueMs = nowMs;
    this.#dueAtMs = this.#options.clock.monotonic();
    this.#isOver = this.#hasOnlyEnds(nowMs);
    const { groupIntervalMs } = this.route.settings;
    this.#timer = this.#arm(groupIntervalMs);
    this.#nextFlush = this.#next(groupIntervalMs, 'group_interval');
    if (this.#running !== null) {
      this.#isDueAgain = true;
      return;
    }
    this.#running = this.#flushWhileDue().finally(() => {
      this.#running = null;
    });
  }

  async #flushWhileDue(): Promise<void> {
    do {
      this.#isDueAgain = false;
      await this.#options.ready;
      if (this.#isStopped) return;
      const dueMs = this.#dueMs;
      await this.#flush(this.#dueAtMs);
      // One that was cut short is due again after the restart.
      if (!this.#options.stop.aborted) this.#options.memory.flushed(this.name, dueMs);
    } while (this.#isDueAgain && !this.#isStopped);
  }

  async #flush(dueAtMs: number): Promise<void> {
    const { clock, notify, stop } = this.#options;
    const nowMs = clock.now();
    const alerts = this.#snapshot(nowMs);
    if (alerts.length === 0) return;
    this.#lastFlushMs = nowMs;
    this.#flushCount++;
    this.#logFlush(alerts, nowMs);
    const { groupIntervalMs } = this.route.settings;
    const lengthMs = Math.max(groupIntervalMs, MIN_FLUSH_MS) + this.#options.peerWaitMs();
    const limit = stopAfter(
      clock,
      lengthMs,
      () => new TimeoutError(`no delivery within ${lengthMs} ms`),
      stop,
    );
    try {
      const flush = this.#flushAt(nowMs, limit.signal, dueAtMs);
      if (await notify(flush, alerts)) this.#forgetResolved(alerts, nowMs);
    } finally {
      limit.release();
    }
  }

  /**
   * Members that heard of an alert at different moments, or one before a flush and one behind it, have timers that are apart. While they
   * are apart by nearly the time that this member waits, its turn comes in the moment in which the other tells, and both tell. A member
   * whose wait was half over when another told the group therefore counts its next interval from then on.
   */
  #followOther(dueAtMs: number, toldAtMs: number): void {
    const { clock, peerWaitMs } = this.#options;
    const isNext = dueAtMs === this.#dueAtMs && this.#nextFlush.because === 'group_interval';
    if (this.#isStopped || !isNext || toldAtMs - dueAtMs <= peerWaitMs() / 2) return;
    const leftMs = toldAtMs + this.route.settings.groupIntervalMs - clock.monotonic();
    if (leftMs <= this.#nextFlush.atMs - clock.now()) return;
    this.#timer.cancel();
    this.#timer = this.#arm(leftMs);
    this.#nextFlush = this.#next(leftMs, 'group_interval');
  }

  /** In the original's words, by which its members and ours are followed alike. */
  #logFlush(alerts: readonly Alert[], nowMs: number): void {
    const { log } = this.#options;
    if (!log.isEnabled('debug')) return;
    const ended = alerts.filter((alert) => isResolvedAt(alert, nowMs)).length;
    log.debug('flushing', {
      component: 'dispatcher',
      aggrGroup: this.key,
      firing: alerts.length - ended,
      resolved: ended,
    });
  }

  #hasOnlyEnds(nowMs: number): boolean {
    for (const alert of this.#alerts.values()) if (!isResolvedAt(alert, nowMs)) return false;
    return true;
  }

  /** What is not resolved now counts as firing until the flush is over, however long it takes. */
  #snapshot(nowMs: number): Alert[] {
    return asOf(inOrder(this.#alerts.list()), nowMs);
  }

  /** Alerts that were notified as resolved leave, unless a newer version arrived meanwhile. */
  #forgetResolved(sent: readonly Alert[], nowMs: number): void {
    for (const alert of sent) {
      if (!isResolvedAt(alert, nowMs)) continue;
      this.#options.observer?.onEnded(this, alert);
      if (!this.holds(alert)) continue;
      this.#alerts.delete(alert.identity.tableHash, alert);
      this.#options.memory.toldEnd(this.name, alert);
    }
  }
}

function asOf(alerts: readonly Alert[], nowMs: number): Alert[] {
  return alerts.map((alert) => (isResolvedAt(alert, nowMs) ? alert : { ...alert, endsAtMs: 0 }));
}
