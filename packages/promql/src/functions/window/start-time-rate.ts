import { type FloatHistogram, quoteText } from '@pollux/model';
import type { RangeSeries } from '../../exec/series-columns.ts';
import { scaleHistogram } from '../../histogram/arithmetic.ts';
import { histogramDifference } from './histogram-rate.ts';
import {
  countKinds,
  instantDifference,
  type MixedInput,
  metricNameOf,
  warnMixed,
} from './mixed-input.ts';
import { extrapolationFactor } from './rate.ts';

/** irate where samples tell when their counter started. */
export function irateWithStartTimes(input: MixedInput): number | FloatHistogram | null {
  warnOfOverlaps(input);
  return instantDifference(
    input,
    input.hi - input.lo >= 2 && isStartReset(input.series, input.hi - 1),
  );
}

/**
 * True when the start timestamp of sample `index` says that its counter began anew after the sample before: it lies between
 * the two, or on the one before when that one had an earlier start of its own (then both are deltas).
 */
export function isStartReset(series: RangeSeries, index: number): boolean {
  const starts = series.startTimestampsMs!;
  const startMs = starts[index]!;
  const beforeMs = series.timestampsMs[index - 1]!;
  if (startMs === 0) return false;
  if (startMs === beforeMs) return starts[index - 1] !== 0 && starts[index - 1]! < beforeMs;
  return startMs > beforeMs && startMs < series.timestampsMs[index]!;
}

/**
 * rate and increase where samples tell when their counter started. A start inside the window is a sample of value zero,
 * which takes the place of extrapolation to the left and makes one sample enough.
 */
export function rateWithStartTimes(input: MixedInput): number | FloatHistogram | null {
  const { series, windows, index, lo, hi, call } = input;
  const { timestampsMs } = series;
  const startMs = windows.startMs[index]!;
  const endMs = windows.endMs[index]!;
  const firstStartMs = series.startTimestampsMs![lo]!;
  const hasStart = firstStartMs !== 0 && firstStartMs > startMs && firstStartMs < timestampsMs[lo]!;
  warnOfOverlaps(input);
  if (hi - lo < 2 && !hasStart) return null;
  const kinds = countKinds(input);
  if (kinds.floats > 0 && kinds.histograms > 0) {
    warnMixed(input);
    return null;
  }
  const difference =
    kinds.histograms === 0
      ? floatDifference(series, lo, hi, hasStart)
      : histogramDifference(input, series.histograms!.slice(lo, hi) as FloatHistogram[], {
          isCounter: true,
          fromZero: hasStart,
          isForcedReset: (j) => isStartReset(series, lo + j),
        });
  if (difference === null) return null;
  const factor = hasStart
    ? factorFromStart(input, firstStartMs)
    : extrapolationFactor(
        timestampsMs[lo]!,
        timestampsMs[hi - 1]!,
        startMs,
        endMs,
        hi - lo,
        zeroRatioOf(series, lo, difference),
      );
  const scale = call.func === 'rate' ? factor / ((endMs - startMs) / 1000) : factor;
  return typeof difference === 'number' ? difference * scale : scaleHistogram(difference, scale);
}

function floatDifference(series: RangeSeries, lo: number, hi: number, hasStart: boolean): number {
  const { values } = series;
  let difference = values[hi - 1]! - (hasStart ? 0 : values[lo]!);
  for (let j = lo + 1; j < hi; j++)
    if (values[j]! < values[j - 1]! || isStartReset(series, j)) difference += values[j - 1]!;
  return difference;
}

function zeroRatioOf(series: RangeSeries, lo: number, difference: number | FloatHistogram): number {
  const first = series.histograms?.[lo]?.count ?? series.values[lo]!;
  const grown = typeof difference === 'number' ? difference : difference.count;
  return grown > 0 && first >= 0 ? first / grown : -1;
}

/** Like the ordinary extrapolation, but only to the right: on the left the start is known. */
function factorFromStart(
  { series, windows, index, lo, hi }: MixedInput,
  firstStartMs: number,
): number {
  const { timestampsMs } = series;
  const lastMs = timestampsMs[hi - 1]!;
  const sampledMs = lastMs - firstStartMs;
  let toEndMs = windows.endMs[index]! - lastMs;
  if (hi - lo < 2) toEndMs = 0;
  else {
    const betweenMs = (lastMs - timestampsMs[lo]!) / (hi - lo - 1);
    if (toEndMs >= betweenMs * 1.1) toEndMs = betweenMs / 2;
  }
  return (sampledMs + toEndMs) / sampledMs;
}

function warnOfOverlaps({ series, lo, hi, call, context }: MixedInput): void {
  const starts = series.startTimestampsMs!;
  for (let j = lo + 1; j < hi; j++) {
    const overlaps =
      starts[j] !== 0 && starts[j]! < series.timestampsMs[j - 1]! && starts[j] !== starts[j - 1];
    if (!overlaps) continue;
    context.annotations.warn(
      `sample has start time that overlaps with previous sample timestamp for metric ${quoteText(metricNameOf(series))}`,
      call.argRanges[0]!,
    );
    return;
  }
}
