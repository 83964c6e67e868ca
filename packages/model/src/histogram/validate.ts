import { CUSTOM_BUCKETS_SCHEMA, type FloatHistogram, type Span } from './histogram.ts';

const MIN_SCHEMA = -4;
const MAX_SCHEMA = 8;

/**
 * What makes the histogram one that no storage takes, in Prometheus' words; null when it is sound. A stale marker always
 * is. Counts of integer histograms must add up, those of float histograms may have been rounded.
 */
export function histogramFault(histogram: FloatHistogram): string | null {
  if (histogram.isStale) return null;
  const { schema, zeroCount, count, positiveBuckets, negativeBuckets, isInteger } = histogram;
  const isCustom = schema === CUSTOM_BUCKETS_SCHEMA;
  if (!isCustom && !(Number.isInteger(schema) && schema >= MIN_SCHEMA && schema <= MAX_SCHEMA)) {
    return `histogram has an invalid schema, which must be between ${MIN_SCHEMA} and ${MAX_SCHEMA} for exponential buckets, or ${CUSTOM_BUCKETS_SCHEMA} for custom buckets, got schema ${schema}`;
  }
  const layoutFault = isCustom ? customFault(histogram) : exponentialFault(histogram);
  if (layoutFault !== null) return layoutFault;
  const negativeFault = bucketFault(negativeBuckets);
  if (negativeFault !== null) return `negative side: ${negativeFault}`;
  if (zeroCount < 0) {
    return `zero bucket has observation count of ${zeroCount}: ${NEGATIVE_BUCKET}`;
  }
  if (count < 0) {
    return `observation count is  ${count}: histogram's observation count is negative`;
  }
  const positiveFault = bucketFault(positiveBuckets);
  if (positiveFault !== null) return `positive side: ${positiveFault}`;
  return isInteger ? countFault(histogram) : null;
}

const NEGATIVE_BUCKET = 'histogram has a bucket whose observation count is negative';
const NEGATIVE_OFFSET = 'histogram has a span whose offset is negative';
const WRONG_BUCKETS = 'histogram spans specify different number of buckets than provided';

function exponentialFault(histogram: FloatHistogram): string | null {
  const { positiveSpans, negativeSpans, positiveBuckets, negativeBuckets } = histogram;
  const positive = spanFault(positiveSpans, positiveBuckets.length);
  if (positive !== null) return `positive side: ${positive}`;
  const negative = spanFault(negativeSpans, negativeBuckets.length);
  if (negative !== null) return `negative side: ${negative}`;
  if (histogram.customValues !== null) {
    return 'histogram with exponential schema must not have custom bounds';
  }
  return null;
}

function spanFault(spans: readonly Span[], buckets: number): string | null {
  let needed = 0;
  for (const [i, { offset, length }] of spans.entries()) {
    if (i > 0 && offset < 0) {
      return `span number ${i + 1} with offset ${offset}: ${NEGATIVE_OFFSET}`;
    }
    needed += length;
  }
  if (needed === buckets) return null;
  return `spans need ${needed} buckets, have ${buckets} buckets: ${WRONG_BUCKETS}`;
}

function customFault(histogram: FloatHistogram): string | null {
  const { positiveSpans, positiveBuckets, negativeSpans, negativeBuckets } = histogram;
  const bounds = histogram.customValues ?? new Float64Array(0);
  const fault =
    boundFault(bounds) ?? customSpanFault(bounds, positiveSpans, positiveBuckets.length);
  if (fault !== null) return `custom buckets: ${fault}`;
  if (histogram.zeroCount !== 0) return 'custom buckets: must have zero count of 0';
  if (histogram.zeroThreshold !== 0) return 'custom buckets: must have zero threshold of 0';
  if (negativeSpans.length > 0) return 'custom buckets: must not have negative spans';
  if (negativeBuckets.length > 0) return 'custom buckets: must not have negative buckets';
  return null;
}

function boundFault(bounds: Float64Array): string | null {
  let previous = Number.NEGATIVE_INFINITY;
  for (const [i, bound] of bounds.entries()) {
    if (Number.isNaN(bound)) return 'histogram custom bounds must not be NaN';
    if (i > 0 && bound <= previous) {
      return `previous bound is ${previous.toFixed(6)} and current is ${bound.toFixed(6)}: histogram custom bounds must be in strictly increasing order`;
    }
    previous = bound;
  }
  if (previous === Number.POSITIVE_INFINITY) {
    return 'last +Inf bound must not be explicitly defined: histogram custom bounds must be finite';
  }
  return null;
}

function customSpanFault(
  bounds: Float64Array,
  spans: readonly Span[],
  buckets: number,
): string | null {
  let needed = 0;
  let reach = 0;
  for (const [i, { offset, length }] of spans.entries()) {
    if (offset < 0) return `span number ${i + 1} with offset ${offset}: ${NEGATIVE_OFFSET}`;
    needed += length;
    reach += offset + length;
  }
  if (needed !== buckets) {
    return `spans need ${needed} buckets, have ${buckets} buckets: ${WRONG_BUCKETS}`;
  }
  if (bounds.length + 1 >= reach) return null;
  return `only ${bounds.length} custom bounds defined which is insufficient to cover total span length of ${reach}: histogram custom bounds are too few`;
}

function bucketFault(counts: Float64Array): string | null {
  for (let i = 0; i < counts.length; i++) {
    const count = counts[i]!;
    if (count < 0)
      return `bucket number ${i + 1} has observation count of ${count}: ${NEGATIVE_BUCKET}`;
  }
  return null;
}

function countFault(histogram: FloatHistogram): string | null {
  const { zeroCount, count, sum, positiveBuckets, negativeBuckets } = histogram;
  let inBuckets = zeroCount;
  for (const bucket of negativeBuckets) inBuckets += bucket;
  for (const bucket of positiveBuckets) inBuckets += bucket;
  const found = `${inBuckets} observations found in buckets, but the Count field is ${count}`;
  // NaN observations are counted, but in no bucket.
  if (Number.isNaN(sum)) {
    if (inBuckets <= count) return null;
    return `${found}: histogram's observation count should be at least the number of observations found in the buckets`;
  }
  if (inBuckets === count) return null;
  return `${found}: histogram's observation count should equal the number of observations found in the buckets (in absence of NaN)`;
}
