import type { Clock } from './clock.ts';
import { CanceledError } from './errors.ts';
import type { StopSignal } from './stop-signal.ts';

/** Longest time that background work holds the thread before others run. */
const SLICE_MS = 5;

/**
 * Divides long work into slices: `if (slices.isOver) await slices.pause()` between steps lets input, timers and other
 * work run. It yields by `setImmediate`, which is no time: under a virtual clock that stands still work still goes on.
 */
export class Slices {
  readonly #clock: Clock;
  readonly #signal: StopSignal | null;
  readonly #sliceMs: number;
  #startedMs: number;

  constructor(clock: Clock, signal: StopSignal | null = null, sliceMs = SLICE_MS) {
    this.#clock = clock;
    this.#signal = signal;
    this.#sliceMs = sliceMs;
    this.#startedMs = clock.monotonic();
  }

  /** True when it is time to call {@link pause}; cheaper than awaiting each time. */
  get isOver(): boolean {
    return this.#clock.monotonic() - this.#startedMs >= this.#sliceMs;
  }

  /** Does work that yields between its steps, and gives what it gives. Rejects as {@link pause}. */
  async run<T>(work: Iterator<void, T>): Promise<T> {
    for (;;) {
      const step = work.next();
      if (step.done === true) return step.value;
      if (this.isOver) await this.pause();
    }
  }

  /** Rejects with CanceledError when the signal has aborted. */
  async pause(): Promise<void> {
    await new Promise<void>((resolve) => setImmediate(resolve));
    if (this.#signal?.aborted) {
      throw new CanceledError('given up', { cause: this.#signal.reason });
    }
    this.#startedMs = this.#clock.monotonic();
  }
}
