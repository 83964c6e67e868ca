/** `endMs` is not included. */
export type TimeSpan = { readonly startMs: number; readonly endMs: number };

/** More damage than this is told as one span. */
const MAX_SPANS = 1_000;

/**
 * Which times a damaged log has lost. Damaged bytes do not say; but a log is written in the order of time, so they lie between
 * the samples before and behind them. What ends a log is no damage: nothing behind it was acknowledged.
 */
export class LostTimes {
  readonly #spans: TimeSpan[] = [];
  #beforeMs = 0;
  #isDamaged = false;
  #orphanMinMs = Number.POSITIVE_INFINITY;
  #orphanMaxMs = Number.NEGATIVE_INFINITY;

  get spans(): readonly TimeSpan[] {
    return this.#spans;
  }

  /** The first and the last time of a record of samples. */
  passSamples(firstMs: number, lastMs: number): void {
    if (this.#isDamaged) {
      this.#isDamaged = false;
      this.#add(Math.min(this.#beforeMs, firstMs, lastMs), Math.max(firstMs, lastMs) + 1);
    }
    this.#beforeMs = Math.min(firstMs, lastMs);
  }

  passDamage(): void {
    this.#isDamaged = true;
  }

  /** A sample whose series is not known so far. */
  passOrphan(timestampMs: number): void {
    this.#orphanMinMs = Math.min(this.#orphanMinMs, timestampMs);
    this.#orphanMaxMs = Math.max(this.#orphanMaxMs, timestampMs);
  }

  /** The series of such samples have not been found. */
  loseOrphans(): void {
    if (this.#orphanMinMs <= this.#orphanMaxMs) {
      this.#add(this.#orphanMinMs, this.#orphanMaxMs + 1);
    }
  }

  #add(startMs: number, endMs: number): void {
    const last = this.#spans.at(-1);
    if (last === undefined || this.#spans.length < MAX_SPANS) this.#spans.push({ startMs, endMs });
    else {
      this.#spans[this.#spans.length - 1] = {
        startMs: Math.min(last.startMs, startMs),
        endMs: Math.max(last.endMs, endMs),
      };
    }
  }
}
