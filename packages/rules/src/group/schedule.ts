import { fnv1a64 } from '@pollux/model';

/**
 * The fixed grid of one group's evaluations. Groups are spread over their interval by a hash of file and name, so that
 * they do not all run at once; the grid does not depend on when the process started.
 */
export class Schedule {
  readonly intervalMs: number;
  readonly offsetMs: number;

  constructor(file: string, name: string, intervalMs: number) {
    this.intervalMs = intervalMs;
    const hash = fnv1a64(new TextEncoder().encode(`${file};${name}`));
    this.offsetMs = Number(hash % BigInt(intervalMs));
  }

  /** The last instant of the grid at or before `nowMs`. */
  before(nowMs: number): number {
    const shifted = nowMs - this.offsetMs;
    return (
      shifted - (((shifted % this.intervalMs) + this.intervalMs) % this.intervalMs) + this.offsetMs
    );
  }

  /**
   * The instant to evaluate at `nowMs` when `lastMs` was evaluated last, or how long to wait for it. Instants that were
   * slept or worked through are left out. A wall clock set back by more than an interval starts over where it stands, so
   * that alerts do not pause until the old time comes again.
   */
  next(lastMs: number, nowMs: number): { readonly dueMs: number } | { readonly waitMs: number } {
    const dueMs = this.before(nowMs);
    if (dueMs > lastMs || dueMs < lastMs - this.intervalMs) return { dueMs };
    return { waitMs: Math.min(lastMs + this.intervalMs - nowMs, this.intervalMs) };
  }

  /** Instants between `lastMs` and `dueMs` that nobody evaluated. */
  missed(lastMs: number, dueMs: number): number {
    return Math.max(0, Math.round((dueMs - lastMs) / this.intervalMs) - 1);
  }
}
