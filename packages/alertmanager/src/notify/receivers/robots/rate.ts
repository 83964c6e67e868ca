import { type Clock, type StopSignal, sleep } from '@pollux/base';
import { DeliveryError } from '../../../errors.ts';

/** What a service allows one robot. */
export type RobotLimit = {
  readonly windows: readonly { readonly count: number; readonly lengthMs: number }[];
  /** After the service refused for the rate, the robot rests this long. */
  readonly restMs: number;
};

/** One message that some member of the cluster sent by a robot. */
export type RobotSend = {
  readonly id: string;
  /** By this member's monotonic clock, ms. */
  readonly atMs: number;
  /** By the sender's wall clock, ms. */
  readonly wallMs: number;
};

const MAX_WAITING = 1_000;
/** Longer than any window of a service. */
const MAX_AGE_MS = 120_000;
const MAX_KEPT = 1_000;

/** Lets messages pass as a robot's limit allows; the rest wait in order. */
export class RobotRate {
  readonly #clock: Clock;
  readonly #onSend: () => RobotSend;
  #sends: RobotSend[] = [];
  #restsUntilMs = 0;
  #waiting = 0;
  #turn: Promise<void> = Promise.resolve();

  /** `onSend` makes the record of a message that passes now and tells the other members. */
  constructor(clock: Clock, onSend: () => RobotSend) {
    this.#clock = clock;
    this.#onSend = onSend;
  }

  get waitingCount(): number {
    return this.#waiting;
  }

  /** Messages of the last two minutes, by any member. */
  get recent(): readonly RobotSend[] {
    const oldestMs = this.#clock.monotonic() - MAX_AGE_MS;
    return this.#sends.filter(({ atMs }) => atMs > oldestMs);
  }

  /** Takes over what another member sent; known ones are passed over. True when it was new. */
  note(send: RobotSend): boolean {
    if (this.#sends.some(({ id }) => id === send.id)) return false;
    this.#keep(send);
    return true;
  }

  /** How long the next message would wait, ms. */
  waitMs({ windows }: RobotLimit): number {
    const nowMs = this.#clock.monotonic();
    let freeMs = Math.max(nowMs, this.#restsUntilMs);
    for (const { count, lengthMs } of windows) {
      const first = this.#sends[this.#sends.length - count];
      if (first !== undefined) freeMs = Math.max(freeMs, first.atMs + lengthMs);
    }
    return freeMs - nowMs;
  }

  /** Resolves when a message may be sent. Rejects when `signal` aborts or too many wait. */
  async acquire(limit: RobotLimit, signal: StopSignal): Promise<void> {
    if (this.#waiting >= MAX_WAITING) {
      throw new DeliveryError(`more than ${MAX_WAITING} messages wait for this robot`, {
        retry: true,
        reason: 'rateLimited',
      });
    }
    this.#waiting++;
    const before = this.#turn;
    const pass = before.then(() => this.#pass(limit, signal));
    // Who gave up must not hold those behind it.
    this.#turn = pass.catch(() => {});
    try {
      await pass;
    } catch (error) {
      throw new DeliveryError('the robot may not send more messages in this minute', {
        retry: true,
        reason: 'rateLimited',
        cause: error,
      });
    } finally {
      this.#waiting--;
    }
  }

  /** The service refused for the rate. */
  rest({ restMs }: RobotLimit): void {
    this.#restsUntilMs = this.#clock.monotonic() + restMs;
  }

  async #pass(limit: RobotLimit, signal: StopSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted();
      const waitMs = this.waitMs(limit);
      if (waitMs <= 0) {
        this.#keep(this.#onSend());
        return;
      }
      await sleep(this.#clock, waitMs, signal);
    }
  }

  #keep(send: RobotSend): void {
    this.#sends = [...this.recent, send].sort((a, b) => a.atMs - b.atMs).slice(-MAX_KEPT);
  }
}
