import { type FloatHistogram, quoteText } from '@pollux/model';
import type { ExecContext } from '../../exec/context.ts';
import type { RangeSeries } from '../../exec/series-columns.ts';
import { equalHistograms } from '../../histogram/arithmetic.ts';
import { totalHistogram } from '../../histogram/average.ts';
import { isHistogramReset } from '../../histogram/reset.ts';
import { isChange, isReset } from './changes.ts';
import { histogramRate } from './histogram-rate.ts';
import { WINDOW_KERNELS } from './kernels.ts';
import {
  countKinds,
  instantDifference,
  type MixedFunction,
  type MixedInput,
  metricNameOf,
  noteReconciled,
  warnMixed,
  warnMixedSchemas,
} from './mixed-input.ts';
import { irateWithStartTimes, isStartReset, rateWithStartTimes } from './start-time-rate.ts';
import type { WindowSet } from './window-set.ts';

/** The function that can deal with this series, or null when the float kernel does. */
export function mixedFunctionFor(
  func: string,
  series: RangeSeries,
  context: ExecContext,
): MixedFunction | null {
  if (context.options.useStartTimestamps && series.startTimestampsMs !== null) {
    const withStarts = WITH_START_TIMES.get(func);
    if (withStarts !== undefined) return withStarts;
  }
  if (series.histograms === null) return null;
  return MIXED.get(func) ?? floatsOnly;
}

const MIXED: ReadonlyMap<string, MixedFunction> = new Map<string, MixedFunction>([
  ['avg_over_time', (input) => aggregateOverTime(input, true)],
  ['sum_over_time', (input) => aggregateOverTime(input, false)],
  ['count_over_time', ({ lo, hi }) => hi - lo],
  ['present_over_time', () => 1],
  ['first_over_time', ({ series, lo }) => sampleAt(series, lo)],
  ['last_over_time', ({ series, hi }) => sampleAt(series, hi - 1)],
  ['ts_of_first_over_time', ({ series, lo }) => series.timestampsMs[lo]! / 1000],
  ['ts_of_last_over_time', ({ series, hi }) => series.timestampsMs[hi - 1]! / 1000],
  ['changes', (input) => countNeighbours(input, isChange, (a, b) => !equalHistograms(a, b))],
  ['resets', (input) => countNeighbours(input, isReset, (a, b) => isHistogramReset(b, a))],
  ['rate', histogramRate],
  ['increase', histogramRate],
  ['delta', histogramRate],
  ['irate', instantRate],
  ['idelta', instantRate],
]);

/** Functions of counters that also see resets by the samples' start timestamps. */
const WITH_START_TIMES: ReadonlyMap<string, MixedFunction> = new Map<string, MixedFunction>([
  ['rate', rateWithStartTimes],
  ['increase', rateWithStartTimes],
  ['irate', irateWithStartTimes],
  ['resets', resetsWithStartTimes],
]);

function resetsWithStartTimes(input: MixedInput): number {
  const { series, lo, hi } = input;
  let total = 0;
  for (let j = lo + 1; j < hi; j++) {
    if (isStartReset(series, j)) total++;
    else {
      total += countNeighbours({ ...input, lo: j - 1, hi: j + 1 }, isReset, (a, b) =>
        isHistogramReset(b, a),
      );
    }
  }
  return total;
}

export function sampleAt(series: RangeSeries, index: number): number | FloatHistogram {
  return series.histograms?.[index] ?? series.values[index]!;
}

const LEAST_FLOATS: Readonly<Record<string, number>> = {
  deriv: 2,
  predict_linear: 2,
  double_exponential_smoothing: 2,
};

/** Leaves histograms out and says so. */
function floatsOnly(input: MixedInput): number | null {
  const { series, windows, lo, hi, call, context, index } = input;
  const kinds = countKinds(input);
  if (kinds.floats === 0) return null;
  if (kinds.histograms > 0) {
    context.annotations.info(
      `ignored histograms in a range containing both floats and histograms for metric name ${quoteText(metricNameOf(series))}`,
      call.argRanges[0]!,
    );
  }
  if (kinds.floats < (LEAST_FLOATS[call.func] ?? 1)) return null;
  const timestampsMs = new Float64Array(kinds.floats);
  const values = new Float64Array(kinds.floats);
  let at = 0;
  for (let j = lo; j < hi; j++) {
    if (series.histograms?.[j] != null) continue;
    timestampsMs[at] = series.timestampsMs[j]!;
    values[at++] = series.values[j]!;
  }
  const out = new Float64Array(1);
  const single: WindowSet = {
    timestampsMs,
    values,
    lo: Int32Array.of(0),
    hi: Int32Array.of(kinds.floats),
    startMs: windows.startMs.subarray(index, index + 1),
    endMs: windows.endMs.subarray(index, index + 1),
    evalMs: windows.evalMs.subarray(index, index + 1),
    count: 1,
    params: windows.params.map((param) => param.subarray(index, index + 1)),
  };
  const isPresent = new Uint8Array(1);
  WINDOW_KERNELS.get(call.func)?.(single, out, isPresent, 0);
  return isPresent[0] === 0 ? null : out[0]!;
}

function aggregateOverTime(input: MixedInput, isMean: boolean): number | FloatHistogram | null {
  const kinds = countKinds(input);
  if (kinds.histograms === 0) return floatsOnly(input);
  if (kinds.floats > 0) {
    warnMixed(input);
    return null;
  }
  const { series, lo, hi, call, context } = input;
  const total = totalHistogram(series.histograms!.slice(lo, hi) as FloatHistogram[], isMean);
  if (total.isReconciled) noteReconciled(context, 'aggregation', call.argRanges[0]!);
  if (total.histogram === null) warnMixedSchemas(input);
  else if (total.hasHintConflict) {
    context.annotations.warn(
      'conflicting counter resets during histogram aggregation',
      call.argRanges[0]!,
    );
  }
  return total.histogram;
}

/** Counts pairs of neighbours; a change between float and histogram counts always. */
export function countNeighbours(
  { series, lo, hi }: MixedInput,
  floats: (previous: number, value: number) => boolean,
  histograms: (previous: FloatHistogram, histogram: FloatHistogram) => boolean,
): number {
  let total = 0;
  for (let j = lo + 1; j < hi; j++) {
    const previous = series.histograms?.[j - 1] ?? null;
    const current = series.histograms?.[j] ?? null;
    if (previous === null && current === null) {
      if (floats(series.values[j - 1]!, series.values[j]!)) total++;
    } else if (previous === null || current === null || histograms(previous, current)) total++;
  }
  return total;
}

/** irate and idelta. */
function instantRate(input: MixedInput): number | FloatHistogram | null {
  return instantDifference(input, false);
}
