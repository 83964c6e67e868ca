import type { FloatHistogram } from '@pollux/model';
import { emptyLike } from './arithmetic.ts';
import { isHistogramReset } from './reset.ts';

/** Histograms without buckets, and with what the sample before tells of resets in place of unknown hints. */
export function countsOf(
  histograms: readonly (FloatHistogram | null)[],
): (FloatHistogram | null)[] {
  let previous: FloatHistogram | null = null;
  return histograms.map((histogram) => {
    if (histogram === null || histogram.isStale) return histogram;
    const before = previous;
    previous = histogram;
    const counts = withoutBuckets(histogram);
    if (before === null || histogram.counterResetHint !== 'unknown') return counts;
    const hint = isHistogramReset(histogram, before) ? 'reset' : 'not-reset';
    return { ...counts, counterResetHint: hint };
  });
}

function withoutBuckets(histogram: FloatHistogram): FloatHistogram {
  return {
    ...emptyLike(histogram),
    count: histogram.count,
    sum: histogram.sum,
    zeroThreshold: 0,
    // Bounds that are not there differ from no others.
    customValues: histogram.customValues === null ? null : NO_BOUNDS,
  };
}

const NO_BOUNDS = new Float64Array(0);
