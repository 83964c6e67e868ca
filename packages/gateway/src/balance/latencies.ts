const KEPT = 256;
/** The quantile is looked up anew after so many answers. */
const LOOKED_UP_EVERY = 32;
const LEAST = 16;

/** How long recent answers took, for one quantile of them. */
export class Latencies {
  readonly #quantile: number;
  readonly #recentMs = new Float64Array(KEPT);
  #count = 0;
  #valueMs: number | null = null;

  constructor(quantile: number) {
    this.#quantile = quantile;
  }

  observe(durationMs: number): void {
    this.#recentMs[this.#count % KEPT] = durationMs;
    this.#count++;
    if (this.#count < LEAST) return;
    if (this.#valueMs !== null && this.#count % LOOKED_UP_EVERY !== 0) return;
    const size = Math.min(this.#count, KEPT);
    const sorted = this.#recentMs.slice(0, size).sort();
    this.#valueMs = sorted[Math.min(size - 1, Math.floor(size * this.#quantile))]!;
  }

  /** Null until enough is known. */
  get valueMs(): number | null {
    return this.#valueMs;
  }
}
