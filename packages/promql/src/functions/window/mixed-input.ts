import { type FloatHistogram, METRIC_NAME, quoteText } from '@pollux/model';
import type { ExecContext } from '../../exec/context.ts';
import type { RangeSeries } from '../../exec/series-columns.ts';
import { HistogramAccumulator } from '../../histogram/accumulator.ts';
import { scaleHistogram } from '../../histogram/arithmetic.ts';
import { isHistogramReset } from '../../histogram/reset.ts';
import type { RangeCallNode } from '../../plan/nodes.ts';
import type { WindowSet } from './window-set.ts';

/** One window of a series that has histograms, or start timestamps that count. */
export type MixedInput = {
  readonly series: RangeSeries;
  readonly windows: WindowSet;
  readonly index: number;
  readonly lo: number;
  readonly hi: number;
  readonly call: RangeCallNode;
  readonly context: ExecContext;
};

/** Computes one window; null when it has no result. */
export type MixedFunction = (input: MixedInput) => number | FloatHistogram | null;

export function metricNameOf(series: RangeSeries): string {
  return series.labels.get(METRIC_NAME);
}

/** Counts the floats and histograms of a window. */
export function countKinds({ series, lo, hi }: MixedInput): {
  readonly floats: number;
  readonly histograms: number;
} {
  let histograms = 0;
  for (let j = lo; j < hi; j++) if (series.histograms?.[j] != null) histograms++;
  return { floats: hi - lo - histograms, histograms };
}

export function warnMixed({ series, call, context }: MixedInput): void {
  context.annotations.warn(
    `encountered a mix of histograms and floats for metric name ${quoteText(metricNameOf(series))}`,
    call.argRanges[0]!,
  );
}

export function warnMixedSchemas({ series, call, context }: MixedInput): void {
  context.annotations.warn(
    `vector contains a mix of histograms with exponential and custom buckets schemas for metric name ${quoteText(metricNameOf(series))}`,
    call.argRanges[0]!,
  );
}

export function noteReconciled(
  context: ExecContext,
  operation: string,
  range: RangeCallNode['range'],
): void {
  context.annotations.info(`mismatched custom buckets were reconciled during ${operation}`, range);
}

/** The difference of the last two samples; `isForcedReset` says that start timestamps tell of a reset between them. */
export function instantDifference(
  input: MixedInput,
  isForcedReset: boolean,
): number | FloatHistogram | null {
  const { series, lo, hi, call, context } = input;
  if (hi - lo < 2) return null;
  const isRate = call.func === 'irate';
  const previous = series.histograms?.[hi - 2] ?? null;
  const last = series.histograms?.[hi - 1] ?? null;
  const seconds = (series.timestampsMs[hi - 1]! - series.timestampsMs[hi - 2]!) / 1000;
  if (previous === null && last === null) {
    const difference = series.values[hi - 1]! - series.values[hi - 2]!;
    if (!isRate) return difference;
    return (difference < 0 || isForcedReset ? series.values[hi - 1]! : difference) / seconds;
  }
  if (previous === null || last === null) {
    warnMixed(input);
    return null;
  }
  warnOfHints(input, [previous, last], isRate);
  const accumulator = new HistogramAccumulator(last);
  if (!isRate || !(isForcedReset || isHistogramReset(last, previous))) {
    const outcome = accumulator.subtract(previous);
    if (outcome.isIncompatible) {
      warnMixedSchemas(input);
      return null;
    }
    if (outcome.isReconciled) noteReconciled(context, 'subtraction', call.argRanges[0]!);
  }
  const result = accumulator.finish('gauge');
  return isRate ? scaleHistogram(result, 1 / seconds) : result;
}

/** Rates want counters, differences want gauges. */
export function warnOfHints(
  { series, call, context }: MixedInput,
  histograms: readonly FloatHistogram[],
  wantsCounter: boolean,
): void {
  const isWrong = histograms.some(
    ({ counterResetHint }) => (counterResetHint === 'gauge') === wantsCounter,
  );
  if (!isWrong) return;
  context.annotations.warn(
    `this native histogram metric is not a ${wantsCounter ? 'counter' : 'gauge'}: ${quoteText(metricNameOf(series))}`,
    call.argRanges[0]!,
  );
}
