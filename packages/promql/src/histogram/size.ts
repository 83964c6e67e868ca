import type { FloatHistogram } from '@pollux/model';

/** How many float samples a histogram counts for under the sample limit: its size over the 16 bytes of a point. */
export function histogramPoints(histogram: FloatHistogram): number {
  const spans = histogram.positiveSpans.length + histogram.negativeSpans.length;
  const buckets = histogram.positiveBuckets.length + histogram.negativeBuckets.length;
  const custom = histogram.customValues?.length ?? 0;
  // 176 bytes of fixed fields in Prometheus' layout (slices included) and a timestamp.
  return Math.floor((176 + spans * 8 + (buckets + custom) * 8) / 16);
}
