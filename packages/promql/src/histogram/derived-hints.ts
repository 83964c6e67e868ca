import type { FloatHistogram } from '@pollux/model';
import { isHistogramReset } from './reset.ts';

/** Replaces unknown reset hints by what the sample before tells. */
export function withDerivedHints(
  histograms: readonly (FloatHistogram | null)[],
): (FloatHistogram | null)[] {
  let previous: FloatHistogram | null = null;
  return histograms.map((histogram) => {
    if (histogram === null || histogram.isStale) return histogram;
    const before = previous;
    previous = histogram;
    if (before === null || histogram.counterResetHint !== 'unknown') return histogram;
    const hint = isHistogramReset(histogram, before) ? 'reset' : 'not-reset';
    return { ...histogram, counterResetHint: hint };
  });
}
