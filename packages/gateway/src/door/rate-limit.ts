import type { Clock } from '@pollux/base';
import type { RateLimitConfig } from './host-config.ts';

/** Keys that are remembered; the one that was seen longest ago makes room. */
const MAX_KEYS = 65_536;

type Bucket = { excess: number; lastMs: number };

/** How long a request waits for its turn, or that it is refused. */
export type Verdict = { readonly waitMs: number } | { readonly status: number };

/**
 * A leaky bucket for each key, as nginx's limit_req: requests beyond the rate fill it, time empties it, and one that would overflow
 * `burst` is refused. What is within it waits as long as keeps the rate, but for the first `delay` of them, or none with `nodelay`.
 * Levels are requests times 1,000.
 */
export class RateLimit {
  readonly #config: RateLimitConfig;
  readonly #clock: Clock;
  /** In the order of their last request. */
  readonly #buckets = new Map<string, Bucket>();

  constructor(config: RateLimitConfig, clock: Clock) {
    this.#config = config;
    this.#clock = clock;
  }

  get key(): string {
    return this.#config.key;
  }

  ask(key: string): Verdict {
    const { rate, burst, status } = this.#config;
    const nowMs = Math.floor(this.#clock.monotonic());
    const bucket = this.#buckets.get(key);
    if (bucket === undefined) {
      this.#remember(key, { excess: 0, lastMs: nowMs });
      return { waitMs: 0 };
    }
    const leaked = Math.floor((rate * (nowMs - bucket.lastMs)) / 1_000);
    const excess = Math.max(0, bucket.excess - leaked + 1_000);
    if (excess > burst * 1_000) return { status };
    this.#remember(key, { excess, lastMs: nowMs });
    return { waitMs: this.#waitMs(excess) };
  }

  #waitMs(excess: number): number {
    const { rate, delay, nodelay } = this.#config;
    const held = excess - delay * 1_000;
    return nodelay || held <= 0 ? 0 : Math.floor((held * 1_000) / rate);
  }

  #remember(key: string, bucket: Bucket): void {
    this.#buckets.delete(key);
    if (this.#buckets.size >= MAX_KEYS) {
      const [oldest] = this.#buckets.keys();
      if (oldest !== undefined) this.#buckets.delete(oldest);
    }
    this.#buckets.set(key, bucket);
  }
}
