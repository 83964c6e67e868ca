import type { Clock } from '@pollux/base';

/** Longest time that background work holds the thread before others run. */
const SLICE_MS = 5;

/** Divides long work into slices: `await slices.pause()` between steps gives the thread away when a slice is over. */
export class Slices {
  readonly #clock: Clock;
  #startedMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startedMs = clock.monotonic();
  }

  /** True when it is time to call {@link pause}; cheaper than awaiting each time. */
  get isOver(): boolean {
    return this.#clock.monotonic() - this.#startedMs >= SLICE_MS;
  }

  async pause(): Promise<void> {
    await new Promise<void>((resolve) => this.#clock.after(0, resolve));
    this.#startedMs = this.#clock.monotonic();
  }
}
