import type { Labels } from '@pollux/model';
import type { CoverageRecorder, CoverageState, CoverageSubject, Interval } from './coverage.ts';
import type { HealedRun, HealingPlan } from './healing.ts';
import { type IntervalSet, intersect, intervalSet, subtract, union } from './interval-set.ts';
import { type RunState, SubjectHistory } from './subject-history.ts';

/** Longer without a heartbeat than this means that the process was stopped or starved. */
export const MAX_HEARTBEAT_GAP_MS = 2_500;
export const HEARTBEAT_INTERVAL_MS = 500;
/** Discovery may take so long after a start; what it has not found by then is taken to be gone. */
const STARTING_MS = 30_000;
/** Nobody waits for longer for a first scrape or evaluation after a start. */
const MAX_START_MS = 5 * 60_000;

/** What a gateway needs to know of one server; gaps and failures only, so a healthy server's answer is tiny. */
export type CoverageReport = {
  /** Hash of scrape and rule configuration without replica labels; replicas of one pair must agree. */
  readonly configIdentity: string;
  readonly nowMs: number;
  /** Where this server's known past begins; before it nothing is claimed and nothing missed. */
  readonly sinceMs: number;
  /**
   * Since when the server has at least buckets of the samples; at or before {@link sinceMs}. It does not cover the time
   * between the two, but may answer for it when nobody else does.
   */
  readonly bucketsSinceMs: number;
  /** When the server itself was not there, since {@link bucketsSinceMs}. */
  readonly serverGaps: IntervalSet;
  /**
   * Where own samples and those of a twin meet that have filled a gap: what reads across is of two histories. Absent: none.
   */
  readonly seams?: IntervalSet;
  /** Remote read adds them to every series. Absent: not known. */
  readonly externalLabels?: Labels;
  readonly subjects: readonly SubjectReport[];
};

export type SubjectReport = {
  readonly subject: CoverageSubject;
  /** Of its schedule, ms. */
  readonly intervalMs: number;
  readonly gaps: IntervalSet;
  readonly failures: IntervalSet;
};

/** Every change goes here as well, for the disk; the in-memory log needs none. */
export type CoverageJournal = {
  opened(subject: CoverageSubject, fromMs: number, intervalMs: number): void;
  closed(key: string, atMs: number): void;
  recorded(key: string, state: RunState, startMs: number, endMs: number): void;
  alive(startMs: number, endMs: number): void;
  healed(run: HealedRun): void;
  seam(startMs: number, endMs: number): void;
};

/**
 * What one server covers: when it was alive, and for each target and rule group when its schedules took place. Replicas
 * and gateway decide by it who may answer (invariant I3).
 */
export class CoverageLog implements CoverageRecorder {
  readonly #subjects = new Map<string, SubjectHistory>();
  readonly #alive: { startMs: number; endMs: number }[] = [];
  /** Times in which the server was not there, and of which it has what twins had. */
  #healed: readonly HealedRun[] = [];
  #seams: IntervalSet = [];
  /** Scheduled when the last process ended and not yet again: still due, so that starting counts as down. */
  readonly #awaited = new Set<string>();
  readonly #startedMs: number;
  /** Samples of earlier times may be gone. */
  #samplesSinceMs = Number.NEGATIVE_INFINITY;
  #configIdentity = '';
  #journal: CoverageJournal | null = null;

  /** `startedMs`: when this process began; opens soon after it are not new targets but known ones coming back. */
  constructor(startedMs: number) {
    this.#startedMs = startedMs;
    this.#alive.push({ startMs: startedMs, endMs: startedMs });
  }

  set configIdentity(identity: string) {
    this.#configIdentity = identity;
  }

  get configIdentity(): string {
    return this.#configIdentity;
  }

  journalTo(journal: CoverageJournal): void {
    this.#journal = journal;
    const run = this.#alive.at(-1)!;
    journal.alive(run.startMs, run.endMs);
  }

  /** Runs read back from disk, in the order they were written; before any live event. */
  restore(past: {
    readonly alive: IntervalSet;
    readonly healed?: readonly HealedRun[];
    readonly seams?: IntervalSet;
    readonly histories: readonly SubjectHistory[];
  }): void {
    this.#alive.unshift(...past.alive.map((run) => ({ ...run })));
    this.#healed = past.healed ?? [];
    this.#seams = past.seams ?? [];
    for (const history of past.histories) {
      this.#subjects.set(history.subject.key, history);
      if (history.isOpen) this.#awaited.add(history.subject.key);
    }
  }

  /** The server's own sign of life; a longer pause than {@link MAX_HEARTBEAT_GAP_MS} becomes a gap. */
  heartbeat(nowMs: number): void {
    const last = this.#alive.at(-1)!;
    // A clock that was set back begins a run, too: until the old time came again nothing would be covered.
    if (Math.abs(nowMs - last.endMs) > MAX_HEARTBEAT_GAP_MS)
      this.#alive.push({ startMs: nowMs, endMs: nowMs });
    else if (nowMs > last.endMs) last.endMs = nowMs;
    if (nowMs - this.#startedMs > STARTING_MS) {
      for (const key of this.#awaited) this.close(key, this.#startedMs);
    }
    const run = this.#alive.at(-1)!;
    this.#journal?.alive(run.startMs, run.endMs);
  }

  open(subject: CoverageSubject, firstMs: number, intervalMs: number): void {
    let history = this.#subjects.get(subject.key);
    if (history === undefined) {
      history = new SubjectHistory(subject, intervalMs);
      this.#subjects.set(subject.key, history);
    }
    if (this.#awaited.has(subject.key)) this.close(subject.key, this.#startedMs);
    // A target that shows up while the server starts was there before it: the schedules between the start and the first
    // scrape were missed. One that shows up later is new, and nothing was scheduled before.
    const isStarting = firstMs - this.#startedMs <= Math.max(2 * intervalMs, STARTING_MS);
    const missedCount = isStarting ? Math.floor((firstMs - this.#startedMs) / intervalMs) : 0;
    const fromMs = firstMs - Math.max(0, missedCount) * intervalMs;
    history.open(subject, fromMs, intervalMs);
    this.#journal?.opened(subject, fromMs, intervalMs);
  }

  record(key: string, scheduledMs: number, state: CoverageState): void {
    const history = this.#subjects.get(key);
    if (history === undefined) return;
    history.record(scheduledMs, state);
    if (state === 'missed') return;
    this.#journal?.recorded(key, state, scheduledMs, scheduledMs + history.intervalMs);
  }

  close(key: string, atMs: number): void {
    this.#awaited.delete(key);
    this.#subjects.get(key)?.close(atMs);
    this.#journal?.closed(key, atMs);
  }

  /** What `plan` says was copied from the twin, and is visible. */
  heal(plan: HealingPlan): void {
    const { twin, common, seams, subjects } = plan;
    const runs = common.map(({ startMs, endMs }): HealedRun => ({ startMs, endMs, twin }));
    this.#healed = [...this.#healed, ...runs].sort((a, b) => a.startMs - b.startMs);
    this.#seams = union(this.#seams, seams);
    for (const run of runs) this.#journal?.healed(run);
    for (const { startMs, endMs } of seams) this.#journal?.seam(startMs, endMs);
    for (const { subject, healed, failures, seams: own } of subjects) {
      const history = this.#subjects.get(subject.key);
      if (history === undefined) continue;
      const states: [RunState, IntervalSet][] = [
        ['healed', healed],
        ['failed', failures],
        ['seam', own],
      ];
      for (const [state, set] of states) {
        for (const { startMs, endMs } of set) {
          history.addRun(state, startMs, endMs);
          this.#journal?.recorded(subject.key, state, startMs, endMs);
        }
      }
    }
  }

  /** Scrapes of a target failed in `times`, and a twin's were good: these samples are missing here. */
  lack(key: string, times: IntervalSet): void {
    const history = this.#subjects.get(key);
    if (history === undefined) return;
    for (const { startMs, endMs } of subtract(times, history.runs('lacking'))) {
      history.addRun('lacking', startMs, endMs);
      this.#journal?.recorded(key, 'lacking', startMs, endMs);
    }
  }

  get healedRuns(): readonly HealedRun[] {
    return this.#healed;
  }

  get seams(): IntervalSet {
    return this.#seams;
  }

  /**
   * True while a target or group that was there before `gap` may still be about to be scraped or evaluated again for the
   * first time since: where the gap ends for it is not known before.
   */
  isOpenEnded(gap: Interval, nowMs: number): boolean {
    for (const history of this.#subjects.values()) {
      if (!history.isOpen) continue;
      const mayWaitMs = Math.min(MAX_START_MS, STARTING_MS + 2 * history.intervalMs);
      if (nowMs - gap.endMs < mayWaitMs && !history.hasRunBehind(gap)) return true;
    }
    return false;
  }

  /**
   * Drops what storage holds no longer: nothing before `beforeMs` is claimed any more, nor, of what there are buckets,
   * before `bucketsBeforeMs`.
   */
  forget(beforeMs: number, bucketsBeforeMs = beforeMs): void {
    this.#samplesSinceMs = beforeMs;
    const wholeMs = Math.min(beforeMs, bucketsBeforeMs);
    while (this.#alive.length > 1 && this.#alive[0]!.endMs < wholeMs) this.#alive.shift();
    const oldest = this.#alive[0]!;
    if (oldest.startMs < wholeMs) oldest.startMs = Math.min(wholeMs, oldest.endMs);
    this.#healed = this.#healed.filter(({ endMs }) => endMs > wholeMs);
    this.#seams = this.#seams.filter(({ endMs }) => endMs > wholeMs);
    for (const [key, history] of this.#subjects) {
      if (history.forget(beforeMs) && !history.isOpen) this.#subjects.delete(key);
    }
  }

  /** Times in `window`, up to `nowMs`, at which no process of this server was alive. */
  serverGaps(window: Interval, nowMs: number): IntervalSet {
    const last = this.#alive.at(-1)!;
    const isAlive = nowMs - last.endMs <= MAX_HEARTBEAT_GAP_MS;
    const alive = intervalSet([
      ...this.#alive,
      ...(isAlive ? [{ startMs: last.startMs, endMs: nowMs + 1 }] : []),
    ]);
    const past = { startMs: this.#pastStartMs, endMs: nowMs + 1 };
    const absent = subtract(intersect([window], [past]), alive);
    return subtract(subtract(absent, intervalSet(this.#healed)), this.#seams);
  }

  /** Where anything is known to be there. */
  get #pastStartMs(): number {
    return Math.min(this.#alive[0]!.startMs, this.#healed[0]?.startMs ?? Infinity);
  }

  /** All gaps and failures in `window`; `isWanted` leaves out subjects that a query cannot touch. */
  report(
    window: Interval,
    nowMs: number,
    isWanted: (subject: CoverageSubject) => boolean = () => true,
  ): CoverageReport {
    const subjects: SubjectReport[] = [];
    for (const history of this.#subjects.values()) {
      if (!isWanted(history.subject)) continue;
      const gaps = history.gaps(window, nowMs);
      const failures = history.failures(window);
      if (gaps.length > 0 || failures.length > 0)
        subjects.push({ subject: history.subject, intervalMs: history.intervalMs, gaps, failures });
    }
    return {
      configIdentity: this.#configIdentity,
      nowMs,
      sinceMs: Math.max(this.#pastStartMs, this.#samplesSinceMs),
      bucketsSinceMs: this.#pastStartMs,
      serverGaps: this.serverGaps(window, nowMs),
      ...(this.#seams.length > 0 ? { seams: intersect([window], this.#seams) } : {}),
      subjects,
    };
  }

  histories(): Iterable<SubjectHistory> {
    return this.#subjects.values();
  }

  aliveRuns(): IntervalSet {
    return this.#alive;
  }
}
