import type { Env, Timer } from '@pollux/base';

/**
 * Has the client of HTTP loaded before the first notification of this process, which holds the thread for a tenth of a
 * second: half-way through the shortest wait of the groups so far, neither when their time has come nor while the alerts
 * that make them still arrive.
 */
export class FirstRequest {
  readonly #env: Pick<Env, 'clock' | 'net'>;
  readonly #isExpected: () => boolean;
  #timer: Timer | null = null;
  #dueMs = Number.POSITIVE_INFINITY;

  /** `isExpected` is asked when it is time: a member behind the first seldom sends. */
  constructor(env: Pick<Env, 'clock' | 'net'>, isExpected: () => boolean) {
    this.#env = env;
    this.#isExpected = isExpected;
  }

  /** A group was made that notifies after this time. */
  isIn(waitMs: number): void {
    const { clock, net } = this.#env;
    const dueMs = clock.monotonic() + waitMs / 2;
    if (net.expectRequests === undefined || dueMs >= this.#dueMs) return;
    this.#dueMs = dueMs;
    this.#timer?.cancel();
    this.#timer = clock.after(waitMs / 2, () => {
      this.#timer = null;
      // One that is not the first now may be it when the next group is made.
      this.#dueMs = Number.POSITIVE_INFINITY;
      if (this.#isExpected()) void net.expectRequests?.();
    });
  }

  close(): void {
    this.#timer?.cancel();
  }
}
