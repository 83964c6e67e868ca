import type { FloatHistogram } from '@pollux/model';
import { allBuckets, bucketMap, spansOf, upperBound, usesCustomBuckets } from './buckets.ts';

/** Keeps the observations below (`isUpper`) or above a bound; a bucket that the bound cuts is split by interpolation. */
export function trimHistogram(
  histogram: FloatHistogram,
  bound: number,
  isUpper: boolean,
): FloatHistogram {
  return new Trimmer(histogram, bound, isUpper).run();
}

class Trimmer {
  readonly #histogram: FloatHistogram;
  readonly #bound: number;
  readonly #isUpper: boolean;
  #sum = 0;
  #count = 0;
  #hasChange = false;

  constructor(histogram: FloatHistogram, bound: number, isUpper: boolean) {
    this.#histogram = histogram;
    this.#bound = bound;
    this.#isUpper = isUpper;
  }

  run(): FloatHistogram {
    const histogram = this.#histogram;
    const positive = bucketMap(histogram.positiveSpans, histogram.positiveBuckets);
    const negative = bucketMap(histogram.negativeSpans, histogram.negativeBuckets);
    for (const [index, count] of positive) {
      const lower = upperBound(histogram, index - 1);
      positive.set(index, this.#keep(count, lower, upperBound(histogram, index), false));
    }
    for (const [index, count] of negative) {
      const lower = -upperBound(histogram, index);
      negative.set(index, this.#keep(count, lower, -upperBound(histogram, index - 1), false));
    }
    const zeroCount = this.#trimZero();
    const positiveRuns = spansOf(positive);
    const negativeRuns = spansOf(negative);
    return {
      ...histogram,
      zeroCount,
      count: this.#hasChange ? this.#count : histogram.count,
      sum: this.#hasChange ? this.#sum : histogram.sum,
      positiveSpans: positiveRuns.spans,
      positiveBuckets: positiveRuns.buckets,
      negativeSpans: negativeRuns.spans,
      negativeBuckets: negativeRuns.buckets,
    };
  }

  #trimZero(): number {
    const { zeroCount, zeroThreshold, negativeBuckets, positiveBuckets } = this.#histogram;
    if (zeroCount === 0 || usesCustomBuckets(this.#histogram)) return zeroCount;
    const hasNegative = negativeBuckets.length > 0;
    const hasPositive = positiveBuckets.length > 0;
    const lower = hasPositive && !hasNegative ? 0 : -zeroThreshold;
    const upper = hasNegative && !hasPositive ? 0 : zeroThreshold;
    return this.#keep(zeroCount, lower, upper, true);
  }

  /** How much of a bucket stays; its middle stands for its observations in the new sum. */
  #keep(count: number, lower: number, upper: number, isZero: boolean): number {
    const share = this.#shareBelow(lower, upper, isZero);
    const kept = count * (this.#isUpper ? share : 1 - share);
    if (kept !== count) this.#hasChange = true;
    if (kept === 0) return 0;
    const from = this.#isUpper ? lower : Math.max(lower, Math.min(this.#bound, upper));
    const to = this.#isUpper ? Math.min(upper, Math.max(this.#bound, lower)) : upper;
    this.#count += kept;
    this.#sum += kept * this.#middle(from, to, isZero);
    return kept;
  }

  #shareBelow(lower: number, upper: number, isZero: boolean): number {
    const bound = this.#bound;
    if (bound >= upper) return 1;
    if (bound <= lower) return 0;
    if (usesCustomBuckets(this.#histogram)) {
      if (lower === Number.NEGATIVE_INFINITY) {
        return upper > 0 && bound > 0 ? bound / upper : 0;
      }
      if (upper === Number.POSITIVE_INFINITY) return 0;
      return (bound - lower) / (upper - lower);
    }
    if (isZero) return (bound - lower) / (upper - lower);
    const logLower = Math.log2(Math.abs(lower));
    const logUpper = Math.log2(Math.abs(upper));
    const logBound = Math.log2(Math.abs(bound));
    if (lower >= 0) return (logBound - logLower) / (logUpper - logLower);
    return 1 - (logBound - logUpper) / (logLower - logUpper);
  }

  #middle(lower: number, upper: number, isZero: boolean): number {
    if (usesCustomBuckets(this.#histogram)) {
      if (lower === Number.NEGATIVE_INFINITY) return upper;
      if (upper === Number.POSITIVE_INFINITY) return lower;
      return (lower + upper) / 2;
    }
    if (isZero) return (lower + upper) / 2;
    const middle = Math.sqrt(lower * upper);
    return upper <= 0 ? -middle : middle;
  }
}

/** True when the histogram holds no observation at all. */
export function isEmptyHistogram(histogram: FloatHistogram): boolean {
  return allBuckets(histogram).every(({ count }) => count === 0);
}
