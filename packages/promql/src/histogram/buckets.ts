import { CUSTOM_BUCKETS_SCHEMA, type FloatHistogram, type Span } from '@pollux/model';

/** A bucket with its bounds; the zero bucket has index 0 and both bounds inclusive. */
export type Bucket = {
  readonly lower: number;
  readonly upper: number;
  readonly lowerInclusive: boolean;
  readonly upperInclusive: boolean;
  readonly count: number;
  readonly index: number;
};

export function usesCustomBuckets(histogram: FloatHistogram): boolean {
  return histogram.schema === CUSTOM_BUCKETS_SCHEMA;
}

/** Calls `visit` with the index and count of each bucket of a side, in index order. */
export function forEachBucket(
  spans: readonly Span[],
  counts: Float64Array,
  visit: (index: number, count: number) => void,
): void {
  let index = 0;
  let at = 0;
  for (const span of spans) {
    index += span.offset;
    for (let i = 0; i < span.length; i++) visit(index++, counts[at++] ?? 0);
  }
}

/** Largest finite power of two is 2^1023; the bucket that reaches 2^1024 ends at the largest float. */
const OVERFLOW_EXPONENT = 1024;

/**
 * Bounds inside one octave, [1, 2), by schema, bit for bit those that Prometheus' table has: every other bound is that of
 * the schema before, and those between are their lower neighbour times 2^(2^−schema). √2 is an ulp low in it.
 */
const OCTAVES: readonly Float64Array[] = octaves(8);

function octaves(maxSchema: number): Float64Array[] {
  const tables = [Float64Array.of(1)];
  for (let schema = 1; schema <= maxSchema; schema++) {
    const coarser = tables[schema - 1]!;
    const factor = schema === 1 ? Math.SQRT2 - Number.EPSILON : 2 ** (2 ** -schema);
    const bounds = new Float64Array(2 ** schema);
    for (let i = 0; i < bounds.length; i++)
      bounds[i] = i % 2 === 0 ? coarser[i / 2]! : bounds[i - 1]! * factor;
    tables.push(bounds);
  }
  return tables;
}

/** The upper bound of exponential bucket `index`: 2^(index · 2^−schema); schemas go up to 8. */
export function exponentialBound(index: number, schema: number): number {
  if (schema <= 0) return boundOf(index * 2 ** -schema, 1);
  const bounds = OCTAVES[schema]!;
  const octave = Math.floor(index / bounds.length);
  return boundOf(octave, bounds[index - octave * bounds.length]!);
}

function boundOf(exponent: number, mantissa: number): number {
  if (exponent === OVERFLOW_EXPONENT && mantissa === 1) return Number.MAX_VALUE;
  // 2 ** 1024 would be infinite before the mantissa brings it back, and tiny bounds underflow in one step.
  if (exponent > 1000) return mantissa * 2 ** 1000 * 2 ** (exponent - 1000);
  if (exponent < -1000) return mantissa * 2 ** -1000 * 2 ** (exponent + 1000);
  return mantissa * 2 ** exponent;
}

/** The upper bound of positive bucket `index` under the histogram's schema. */
export function upperBound(histogram: FloatHistogram, index: number): number {
  if (!usesCustomBuckets(histogram)) return exponentialBound(index, histogram.schema);
  const bounds = histogram.customValues!;
  if (index < 0) return Number.NEGATIVE_INFINITY;
  return index < bounds.length ? bounds[index]! : Number.POSITIVE_INFINITY;
}

/** Every bucket from the lowest to the highest, the zero bucket included where it holds anything. */
export function allBuckets(histogram: FloatHistogram): Bucket[] {
  const negative: Bucket[] = [];
  const positive: Bucket[] = [];
  forEachBucket(histogram.negativeSpans, histogram.negativeBuckets, (index, count) => {
    negative.push(
      bucketOf(-upperBound(histogram, index), -upperBound(histogram, index - 1), count, index),
    );
  });
  forEachBucket(histogram.positiveSpans, histogram.positiveBuckets, (index, count) => {
    positive.push(
      bucketOf(upperBound(histogram, index - 1), upperBound(histogram, index), count, index),
    );
  });
  const zero: Bucket[] = [];
  if (histogram.zeroCount > 0 && !usesCustomBuckets(histogram)) {
    const { zeroThreshold, zeroCount } = histogram;
    // The zero bucket swallows what other buckets would have of it.
    zero.push({
      lower: -zeroThreshold,
      upper: zeroThreshold,
      lowerInclusive: true,
      upperInclusive: true,
      count: zeroCount,
      index: 0,
    });
  }
  return [...negative.reverse(), ...zero, ...positive];
}

function bucketOf(lower: number, upper: number, count: number, index: number): Bucket {
  return { lower, upper, lowerInclusive: lower < 0, upperInclusive: upper > 0, count, index };
}

/** Spans and counts of the buckets in `counts`, empty ones left out. */
export function spansOf(counts: ReadonlyMap<number, number>): {
  readonly spans: readonly Span[];
  readonly buckets: Float64Array;
} {
  const indexes = [...counts.keys()].filter((index) => counts.get(index) !== 0);
  indexes.sort((a, b) => a - b);
  const spans: { offset: number; length: number }[] = [];
  const buckets = new Float64Array(indexes.length);
  let end = 0;
  for (const [at, index] of indexes.entries()) {
    const last = spans.at(-1);
    if (last !== undefined && index === end) last.length++;
    else spans.push({ offset: index - end, length: 1 });
    buckets[at] = counts.get(index)!;
    end = index + 1;
  }
  return { spans, buckets };
}

export function bucketMap(spans: readonly Span[], counts: Float64Array): Map<number, number> {
  const map = new Map<number, number>();
  forEachBucket(spans, counts, (index, count) => map.set(index, count));
  return map;
}

/** The index that a bucket has after lowering the schema. */
export function reducedIndex(index: number, from: number, to: number): number {
  return Math.floor((index - 1) / 2 ** (from - to)) + 1;
}

/** The bounds that both have; custom bounds ascend. */
export function commonBounds(a: Float64Array, b: Float64Array): Float64Array {
  const common: number[] = [];
  let j = 0;
  for (const bound of a) {
    while (j < b.length && b[j]! < bound) j++;
    if (j < b.length && b[j] === bound) common.push(bound);
  }
  return Float64Array.from(common);
}

/** The bucket among `bounds` that holds all of bucket `index` of a histogram with the bounds `from`. */
export function remappedIndex(index: number, from: Float64Array, bounds: Float64Array): number {
  if (index >= from.length) return bounds.length;
  const upper = from[index]!;
  let lo = 0;
  let hi = bounds.length;
  while (lo < hi) {
    const mid = (lo + hi) >> 1;
    if (bounds[mid]! < upper) lo = mid + 1;
    else hi = mid;
  }
  return lo;
}

export function sameBounds(a: Float64Array, b: Float64Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
