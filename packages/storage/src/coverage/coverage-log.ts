import type { CoverageRecorder, CoverageState, CoverageSubject, Interval } from './coverage.ts';
import { type IntervalSet, intersect, intervalSet, subtract } from './interval-set.ts';
import { SubjectHistory } from './subject-history.ts';

/** Longer without a heartbeat than this means that the process was stopped or starved. */
export const MAX_HEARTBEAT_GAP_MS = 2_500;
export const HEARTBEAT_INTERVAL_MS = 500;
/** Discovery may take so long after a start; what it has not found by then is taken to be gone. */
const STARTING_MS = 30_000;

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
  recorded(key: string, state: 'done' | 'failed', startMs: number, endMs: number): void;
  alive(startMs: number, endMs: number): void;
};

/**
 * What one server covers: when it was alive, and for each target and rule group when its schedules took place. Replicas
 * and gateway decide by it who may answer (invariant I3).
 */
export class CoverageLog implements CoverageRecorder {
  readonly #subjects = new Map<string, SubjectHistory>();
  readonly #alive: { startMs: number; endMs: number }[] = [];
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
    readonly histories: readonly SubjectHistory[];
  }): void {
    this.#alive.unshift(...past.alive.map((run) => ({ ...run })));
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
    const sinceMs = this.#alive[0]!.startMs;
    return subtract(intersect([window], [{ startMs: sinceMs, endMs: nowMs + 1 }]), alive);
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
      sinceMs: Math.max(this.#alive[0]!.startMs, this.#samplesSinceMs),
      bucketsSinceMs: this.#alive[0]!.startMs,
      serverGaps: this.serverGaps(window, nowMs),
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
