import type { Clock, Timer } from '@pollux/base';

/** Waits shorter than this are turns of the event loop; longer ones hold until time is moved. */
const SHORT_MS = 100;

/**
 * A clock for scripts: every look at it finds time for others to run, short waits are over at the next turn, and timers of
 * background work run only when the script moves time.
 */
export class HeldClock implements Clock {
  #nowMs: number;
  #monotonicMs = 0;
  readonly #timers = new Set<{ readonly dueMs: number; readonly callback: () => void }>();

  constructor(startMs: number) {
    this.#nowMs = startMs;
  }

  now(): number {
    return this.#nowMs;
  }

  monotonic(): number {
    this.#monotonicMs += 6;
    return this.#monotonicMs;
  }

  after(delayMs: number, callback: () => void): Timer {
    if (delayMs < SHORT_MS) {
      const immediate = setImmediate(callback);
      return { cancel: () => clearImmediate(immediate) };
    }
    const timer = { dueMs: this.#monotonicMs + delayMs, callback };
    this.#timers.add(timer);
    return { cancel: () => this.#timers.delete(timer) };
  }

  /** Moves time and lets what fell due do its work. */
  async advance(durationMs: number): Promise<void> {
    this.#nowMs += durationMs;
    this.#monotonicMs += durationMs;
    for (const timer of [...this.#timers]) {
      if (timer.dueMs > this.#monotonicMs) continue;
      this.#timers.delete(timer);
      timer.callback();
    }
    for (let turn = 0; turn < 50; turn++)
      await new Promise<void>((resolve) => setImmediate(resolve));
  }

  /** The wall clock is set, as by an administrator or a time server. */
  jump(byMs: number): void {
    this.#nowMs += byMs;
  }
}
