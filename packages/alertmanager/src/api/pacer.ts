import type { Clock } from '@pollux/base';

const ITEMS_PER_TURN = 2_000;

/**
 * Cuts a long loop into turns, between which probes of the cluster, timers and other requests run: a member that does not
 * answer for half a second is suspected by the others.
 */
export class Pacer {
  readonly #clock: Clock;
  #count = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** To be awaited, when it is not null, once for each item. */
  step(): Promise<void> | null {
    if (++this.#count % ITEMS_PER_TURN !== 0) return null;
    return new Promise((resolve) => {
      this.#clock.after(0, resolve);
    });
  }
}
