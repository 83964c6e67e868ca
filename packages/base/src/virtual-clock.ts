import type { Clock, Timer } from './clock.ts';
import { Heap } from './heap.ts';

type Entry = { readonly atMs: number; readonly sequence: number; callback: (() => void) | null };

/**
 * A clock that moves only when told. Timers due at the same instant run in the order they were set. `advance` yields to
 * the microtask queue between timers, so promise chains settle as they would under a real clock.
 */
export class VirtualClock implements Clock {
  #nowMs: number;
  readonly #originMs: number;
  /** How far the wall clock was set away from where it began. */
  #setByMs = 0;
  #sequence = 0;
  readonly #timers = new Heap<Entry>((a, b) => a.atMs - b.atMs || a.sequence - b.sequence);
  readonly #turns: number;

  /**
   * `turns` of the event loop follow each timer. Promise chains end within one; streams and work that is cut by
   * `setImmediate` need more, and the default covers the longest in use.
   */
  constructor(startMs = 1_700_000_000_000, turns = 16) {
    this.#turns = turns;
    this.#nowMs = startMs;
    this.#originMs = startMs;
  }

  now(): number {
    return Math.floor(this.#nowMs + this.#setByMs);
  }

  monotonic(): number {
    return this.#nowMs - this.#originMs;
  }

  after(delayMs: number, callback: () => void): Timer {
    const entry: Entry = {
      atMs: this.#nowMs + Math.max(0, delayMs),
      sequence: this.#sequence++,
      callback,
    };
    this.#timers.push(entry);
    return {
      cancel: () => {
        entry.callback = null;
      },
    };
  }

  /** Time of the next live timer, or null when none is set. */
  nextTimerMs(): number | null {
    const dueMs = this.#nextDueMs();
    return dueMs === null ? null : dueMs + this.#setByMs;
  }

  /** Sets the wall clock, as an administrator or a time server does; timers and durations do not notice. */
  jump(byMs: number): void {
    this.#setByMs += byMs;
  }

  /** Moves to `now + durationMs`, running every timer that falls due on the way. */
  async advance(durationMs: number): Promise<void> {
    const endMs = this.#nowMs + durationMs;
    await this.#settle();
    for (;;) {
      const nextMs = this.#nextDueMs();
      if (nextMs === null || nextMs > endMs) break;
      const entry = this.#timers.pop();
      this.#nowMs = Math.max(this.#nowMs, nextMs);
      const callback = entry?.callback;
      if (callback) callback();
      await this.#settle();
    }
    this.#nowMs = endMs;
  }

  /** Lets promise chains and streams that need no timer run to their end. */
  async #settle(): Promise<void> {
    for (let turn = 0; turn < this.#turns; turn++) {
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }

  #nextDueMs(): number | null {
    for (;;) {
      const top = this.#timers.peek();
      if (top === undefined) return null;
      if (top.callback !== null) return top.atMs;
      this.#timers.pop();
    }
  }
}
