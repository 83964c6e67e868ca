import type { FloatHistogram } from '@pollux/model';

/** Of the fixed fields in Prometheus' layout, slices included. */
const FIXED_BYTES = 168;
/** Of a float sample with its time. */
const POINT_BYTES = 16;
const TIMESTAMP_BYTES = 8;

/** How many float samples a histogram that is kept counts for under the sample limit: its size with its time over that of a sample. */
export function histogramPoints(histogram: FloatHistogram): number {
  return Math.floor((bytesOf(histogram) + TIMESTAMP_BYTES) / POINT_BYTES);
}

/** As {@link histogramPoints}, while it is the result of one step: one sample, and its size without the time. */
export function histogramPointsOfStep(histogram: FloatHistogram): number {
  return 1 + Math.floor(bytesOf(histogram) / POINT_BYTES);
}

function bytesOf(histogram: FloatHistogram): number {
  const spans = histogram.positiveSpans.length + histogram.negativeSpans.length;
  const buckets = histogram.positiveBuckets.length + histogram.negativeBuckets.length;
  const custom = histogram.customValues?.length ?? 0;
  return FIXED_BYTES + (spans + buckets + custom) * 8;
}
