import type { FloatHistogram } from '@pollux/model';
import { type AddOutcome, HistogramAccumulator } from './accumulator.ts';
import { divideHistogram, scaleHistogram } from './arithmetic.ts';

type Remarks = {
  readonly isReconciled: boolean;
  /** Some said that a counter was reset, others that it was not. */
  readonly hasHintConflict: boolean;
};
export type HistogramTotal =
  | (Remarks & { readonly histogram: FloatHistogram })
  /** Exponential and custom buckets were mixed: the index of the first that does not go with those before it. */
  | (Remarks & { readonly histogram: null; readonly incompatibleAt: number });

/** A power of two brings a sum back into range without touching its digits. */
const OVERFLOW_SCALE = 2 ** -32;

/** The sum or the mean of at least one histogram, in order. */
export function totalHistogram(
  histograms: readonly FloatHistogram[],
  isMean: boolean,
): HistogramTotal {
  const sum = addUp(histograms, 1);
  if (!isMean || sum.histogram === null) return sum;
  if (isInRange(sum.histogram) || !histograms.every(isInRange))
    return { ...sum, histogram: divideHistogram(sum.histogram, histograms.length) };
  // The sum overflows where the mean does not.
  const scaled = addUp(histograms, OVERFLOW_SCALE).histogram!;
  const mean = scaleHistogram(divideHistogram(scaled, histograms.length), 1 / OVERFLOW_SCALE);
  return { ...sum, histogram: mean };
}

function addUp(histograms: readonly FloatHistogram[], scale: number): HistogramTotal {
  const of = (histogram: FloatHistogram): FloatHistogram =>
    scale === 1 ? histogram : scaleHistogram(histogram, scale);
  const accumulator = new HistogramAccumulator(of(histograms[0]!));
  let isReconciled = false;
  for (let i = 1; i < histograms.length; i++) {
    const outcome: AddOutcome = accumulator.add(of(histograms[i]!));
    if (outcome.isIncompatible)
      return { histogram: null, incompatibleAt: i, isReconciled, hasHintConflict: false };
    isReconciled ||= outcome.isReconciled;
  }
  const hints = new Set(histograms.map(({ counterResetHint }) => counterResetHint));
  const hasHintConflict = hints.has('reset') && hints.has('not-reset');
  return { histogram: accumulator.finish(), isReconciled, hasHintConflict };
}

function isInRange(histogram: FloatHistogram): boolean {
  return (
    Number.isFinite(histogram.count) &&
    Number.isFinite(histogram.sum) &&
    Number.isFinite(histogram.zeroCount) &&
    histogram.positiveBuckets.every(Number.isFinite) &&
    histogram.negativeBuckets.every(Number.isFinite)
  );
}
