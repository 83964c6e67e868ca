/** The samples of one histogram at one time, checked as they come. Faults are texts; null means none. */
export class HistogramPoint {
  readonly timestampMs: number;
  readonly #isGauge: boolean;
  #lastBound = Number.NEGATIVE_INFINITY;
  #lastValue = 0;
  #hasInfinity = false;
  #hasNegativeBound = false;
  #count: number | null = null;
  #sum: number | null = null;

  constructor(timestampMs: number, isGauge: boolean) {
    this.timestampMs = timestampMs;
    this.#isGauge = isGauge;
  }

  add(suffix: string, bound: number, value: number): string | null {
    switch (suffix) {
      case '_bucket':
        return this.#addBucket(bound, value);
      case '_count':
      case '_gcount':
        if (!this.#hasInfinity) return 'buckets come before the count';
        this.#count = value;
        return null;
      default:
        this.#sum = value;
        return null;
    }
  }

  endFault(): string | null {
    if (!this.#hasInfinity) return 'a histogram needs the bucket le="+Inf"';
    if ((this.#count === null) !== (this.#sum === null))
      return 'count and sum of a histogram come together or not at all';
    if (this.#count !== null && this.#count !== this.#lastValue)
      return 'the count of a histogram equals its bucket le="+Inf"';
    if (this.#sum === null) return null;
    if (!this.#isGauge && this.#hasNegativeBound)
      return 'a histogram with negative buckets has no sum';
    if (this.#sum < 0 && !this.#hasNegativeBound) return 'a sum below 0 needs buckets below 0';
    return null;
  }

  #addBucket(bound: number, value: number): string | null {
    if (this.#count !== null) return 'buckets come before the count';
    if (this.#hasInfinity || !(bound > this.#lastBound)) return 'bucket bounds must increase';
    if (value < this.#lastValue) return 'bucket values must not decrease';
    this.#lastBound = bound;
    this.#lastValue = value;
    if (bound < 0) this.#hasNegativeBound = true;
    if (bound === Number.POSITIVE_INFINITY) this.#hasInfinity = true;
    return null;
  }
}
