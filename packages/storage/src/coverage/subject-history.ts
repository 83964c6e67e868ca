import type { CoverageState, CoverageSubject, Interval } from './coverage.ts';
import { type IntervalSet, intersect, intervalSet, subtract } from './interval-set.ts';

/** A span of time in which the subject was scheduled; null while it still is. */
type Lifetime = { startMs: number; endMs: number | null };

/**
 * One target's or rule group's past as run lengths. A schedule at s with interval I that took place stands for
 * [s, s + I): until the next one no newer sample could exist.
 */
export class SubjectHistory {
  subject: CoverageSubject;
  #intervalMs: number;
  readonly #lifetimes: Lifetime[] = [];
  readonly #done: { startMs: number; endMs: number }[] = [];
  readonly #failed: { startMs: number; endMs: number }[] = [];

  constructor(subject: CoverageSubject, intervalMs: number) {
    this.subject = subject;
    this.#intervalMs = intervalMs;
  }

  get intervalMs(): number {
    return this.#intervalMs;
  }

  get isOpen(): boolean {
    return this.#lifetimes.at(-1)?.endMs === null;
  }

  /** Scheduled from `fromMs` on. What lies between `fromMs` and the first record is a gap. */
  open(subject: CoverageSubject, fromMs: number, intervalMs: number): void {
    this.subject = subject;
    this.#intervalMs = intervalMs;
    if (!this.isOpen) this.#lifetimes.push({ startMs: fromMs, endMs: null });
  }

  close(atMs: number): void {
    const last = this.#lifetimes.at(-1);
    if (last === undefined || last.endMs !== null) return;
    last.endMs = Math.max(atMs, last.startMs);
    // A run reaches to the schedule after it, which will not be: under a shorter interval it would hide a miss.
    for (const runs of [this.#done, this.#failed]) {
      const run = runs.at(-1);
      if (run !== undefined && run.endMs > atMs) run.endMs = Math.max(atMs, run.startMs + 1);
    }
  }

  /** Takes the outcome of one schedule; `missed` leaves a gap by not being there. */
  record(scheduledMs: number, state: CoverageState): void {
    if (state === 'missed') return;
    this.addRun(state, scheduledMs, scheduledMs + this.#intervalMs);
  }

  /** Adds a run as read back from disk. */
  addRun(state: 'done' | 'failed', startMs: number, endMs: number): void {
    const runs = state === 'done' ? this.#done : this.#failed;
    const last = runs.at(-1);
    if (last !== undefined && startMs <= last.endMs) last.endMs = Math.max(last.endMs, endMs);
    else runs.push({ startMs, endMs });
  }

  addLifetime(startMs: number, endMs: number | null): void {
    this.#lifetimes.push({ startMs, endMs });
  }

  runs(state: 'done' | 'failed'): IntervalSet {
    return state === 'done' ? this.#done : this.#failed;
  }

  lifetimes(): readonly { readonly startMs: number; readonly endMs: number | null }[] {
    return this.#lifetimes;
  }

  /** Forgets what ended before `beforeMs`; true when nothing is left. */
  forget(beforeMs: number): boolean {
    for (const runs of [this.#done, this.#failed]) {
      while (runs.length > 0 && runs[0]!.endMs < beforeMs) runs.shift();
    }
    while (
      this.#lifetimes[0]?.endMs !== null &&
      (this.#lifetimes[0]?.endMs ?? beforeMs) < beforeMs
    ) {
      this.#lifetimes.shift();
    }
    return this.#lifetimes.length === 0;
  }

  /**
   * Scheduled times in `window` that neither took place nor are still under way at `nowMs`. A schedule is under way for at
   * most one interval (a time-out is never longer).
   */
  gaps(window: Interval, nowMs: number): IntervalSet {
    const scheduled: Interval[] = [];
    for (const { startMs, endMs } of this.#lifetimes)
      scheduled.push({ startMs, endMs: endMs ?? nowMs });
    const due = intersect(intervalSet(scheduled), [window]);
    const took = subtract(subtract(due, this.#done), this.#failed);
    const newestEndMs = Math.max(this.#done.at(-1)?.endMs ?? 0, this.#failed.at(-1)?.endMs ?? 0);
    const pendingUntilMs = newestEndMs + this.#intervalMs;
    if (!this.isOpen || nowMs > pendingUntilMs) return took;
    return subtract(took, [{ startMs: newestEndMs, endMs: Math.max(nowMs, newestEndMs) + 1 }]);
  }

  /** Times in `window` whose scrape failed. */
  failures(window: Interval): IntervalSet {
    return subtract(intersect(this.#failed, [window]), this.#done);
  }
}
