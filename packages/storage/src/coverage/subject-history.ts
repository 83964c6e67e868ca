import type { CoverageState, CoverageSubject, Interval } from './coverage.ts';
import { type IntervalSet, intersect, intervalSet, subtract, union } from './interval-set.ts';

/**
 * `healed`: samples of that time are a twin's, all that it has. `seam`: between own samples and a twin's, where there may be
 * none. `lacking`: a scrape failed and a twin's was good, so there are samples, though not here, unless it is healed as well.
 */
export type RunState = 'done' | 'failed' | 'healed' | 'seam' | 'lacking';
/** In the order of their numbers in files. */
export const RUN_STATES: readonly RunState[] = ['done', 'failed', 'healed', 'seam', 'lacking'];

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
  readonly #runs: Readonly<Record<RunState, { startMs: number; endMs: number }[]>> = {
    done: [],
    failed: [],
    healed: [],
    seam: [],
    lacking: [],
  };

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
    for (const runs of [this.#runs.done, this.#runs.failed]) {
      const run = runs.at(-1);
      if (run !== undefined && run.endMs > atMs) run.endMs = Math.max(atMs, run.startMs + 1);
    }
  }

  /** Takes the outcome of one schedule; `missed` leaves a gap by not being there. */
  record(scheduledMs: number, state: CoverageState): void {
    if (state === 'missed') return;
    this.addRun(state, scheduledMs, scheduledMs + this.#intervalMs);
  }

  /** Adds a run, as read back from disk or of the past. */
  addRun(state: RunState, startMs: number, endMs: number): void {
    const runs = this.#runs[state];
    const last = runs.at(-1);
    if (last === undefined || startMs > last.endMs) runs.push({ startMs, endMs });
    else if (startMs >= last.startMs) last.endMs = Math.max(last.endMs, endMs);
    else {
      const all = intervalSet([...runs, { startMs, endMs }]);
      runs.splice(0, runs.length, ...all.map((run) => ({ ...run })));
    }
  }

  addLifetime(startMs: number, endMs: number | null): void {
    this.#lifetimes.push({ startMs, endMs });
  }

  runs(state: RunState): IntervalSet {
    return this.#runs[state];
  }

  lifetimes(): readonly { readonly startMs: number; readonly endMs: number | null }[] {
    return this.#lifetimes;
  }

  /** Forgets what ended before `beforeMs`; true when nothing is left. */
  forget(beforeMs: number): boolean {
    for (const runs of Object.values(this.#runs)) {
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
   * most one interval (a time-out is never longer). And what a twin has scraped while this server failed to.
   */
  gaps(window: Interval, nowMs: number): IntervalSet {
    return union(this.#missed(window, nowMs), this.lacking(window));
  }

  #missed(window: Interval, nowMs: number): IntervalSet {
    const scheduled: Interval[] = [];
    for (const { startMs, endMs } of this.#lifetimes)
      scheduled.push({ startMs, endMs: endMs ?? nowMs });
    const due = intersect(intervalSet(scheduled), [window]);
    const { done, failed, healed, seam } = this.#runs;
    const missed = subtract(subtract(due, done), failed);
    const took = healed.length === 0 ? missed : subtract(subtract(missed, healed), seam);
    const newestEndMs = Math.max(done.at(-1)?.endMs ?? 0, failed.at(-1)?.endMs ?? 0);
    const pendingUntilMs = newestEndMs + this.#intervalMs;
    if (!this.isOpen || nowMs > pendingUntilMs) return took;
    return subtract(took, [{ startMs: newestEndMs, endMs: Math.max(nowMs, newestEndMs) + 1 }]);
  }

  /** Whether anything took place behind `gap`, or nothing was due before. */
  hasRunBehind(gap: Interval): boolean {
    return [this.#runs.done, this.#runs.failed].some((runs) => {
      const last = runs.at(-1);
      return last !== undefined && (last.startMs >= gap.startMs || last.endMs > gap.endMs);
    });
  }

  /** Times in `window` whose scrape failed; of those that were healed since it is still true. */
  failures(window: Interval): IntervalSet {
    const failed = subtract(intersect(this.#runs.failed, [window]), this.#runs.done);
    return subtract(failed, this.lacking(window));
  }

  /** Times in `window` whose scrape failed, and whose samples a twin had and this server has not. */
  lacking(window: Interval): IntervalSet {
    const { done, lacking, healed, seam } = this.#runs;
    if (lacking.length === 0) return lacking;
    return subtract(subtract(subtract(intersect(lacking, [window]), done), healed), seam);
  }
}
