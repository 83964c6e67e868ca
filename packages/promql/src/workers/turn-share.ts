import type { Clock } from '@pollux/base';

/**
 * What queries may take of one turn of the event loop: requests that are there together are answered one after the other before
 * any timer is looked at, so many small queries would hold the thread as one large one does.
 */
export class TurnShare {
  readonly #clock: Clock;
  readonly #mostMs: number;
  #spentMs = 0;
  /** Of those that were counted. */
  #turn = 0;
  #isCounting = false;

  constructor(clock: Clock, mostMs: number) {
    this.#clock = clock;
    this.#mostMs = mostMs;
  }

  /** True until the loop has turned, when the share was taken. */
  get isSpent(): boolean {
    return this.#spentMs >= this.#mostMs;
  }

  /** Counts the time of `work` in this turn. Work that has waited for a turn ends before the timers, and is not counted. */
  async spend<T>(work: () => Promise<T>): Promise<T> {
    this.#count();
    const turn = this.#turn;
    const startMs = this.#clock.monotonic();
    try {
      return await work();
    } finally {
      if (turn === this.#turn) this.#spentMs += this.#clock.monotonic() - startMs;
    }
  }

  #count(): void {
    if (this.#isCounting) return;
    this.#isCounting = true;
    setImmediate(() => {
      this.#turn++;
      this.#spentMs = 0;
      this.#isCounting = false;
    });
  }
}
