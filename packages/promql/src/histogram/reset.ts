import type { FloatHistogram } from '@pollux/model';
import { widenZero } from './accumulator.ts';
import {
  bucketMap,
  commonBounds,
  exponentialBound,
  reducedIndex,
  remappedIndex,
  usesCustomBuckets,
} from './buckets.ts';

/** True when a counter histogram was reset between `previous` and `histogram`. */
export function isHistogramReset(histogram: FloatHistogram, previous: FloatHistogram): boolean {
  if (histogram.counterResetHint === 'reset') return true;
  if (histogram.counterResetHint === 'not-reset') return false;
  if (histogram.count < previous.count) return true;
  if (usesCustomBuckets(histogram) !== usesCustomBuckets(previous)) return true;
  if (usesCustomBuckets(histogram)) return isCustomReset(histogram, previous);
  // A finer schema or a narrower zero bucket can not come of more observations.
  if (histogram.schema > previous.schema) return true;
  if (histogram.zeroThreshold < previous.zeroThreshold) return true;
  const positive = bucketMap(previous.positiveSpans, previous.positiveBuckets);
  const negative = bucketMap(previous.negativeSpans, previous.negativeBuckets);
  const sides = { positive, negative, schema: previous.schema };
  const zero = widenZero(sides, previous.zeroCount, histogram.zeroThreshold);
  if (zero.threshold !== histogram.zeroThreshold) return true;
  if (histogram.zeroCount < zero.count) return true;
  const lost = (
    before: ReadonlyMap<number, number>,
    after: ReadonlyMap<number, number>,
  ): boolean => {
    const reduced = new Map<number, number>();
    for (const [index, count] of before) {
      if (exponentialBound(index, previous.schema) <= histogram.zeroThreshold) continue;
      const target = reducedIndex(index, previous.schema, histogram.schema);
      reduced.set(target, (reduced.get(target) ?? 0) + count);
    }
    return shrank(reduced, after);
  };
  return (
    lost(positive, bucketMap(histogram.positiveSpans, histogram.positiveBuckets)) ||
    lost(negative, bucketMap(histogram.negativeSpans, histogram.negativeBuckets))
  );
}

function isCustomReset(histogram: FloatHistogram, previous: FloatHistogram): boolean {
  const bounds = commonBounds(histogram.customValues!, previous.customValues!);
  const onCommon = (of: FloatHistogram): Map<number, number> => {
    const counts = new Map<number, number>();
    for (const [index, count] of bucketMap(of.positiveSpans, of.positiveBuckets)) {
      const target = remappedIndex(index, of.customValues!, bounds);
      counts.set(target, (counts.get(target) ?? 0) + count);
    }
    return counts;
  };
  return shrank(onCommon(previous), onCommon(histogram));
}

function shrank(before: ReadonlyMap<number, number>, after: ReadonlyMap<number, number>): boolean {
  for (const [index, count] of before) if ((after.get(index) ?? 0) < count) return true;
  return false;
}
