import type { HedgeConfig } from './group-config.ts';
import { Latencies } from './latencies.ts';

/** Second requests that may be sent at once behind a quiet time. */
const MOST_CREDIT = 10;

/**
 * When a second member is asked besides a slow one: after the time in which most recent answers came, and for a bounded share
 * of the requests, so that a group that has become slow as a whole is not given twice the work.
 */
export class Hedging {
  readonly #config: HedgeConfig;
  readonly #latencies: Latencies;
  #credit = 1;

  constructor(config: HedgeConfig) {
    this.#config = config;
    this.#latencies = new Latencies(config.quantile);
  }

  observe(durationMs: number): void {
    this.#latencies.observe(durationMs);
    this.#credit = Math.min(MOST_CREDIT, this.#credit + this.#config.max_share);
  }

  /** Null: none for this request. */
  delayMs(): number | null {
    const { valueMs } = this.#latencies;
    if (valueMs === null || this.#credit < 1) return null;
    return Math.max(valueMs, this.#config.min_delay);
  }

  spend(): void {
    this.#credit--;
  }
}
