import {
  bucketIndexes,
  type HistogramColumns,
  type HistogramSample,
  histogramValueCount,
  isStaleSum,
  MAX_INTEGER_COUNT,
  spansOfIndexes,
} from '@pollux/kernels';
import {
  type CounterResetHint,
  type FloatHistogram,
  type Span,
  setStaleAt,
  wordsOf,
} from '@pollux/model';

/** The finest resolution that queries know; newer programs may have written finer ones. */
const MAX_SCHEMA = 8;

/** Histogram `index` of a chunk; its buckets are views of the columns. */
export function histogramAt(
  columns: HistogramColumns,
  index: number,
  counterResetHint: CounterResetHint,
): FloatHistogram {
  const { isInteger, values, starts, layout } = columns;
  const start = starts[index]!;
  const words = wordsOf(values.subarray(start + 2, start + 3));
  if (isStaleSum(words[1]!, words[0]!)) return staleHistogram(isInteger);
  const { schema, zeroThreshold, positiveSpans, negativeSpans, customValues } = layout;
  const end = start + histogramValueCount(layout);
  let positive = 0;
  for (const { length } of positiveSpans) positive += length;
  return withKnownSchema({
    counterResetHint,
    schema,
    zeroThreshold,
    zeroCount: values[start + 1]!,
    count: values[start]!,
    sum: values[start + 2]!,
    positiveSpans,
    negativeSpans,
    positiveBuckets: values.subarray(start + 3, start + 3 + positive),
    negativeBuckets: values.subarray(start + 3 + positive, end),
    customValues,
    isInteger,
    isStale: false,
  });
}

export function staleHistogram(isInteger: boolean): FloatHistogram {
  return {
    counterResetHint: 'unknown',
    schema: 0,
    zeroThreshold: 0,
    zeroCount: 0,
    count: 0,
    sum: Number.NaN,
    positiveSpans: [],
    negativeSpans: [],
    positiveBuckets: new Float64Array(0),
    negativeBuckets: new Float64Array(0),
    customValues: null,
    isInteger,
    isStale: true,
  };
}

/** True when both say the same; what was before them, which the hint of a reset speaks of, is left aside, and so are empty buckets. */
export function isSameHistogram(a: FloatHistogram, b: FloatHistogram): boolean {
  if (a.isStale || b.isStale) return a.isStale === b.isStale;
  return Object.is(a.sum, b.sum) && textOf(a) === textOf(b);
}

function textOf(histogram: FloatHistogram): string {
  const { schema, zeroThreshold, count, zeroCount, customValues, counterResetHint } = histogram;
  return JSON.stringify([
    [schema, zeroThreshold, count, zeroCount, counterResetHint === 'gauge'],
    filled(histogram.positiveSpans, histogram.positiveBuckets),
    filled(histogram.negativeSpans, histogram.negativeBuckets),
    [...(customValues ?? [])],
  ]);
}

function filled(spans: readonly Span[], buckets: Float64Array): readonly (readonly number[])[] {
  const all = Array.from(bucketIndexes(spans), (index, i) => [index, buckets[i]!]);
  return all.filter(([, value]) => value !== 0);
}

/** The histogram as a chunk takes it. */
export function sampleOf(
  histogram: FloatHistogram,
  timestampMs: number,
  startTimestampMs: number,
): HistogramSample {
  const { schema, zeroThreshold, positiveSpans, negativeSpans, customValues } = histogram;
  const layout = { schema, zeroThreshold, positiveSpans, negativeSpans, customValues };
  const { positiveBuckets, negativeBuckets, isStale } = histogram;
  const buckets = isStale ? 0 : positiveBuckets.length + negativeBuckets.length;
  const values = new Float64Array(3 + buckets);
  if (isStale) setStaleAt(wordsOf(values), 2);
  else {
    values[0] = histogram.count;
    values[1] = histogram.zeroCount;
    values[2] = histogram.sum;
    values.set(positiveBuckets, 3);
    values.set(negativeBuckets, 3 + positiveBuckets.length);
  }
  return {
    timestampMs,
    startTimestampMs,
    isInteger: isIntegral(histogram),
    hint: histogram.counterResetHint,
    layout,
    values,
    start: 0,
  };
}

/** True when it came as an integer histogram and an integer chunk can hold it; otherwise it is kept as one of floats. */
export function isIntegral(histogram: FloatHistogram): boolean {
  const { isInteger, isStale, count, zeroCount, positiveBuckets, negativeBuckets } = histogram;
  if (!isInteger || isStale) return isInteger;
  const isWhole = (value: number): boolean => Number.isInteger(value) && value <= MAX_INTEGER_COUNT;
  return (
    isWhole(count) &&
    isWhole(zeroCount) &&
    positiveBuckets.every(isWhole) &&
    negativeBuckets.every(isWhole)
  );
}

/** The same observations in buckets of schema 8, if they are in finer ones. */
export function withKnownSchema(histogram: FloatHistogram): FloatHistogram {
  return withSchema(histogram, MAX_SCHEMA);
}

/** The same observations in buckets of `maxSchema`, if they are in finer exponential ones. */
export function withSchema(histogram: FloatHistogram, maxSchema: number): FloatHistogram {
  const { schema, positiveSpans, negativeSpans, positiveBuckets, negativeBuckets } = histogram;
  if (schema <= maxSchema) return histogram;
  const halvings = schema - maxSchema;
  const positive = coarser(positiveSpans, positiveBuckets, halvings);
  const negative = coarser(negativeSpans, negativeBuckets, halvings);
  return {
    ...histogram,
    schema: maxSchema,
    positiveSpans: positive.spans,
    positiveBuckets: positive.counts,
    negativeSpans: negative.spans,
    negativeBuckets: negative.counts,
  };
}

function coarser(
  spans: readonly Span[],
  counts: Float64Array,
  halvings: number,
): { readonly spans: Span[]; readonly counts: Float64Array } {
  const merged = new Map<number, number>();
  for (const [i, index] of bucketIndexes(spans).entries()) {
    // Bucket i ends at base^i, inclusive: i and i − 1 share a bucket of half the resolution when i is even.
    const target = Math.floor((index - 1) / 2 ** halvings) + 1;
    merged.set(target, (merged.get(target) ?? 0) + counts[i]!);
  }
  return {
    spans: spansOfIndexes(Int32Array.from(merged.keys())),
    counts: Float64Array.from(merged.values()),
  };
}
