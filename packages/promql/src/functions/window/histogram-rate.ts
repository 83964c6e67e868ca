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
} from './mixed.ts';
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
  const difference = histogramDifference(input, histograms, isCounter);
  if (difference === null) return null;
  const first = histograms[0]!;
  const factor = extrapolationFactor({
    firstMs: series.timestampsMs[lo]!,
    lastMs: series.timestampsMs[hi - 1]!,
    startMs: windows.startMs[index]!,
    endMs: windows.endMs[index]!,
    samples: hi - lo,
    zeroRatio: isCounter && difference.count > 0 ? first.count / difference.count : -1,
  });
  const seconds = (windows.endMs[index]! - windows.startMs[index]!) / 1000;
  return scaleHistogram(difference, call.func === 'rate' ? factor / seconds : factor);
}

/** Last minus first plus what resets hid, as a gauge; null (with a warning) when layouts do not go together. */
export function histogramDifference(
  input: MixedInput,
  histograms: readonly FloatHistogram[],
  isCounter: boolean,
): FloatHistogram | null {
  const { call, context } = input;
  const last = histograms.at(-1)!;
  const isCustom = usesCustomBuckets(last);
  if (histograms.some((histogram) => usesCustomBuckets(histogram) !== isCustom)) {
    warnMixedSchemas(input);
    return null;
  }
  warnOfHints(input, isCounter ? histograms : [histograms[0]!, last], isCounter);
  // A reset right after the first sample makes its layout of no interest: only its counts would be added back.
  const dropsFirst = isCounter && isHistogramReset(histograms[1]!, histograms[0]!);
  let previous = dropsFirst ? emptyLike(histograms[1]!) : histograms[0]!;
  const accumulator = new HistogramAccumulator(last);
  let isReconciled = accumulator.subtract(previous).isReconciled;
  if (isCounter) {
    for (let j = 1; j < histograms.length; j++) {
      const current = histograms[j]!;
      if (!(j === 1 && dropsFirst) && isHistogramReset(current, previous))
        isReconciled = accumulator.add(previous).isReconciled || isReconciled;
      else if (usesCustomBuckets(current)) {
        // Bounds that only a sample in between lacks still cut the result.
        const nothing = accumulator.add(emptyLike(current));
        isReconciled = nothing.isReconciled || isReconciled;
      } else accumulator.add({ ...emptyLike(current), zeroThreshold: 0 });
      previous = current;
    }
  }
  if (isReconciled) noteReconciled(context, 'subtraction', call.argRanges[0]!);
  return accumulator.finish('gauge');
}
