import type { CounterResetHint, FloatHistogram } from '@pollux/model';
import { HistogramAccumulator } from './accumulator.ts';
import { bucketMap, sameBounds, spansOf, usesCustomBuckets } from './buckets.ts';

/** Every count and the sum times `factor`; a negative factor makes a gauge. */
export function scaleHistogram(histogram: FloatHistogram, factor: number): FloatHistogram {
  return mapCounts(histogram, (value) => value * factor, factor < 0);
}

/** Divides counts and sum; a division by zero leaves no buckets, as there is nothing to tell them apart. */
export function divideHistogram(histogram: FloatHistogram, divisor: number): FloatHistogram {
  const divided = mapCounts(histogram, (value) => value / divisor, divisor < 0);
  if (divisor !== 0) return divided;
  const none = new Float64Array(0);
  return {
    ...divided,
    positiveSpans: [],
    negativeSpans: [],
    positiveBuckets: none,
    negativeBuckets: none,
  };
}

function mapCounts(
  histogram: FloatHistogram,
  map: (value: number) => number,
  becomesGauge: boolean,
): FloatHistogram {
  return {
    ...histogram,
    counterResetHint: becomesGauge ? 'gauge' : histogram.counterResetHint,
    zeroCount: map(histogram.zeroCount),
    count: map(histogram.count),
    sum: map(histogram.sum),
    positiveBuckets: histogram.positiveBuckets.map(map),
    negativeBuckets: histogram.negativeBuckets.map(map),
  };
}

export function withHint(histogram: FloatHistogram, hint: CounterResetHint): FloatHistogram {
  return histogram.counterResetHint === hint ? histogram : { ...histogram, counterResetHint: hint };
}

/** The histogram without empty buckets. */
export function compactHistogram(histogram: FloatHistogram): FloatHistogram {
  const positive = spansOf(bucketMap(histogram.positiveSpans, histogram.positiveBuckets));
  const negative = spansOf(bucketMap(histogram.negativeSpans, histogram.negativeBuckets));
  return {
    ...histogram,
    positiveSpans: positive.spans,
    negativeSpans: negative.spans,
    positiveBuckets: positive.buckets,
    negativeBuckets: negative.buckets,
  };
}

/** An empty histogram of the same layout. */
export function emptyLike(histogram: FloatHistogram): FloatHistogram {
  const none = new Float64Array(0);
  return {
    ...histogram,
    zeroCount: 0,
    count: 0,
    sum: 0,
    positiveSpans: [],
    negativeSpans: [],
    positiveBuckets: none,
    negativeBuckets: none,
  };
}

/** Equal in everything that PromQL's == looks at: layout and counts, not the reset hint. */
export function equalHistograms(a: FloatHistogram, b: FloatHistogram): boolean {
  if (a.schema !== b.schema || a.count !== b.count || !sameFloat(a.sum, b.sum)) return false;
  if (usesCustomBuckets(a)) {
    if (!sameBounds(a.customValues!, b.customValues!)) return false;
  } else if (a.zeroThreshold !== b.zeroThreshold || a.zeroCount !== b.zeroCount) return false;
  return (
    sameBuckets(
      bucketMap(a.positiveSpans, a.positiveBuckets),
      bucketMap(b.positiveSpans, b.positiveBuckets),
    ) &&
    sameBuckets(
      bucketMap(a.negativeSpans, a.negativeBuckets),
      bucketMap(b.negativeSpans, b.negativeBuckets),
    )
  );
}

function sameFloat(a: number, b: number): boolean {
  return a === b || (Number.isNaN(a) && Number.isNaN(b));
}

function sameBuckets(a: Map<number, number>, b: Map<number, number>): boolean {
  for (const index of new Set([...a.keys(), ...b.keys()]))
    if ((a.get(index) ?? 0) !== (b.get(index) ?? 0)) return false;
  return true;
}

/** a − b or a + b in one go; null when the layouts can not be brought together. */
export function combineHistograms(
  left: FloatHistogram,
  right: FloatHistogram,
  operator: '+' | '-',
): {
  readonly histogram: FloatHistogram;
  readonly hasHintCollision: boolean;
  readonly isReconciled: boolean;
} | null {
  const accumulator = new HistogramAccumulator(left);
  const outcome = operator === '+' ? accumulator.add(right) : accumulator.subtract(right);
  if (outcome.isIncompatible) return null;
  const { hasHintCollision, isReconciled } = outcome;
  return { histogram: accumulator.finish(), hasHintCollision, isReconciled };
}
