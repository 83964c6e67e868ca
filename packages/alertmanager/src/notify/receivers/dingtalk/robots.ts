import { type Clock, sleep } from '@pollux/base';
import { DeliveryError } from '../../../errors.ts';

/** What DingTalk allows one robot; over it the robot is blocked for about ten minutes. */
const MESSAGES_PER_WINDOW = 20;
/** A second more than a minute, because the service's clock and ours are not the same. */
const WINDOW_MS = 61_000;
/** After the service refused for the rate, the robot rests this long. */
const REST_MS = 60_000;
const MAX_WAITING = 1_000;
const MAX_ROBOTS = 10_000;

/** The rate limits of all robots, kept over reloads. Robots are told apart by their address. */
export class DingtalkRobots {
  readonly #clock: Clock;
  readonly #robots = new Map<string, Robot>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  of(url: string): Robot {
    const known = this.#robots.get(url);
    if (known !== undefined) return known;
    const robot = new Robot(this.#clock);
    // Addresses come from the configuration; only one that rotates them for years could reach the bound.
    if (this.#robots.size >= MAX_ROBOTS) this.#robots.clear();
    this.#robots.set(url, robot);
    return robot;
  }

  /** Messages that wait for their turn. */
  get waitingCount(): number {
    let count = 0;
    for (const robot of this.#robots.values()) count += robot.waitingCount;
    return count;
  }
}

/** Lets at most 20 messages pass in any window of a minute; the rest wait in order. */
export class Robot {
  readonly #clock: Clock;
  readonly #sentMs: number[] = [];
  #restsUntilMs = 0;
  #waiting = 0;
  #turn: Promise<void> = Promise.resolve();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get waitingCount(): number {
    return this.#waiting;
  }

  /** Resolves when a message may be sent. Rejects when `signal` aborts or too many wait. */
  async acquire(signal: AbortSignal): Promise<void> {
    if (this.#waiting >= MAX_WAITING) {
      throw new DeliveryError(`more than ${MAX_WAITING} messages wait for this robot`, {
        retry: true,
        reason: 'rateLimited',
      });
    }
    this.#waiting++;
    const before = this.#turn;
    const pass = before.then(() => this.#pass(signal));
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
  rest(): void {
    this.#restsUntilMs = this.#clock.monotonic() + REST_MS;
  }

  async #pass(signal: AbortSignal): Promise<void> {
    for (;;) {
      const nowMs = this.#clock.monotonic();
      while (this.#sentMs.length > 0 && this.#sentMs[0]! + WINDOW_MS <= nowMs) this.#sentMs.shift();
      const isFull = this.#sentMs.length >= MESSAGES_PER_WINDOW;
      const freeMs = isFull ? this.#sentMs[0]! + WINDOW_MS : nowMs;
      const waitMs = Math.max(freeMs, this.#restsUntilMs) - nowMs;
      if (waitMs <= 0) {
        signal.throwIfAborted();
        this.#sentMs.push(nowMs);
        return;
      }
      await sleep(this.#clock, waitMs, signal);
    }
  }
}
