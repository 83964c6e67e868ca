import type { FloatHistogram } from '@pollux/model';
import { bucketMap, spansOf, upperBound, usesCustomBuckets } from './buckets.ts';

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
    // Less than nothing is left as it is, and counts for nothing.
    if (zeroCount <= 0 || usesCustomBuckets(this.#histogram)) return zeroCount;
    const hasNegative = negativeBuckets.some(isFilled);
    const hasPositive = positiveBuckets.some(isFilled);
    const lower = hasPositive && !hasNegative ? 0 : -zeroThreshold;
    const upper = hasNegative && !hasPositive ? 0 : zeroThreshold;
    return this.#keep(zeroCount, lower, upper, true);
  }

  /** How much of a bucket stays; its middle stands for its observations in the new sum. */
  #keep(count: number, lower: number, upper: number, isZero: boolean): number {
    const part = usesCustomBuckets(this.#histogram)
      ? this.#customPart(lower, upper)
      : this.#part(lower, upper, isZero);
    const kept = count * part.share;
    if (kept !== count) this.#hasChange = true;
    if (kept === 0) return 0;
    this.#count += kept;
    this.#sum += kept * part.middle;
    return kept;
  }

  /** Custom buckets: linear, and all or nothing where a bucket has no end. */
  #customPart(lower: number, upper: number): Part {
    const bound = this.#bound;
    const isUpper = this.#isUpper;
    const hasLower = lower !== Number.NEGATIVE_INFINITY;
    const hasUpper = upper !== Number.POSITIVE_INFINITY;
    const keepsAll = isUpper ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
    if (!hasLower && !hasUpper) return bound === keepsAll ? { share: 1, middle: 0 } : NOTHING;
    // A finite bound below zero leaves nothing of a bucket that might reach down to it.
    if (!hasLower && !isUpper && bound < 0)
      return bound === keepsAll ? lowestWhole(upper) : NOTHING;
    // Observations of the lowest bucket are taken to be positive when its bound is.
    const from = !hasLower && upper > 0 ? 0 : lower;
    const isWhole = isUpper ? bound >= upper : bound <= from;
    if (isWhole) return { share: 1, middle: middleOf(from, upper) };
    const isGone = isUpper ? bound <= from : bound >= upper;
    if (isGone) return NOTHING;
    if (!hasUpper) return isUpper ? NOTHING : { share: 1, middle: bound };
    if (from === Number.NEGATIVE_INFINITY) return isUpper ? { share: 1, middle: bound } : NOTHING;
    const below = (bound - from) / (upper - from);
    return isUpper
      ? { share: below, middle: middleOf(from, bound) }
      : { share: 1 - below, middle: middleOf(bound, upper) };
  }

  /** Exponential buckets: by logarithm, the zero bucket linear. */
  #part(lower: number, upper: number, isZero: boolean): Part {
    const below = this.#shareBelow(lower, upper, isZero);
    const bound = Math.min(upper, Math.max(lower, this.#bound));
    const from = this.#isUpper ? lower : bound;
    const to = this.#isUpper ? bound : upper;
    const geometric = Math.sqrt(from * to) * (to <= 0 ? -1 : 1);
    return {
      share: this.#isUpper ? below : 1 - below,
      middle: isZero ? (from + to) / 2 : geometric,
    };
  }

  #shareBelow(lower: number, upper: number, isZero: boolean): number {
    const bound = this.#bound;
    if (bound >= upper) return 1;
    if (bound <= lower) return 0;
    if (isZero) return (bound - lower) / (upper - lower);
    const logLower = Math.log2(Math.abs(lower));
    const logUpper = Math.log2(Math.abs(upper));
    const logBound = Math.log2(Math.abs(bound));
    if (lower >= 0) return (logBound - logLower) / (logUpper - logLower);
    return 1 - (logBound - logUpper) / (logLower - logUpper);
  }
}

function isFilled(count: number): boolean {
  return count !== 0;
}

/** The share of a bucket that stays, and where its observations lie. */
type Part = { readonly share: number; readonly middle: number };

const NOTHING: Part = { share: 0, middle: 0 };

/** All of the lowest bucket. */
function lowestWhole(upper: number): Part {
  return { share: 1, middle: upper > 0 ? upper / 2 : upper };
}

function middleOf(lower: number, upper: number): number {
  if (lower === Number.NEGATIVE_INFINITY) return upper;
  if (upper === Number.POSITIVE_INFINITY) return lower;
  return (lower + upper) / 2;
}
