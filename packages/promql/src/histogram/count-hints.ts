import type { FloatHistogram } from '@pollux/model';
import { emptyLike } from './arithmetic.ts';
import { isHistogramReset } from './reset.ts';

/** Replaces unknown reset hints by what counts and sums alone tell of the sample before. */
export function withHintsByCount(
  histograms: readonly (FloatHistogram | null)[],
): (FloatHistogram | null)[] {
  let previous: FloatHistogram | null = null;
  return histograms.map((histogram) => {
    if (histogram === null || histogram.isStale) return histogram;
    const before = previous;
    previous = countsOf(histogram);
    if (before === null || histogram.counterResetHint !== 'unknown') return histogram;
    const hint = isHistogramReset(previous, before) ? 'reset' : 'not-reset';
    return { ...histogram, counterResetHint: hint };
  });
}

function countsOf(histogram: FloatHistogram): FloatHistogram {
  return { ...emptyLike(histogram), count: histogram.count, sum: histogram.sum };
}
