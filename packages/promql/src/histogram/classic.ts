/** A classic histogram at one step: cumulative counts by ascending upper bound. Reused from group to group. */
export class ClassicBuckets {
  #upper = new Float64Array(16);
  #count = new Float64Array(16);
  #order: number[] = [];
  size = 0;

  clear(): void {
    this.size = 0;
  }

  add(upper: number, count: number): void {
    if (this.size === this.#upper.length) this.#grow();
    this.#upper[this.size] = upper;
    this.#count[this.size] = count;
    this.size++;
  }

  upperAt(index: number): number {
    return this.#upper[index]!;
  }

  countAt(index: number): number {
    return this.#count[index]!;
  }

  /** Sorts by bound and adds up buckets of equal bounds. */
  normalize(): void {
    this.#order.length = this.size;
    for (let i = 0; i < this.size; i++) this.#order[i] = i;
    this.#order.sort((a, b) => this.#upper[a]! - this.#upper[b]!);
    const upper = new Float64Array(this.#upper.length);
    const count = new Float64Array(this.#count.length);
    let kept = 0;
    for (const from of this.#order) {
      if (kept > 0 && upper[kept - 1] === this.#upper[from]) count[kept - 1]! += this.#count[from]!;
      else {
        upper[kept] = this.#upper[from]!;
        count[kept++] = this.#count[from]!;
      }
    }
    this.#upper = upper;
    this.#count = count;
    this.size = kept;
  }

  get endsInInfinity(): boolean {
    return this.size > 0 && this.#upper[this.size - 1] === Number.POSITIVE_INFINITY;
  }

  /**
   * Makes counts ascend. Tiny differences are rounding and pass unnoticed; returns what else had to be lifted, or null.
   */
  ensureMonotonic(): MonotonicityFix | null {
    let minBucket = Number.POSITIVE_INFINITY;
    let maxBucket = Number.NEGATIVE_INFINITY;
    let maxDifference = 0;
    let previous = this.#count[0]!;
    for (let i = 1; i < this.size; i++) {
      const current = this.#count[i]!;
      if (current === previous) continue;
      if (isAlmostEqual(previous, current)) {
        this.#count[i] = previous;
        continue;
      }
      if (current < previous) {
        const upper = this.#upper[i]!;
        minBucket = Math.min(minBucket, upper);
        maxBucket = Math.max(maxBucket, upper);
        maxDifference = Math.max(maxDifference, previous - current);
        this.#count[i] = previous;
        continue;
      }
      previous = current;
    }
    return maxDifference === 0 ? null : { minBucket, maxBucket, maxDifference };
  }

  #grow(): void {
    const upper = new Float64Array(this.size * 2);
    const count = new Float64Array(this.size * 2);
    upper.set(this.#upper);
    count.set(this.#count);
    this.#upper = upper;
    this.#count = count;
  }
}

export type MonotonicityFix = {
  readonly minBucket: number;
  readonly maxBucket: number;
  readonly maxDifference: number;
};

const TOLERANCE = 1e-12;
const SMALLEST_NORMAL = 2 ** -1022;

function isAlmostEqual(a: number, b: number): boolean {
  const difference = Math.abs(a - b);
  const sum = Math.abs(a) + Math.abs(b);
  if (a === 0 || b === 0 || sum < SMALLEST_NORMAL) return difference < TOLERANCE * SMALLEST_NORMAL;
  return difference / Math.min(sum, Number.MAX_VALUE) < TOLERANCE;
}

/** The q-quantile; buckets must be normalized and monotonic. */
export function classicQuantile(q: number, buckets: ClassicBuckets): number {
  if (Number.isNaN(q)) return Number.NaN;
  if (q < 0) return Number.NEGATIVE_INFINITY;
  if (q > 1) return Number.POSITIVE_INFINITY;
  const last = buckets.size - 1;
  if (!buckets.endsInInfinity || last < 1) return Number.NaN;
  const observations = buckets.countAt(last);
  if (observations === 0) return Number.NaN;
  let rank = q * observations;
  let b = 0;
  while (b < last && !(buckets.countAt(b) >= rank)) b++;
  if (b === last) return buckets.upperAt(last - 1);
  const end = buckets.upperAt(b);
  if (b === 0 && end <= 0) return end;
  let start = 0;
  let count = buckets.countAt(b);
  if (b > 0) {
    start = buckets.upperAt(b - 1);
    count -= buckets.countAt(b - 1);
    rank -= buckets.countAt(b - 1);
  }
  return start + (end - start) * (rank / count);
}

/** The share of observations between two values; buckets must be normalized. */
export function classicFraction(lower: number, upper: number, buckets: ClassicBuckets): number {
  const last = buckets.size - 1;
  if (!buckets.endsInInfinity) return Number.NaN;
  const observations = buckets.countAt(last);
  if (observations === 0 || Number.isNaN(lower) || Number.isNaN(upper)) return Number.NaN;
  if (lower >= upper) return 0;
  // Counts that do not ascend are cut to the last.
  const rank = (value: number): number => Math.min(rankOf(value, buckets), observations);
  return (rank(upper) - rank(lower)) / observations;
}

/** How many observations lie below a value, linear inside buckets; the lowest starts at 0 when its bound is positive. */
function rankOf(value: number, buckets: ClassicBuckets): number {
  let rank = 0;
  for (let i = 0; i < buckets.size; i++) {
    const first = buckets.upperAt(0) > 0 ? 0 : Number.NEGATIVE_INFINITY;
    const lower = i > 0 ? buckets.upperAt(i - 1) : first;
    const upper = buckets.upperAt(i);
    if (lower >= value) return rank;
    if (upper > value) {
      if (!Number.isFinite(lower)) return buckets.countAt(i);
      const within = Number.isFinite(upper) ? (value - lower) / (upper - lower) : 0;
      return rank + (buckets.countAt(i) - rank) * within;
    }
    rank = buckets.countAt(i);
  }
  return rank;
}
