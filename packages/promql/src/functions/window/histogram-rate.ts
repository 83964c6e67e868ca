import type { FloatHistogram } from '@pollux/model';
import { HistogramAccumulator } from '../../histogram/accumulator.ts';
import { emptyLike, scaleHistogram } from '../../histogram/arithmetic.ts';
import { usesCustomBuckets } from '../../histogram/buckets.ts';
import { isHistogramReset } from '../../histogram/reset.ts';
import {
  countKinds,
  type MixedInput,
  noteReconciled,
  warnMixed,
  warnMixedSchemas,
  warnOfHints,
} from './mixed-input.ts';
import { extrapolationFactor, rateOfFloats } from './rate.ts';

/** rate, increase and delta over a window that may hold histograms. */
export function histogramRate(input: MixedInput): number | FloatHistogram | null {
  const { series, windows, index, lo, hi, call } = input;
  if (hi - lo < 2) return null;
  const kinds = countKinds(input);
  const isCounter = call.func !== 'delta';
  if (kinds.histograms === 0) return rateOfFloats(windows, index, isCounter, call.func === 'rate');
  if (kinds.floats > 0) {
    warnMixed(input);
    return null;
  }
  const histograms = series.histograms!.slice(lo, hi) as FloatHistogram[];
  const difference = histogramDifference(input, histograms, {
    isCounter,
    fromZero: false,
    isForcedReset: never,
  });
  if (difference === null) return null;
  const first = histograms[0]!;
  const factor = extrapolationFactor(
    series.timestampsMs[lo]!,
    series.timestampsMs[hi - 1]!,
    windows.startMs[index]!,
    windows.endMs[index]!,
    hi - lo,
    isCounter && difference.count > 0 ? first.count / difference.count : -1,
  );
  const seconds = (windows.endMs[index]! - windows.startMs[index]!) / 1000;
  return scaleHistogram(difference, call.func === 'rate' ? factor / seconds : factor);
}

const never = (): boolean => false;

export type DifferenceOptions = {
  readonly isCounter: boolean;
  /** The counter started inside the window: the first value counts whole. */
  readonly fromZero: boolean;
  /** Says that sample j of the window follows a reset whatever its counts. */
  readonly isForcedReset: (j: number) => boolean;
};

/** Last minus first plus what resets hid, as a gauge; null (with a warning) when layouts do not go together. */
export function histogramDifference(
  input: MixedInput,
  histograms: readonly FloatHistogram[],
  { isCounter, fromZero, isForcedReset }: DifferenceOptions,
): FloatHistogram | null {
  const { call, context } = input;
  const last = histograms.at(-1)!;
  const isReset = (j: number): boolean =>
    isForcedReset(j) || isHistogramReset(histograms[j]!, histograms[j - 1]!);
  // With a reset right after the first sample its layout is of no interest: it would be taken off and added back.
  const dropsFirst = isCounter && !fromZero && histograms.length > 1 && isReset(1);
  const relevant = dropsFirst ? histograms.slice(1) : histograms;
  const isCustom = usesCustomBuckets(last);
  if (relevant.some((histogram) => usesCustomBuckets(histogram) !== isCustom)) {
    warnMixedSchemas(input);
    return null;
  }
  warnOfHints(input, isCounter ? histograms : [histograms[0]!, last], isCounter);
  const accumulator = new HistogramAccumulator(last);
  const first =
    fromZero || dropsFirst ? { ...emptyLike(relevant[0]!), zeroThreshold: 0 } : histograms[0]!;
  const range = call.argRanges[0]!;
  if (accumulator.subtract(first).isReconciled) noteReconciled(context, 'subtraction', range);
  for (let j = 1; isCounter && j < histograms.length; j++) {
    const before = j === 1 && dropsFirst ? first : histograms[j - 1]!;
    if (isForcedReset(j) || isHistogramReset(histograms[j]!, before)) {
      if (accumulator.add(before).isReconciled) noteReconciled(context, 'addition', range);
    } else if (!isCustom) {
      // The resolution of every sample in between bounds that of the result, also where nothing is added.
      accumulator.add({ ...emptyLike(histograms[j]!), zeroThreshold: 0 });
    }
  }
  return accumulator.finish('gauge');
}
