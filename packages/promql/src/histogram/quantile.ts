import type { FloatHistogram } from '@pollux/model';
import { neumaier } from '../functions/window/sum.ts';
import { allBuckets, type Bucket, usesCustomBuckets } from './buckets.ts';

/** What NaN observations did to a quantile. */
export type NanEffect = 'none' | 'result-is-nan' | 'skewed';

/** The q-quantile of a native histogram: exponential interpolation inside buckets, linear in the zero and custom ones. */
export function nativeQuantile(
  q: number,
  histogram: FloatHistogram,
): { readonly value: number; readonly nan: NanEffect } {
  if (q < 0) return { value: Number.NEGATIVE_INFINITY, nan: 'none' };
  if (q > 1) return { value: Number.POSITIVE_INFINITY, nan: 'none' };
  if (histogram.count === 0 || Number.isNaN(q)) return { value: Number.NaN, nan: 'none' };
  // NaN observations count in no bucket, so ranks from the top would be wrong.
  const isForward = Number.isNaN(histogram.sum) || q < 0.5;
  const buckets = allBuckets(histogram);
  if (!isForward) buckets.reverse();
  let rank = (isForward ? q : 1 - q) * histogram.count;
  let count = 0;
  let bucket: Bucket | null = null;
  for (const candidate of buckets) {
    if (candidate.count === 0) continue;
    bucket = candidate;
    count += candidate.count;
    if (count >= rank) break;
  }
  const hasNan = Number.isNaN(histogram.sum);
  if (bucket === null) return { value: Number.NaN, nan: hasNan ? 'result-is-nan' : 'none' };
  const edges = interpolationEdges(histogram, bucket);
  if (edges.fixed !== null) return { value: edges.fixed, nan: hasNan ? 'skewed' : 'none' };
  if (count > histogram.count) count = histogram.count;
  if (count < rank) {
    return hasNan
      ? { value: Number.NaN, nan: 'result-is-nan' }
      : { value: bucket.upper, nan: 'none' };
  }
  rank = isForward ? rank - (count - bucket.count) : count - rank;
  const value = interpolate(histogram, edges.lower, edges.upper, rank / bucket.count);
  return { value, nan: hasNan ? 'skewed' : 'none' };
}

/** Where values of a bucket may lie; `fixed` when a quantile in it can only be one bound. */
function interpolationEdges(
  histogram: FloatHistogram,
  bucket: Bucket,
): { readonly lower: number; readonly upper: number; readonly fixed: number | null } {
  const { lower, upper } = bucket;
  if (usesCustomBuckets(histogram)) {
    if (lower === Number.NEGATIVE_INFINITY)
      return { lower: 0, upper, fixed: upper <= 0 ? upper : null };
    return { lower, upper, fixed: upper === Number.POSITIVE_INFINITY ? lower : null };
  }
  return { ...clippedZeroBucket(histogram, bucket), fixed: null };
}

/** The zero bucket ends at zero when all other observations have one sign. */
function clippedZeroBucket(
  histogram: FloatHistogram,
  { lower, upper }: Bucket,
): { readonly lower: number; readonly upper: number } {
  if (!(lower < 0 && upper > 0)) return { lower, upper };
  const hasNegative = histogram.negativeBuckets.length > 0;
  const hasPositive = histogram.positiveBuckets.length > 0;
  if (!hasNegative && hasPositive) return { lower: 0, upper };
  if (!hasPositive && hasNegative) return { lower, upper: 0 };
  return { lower, upper };
}

function interpolate(
  histogram: FloatHistogram,
  lower: number,
  upper: number,
  fraction: number,
): number {
  if (usesCustomBuckets(histogram) || (lower <= 0 && upper >= 0))
    return lower + (upper - lower) * fraction;
  const logLower = Math.log2(Math.abs(lower));
  const logUpper = Math.log2(Math.abs(upper));
  if (lower > 0) return 2 ** (logLower + (logUpper - logLower) * fraction);
  return -(2 ** (logUpper + (logLower - logUpper) * (1 - fraction)));
}

/** The share of observations between two values. */
export function nativeFraction(lower: number, upper: number, histogram: FloatHistogram): number {
  if (histogram.count === 0 || Number.isNaN(lower) || Number.isNaN(upper)) return Number.NaN;
  if (lower >= upper) return 0;
  let rank = 0;
  let lowerRank: number | null = null;
  let upperRank: number | null = null;
  let counted = 0;
  for (const bucket of allBuckets(histogram)) {
    counted += bucket.count;
    const edges = usesCustomBuckets(histogram)
      ? customEdges(bucket)
      : clippedZeroBucket(histogram, bucket);
    const rankAt = (value: number): number =>
      rank + bucket.count * positionInBucket(histogram, edges.lower, edges.upper, value);
    if (lowerRank === null && edges.lower >= lower) lowerRank = rank;
    if (upperRank === null && edges.lower >= upper) upperRank = rank;
    if (lowerRank === null && edges.lower < lower && edges.upper > lower) lowerRank = rankAt(lower);
    if (upperRank === null && edges.lower < upper && edges.upper > upper) upperRank = rankAt(upper);
    if (lowerRank !== null && upperRank !== null) break;
    rank += bucket.count;
  }
  const most = Number.isNaN(histogram.sum) ? counted : histogram.count;
  const from = Math.min(lowerRank ?? most, most);
  const to = Math.min(upperRank ?? most, most);
  return (to - from) / histogram.count;
}

/** The lowest custom bucket reaches from 0 when its bound is positive. */
function customEdges(bucket: Bucket): { readonly lower: number; readonly upper: number } {
  if (bucket.lower === Number.NEGATIVE_INFINITY && bucket.upper > 0)
    return { lower: 0, upper: bucket.upper };
  return { lower: bucket.lower, upper: bucket.upper };
}

function positionInBucket(
  histogram: FloatHistogram,
  lower: number,
  upper: number,
  value: number,
): number {
  if (usesCustomBuckets(histogram)) {
    // There is no interpolation in a bucket without end: none of it counts as lying between two finite values.
    if (lower === Number.NEGATIVE_INFINITY) return 1;
    if (upper === Number.POSITIVE_INFINITY) return 0;
    return (value - lower) / (upper - lower);
  }
  if (lower <= 0 && upper >= 0) return (value - lower) / (upper - lower);
  const logLower = Math.log2(Math.abs(lower));
  const logUpper = Math.log2(Math.abs(upper));
  const logValue = Math.log2(Math.abs(value));
  if (value > 0) return (logValue - logLower) / (logUpper - logLower);
  return 1 - (logValue - logUpper) / (logLower - logUpper);
}

/** The population variance estimated from the middles of buckets (geometric for exponential ones). */
export function nativeVariance(histogram: FloatHistogram): number {
  const mean = histogram.sum / histogram.count;
  let sum = 0;
  let lost = 0;
  for (const bucket of allBuckets(histogram)) {
    if (bucket.count === 0) continue;
    const delta = bucketMiddle(histogram, bucket) - mean;
    const term = bucket.count * delta * delta;
    const next = sum + term;
    lost += neumaier(sum, term, next);
    sum = next;
  }
  return (sum + lost) / histogram.count;
}

function bucketMiddle(histogram: FloatHistogram, { lower, upper }: Bucket): number {
  if (usesCustomBuckets(histogram)) return (lower + upper) / 2;
  if (lower <= 0 && upper >= 0) return 0;
  const middle = Math.sqrt(lower * upper);
  return upper < 0 ? -middle : middle;
}
