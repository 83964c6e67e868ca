import type { FloatHistogram } from '@pollux/model';
import type { SeriesColumns } from '@pollux/storage';
import { isChange, isReset } from '../functions/window/changes.ts';
import { countNeighbours } from '../functions/window/mixed.ts';
import {
  countKinds,
  type MixedInput,
  noteReconciled,
  warnMixed,
  warnMixedSchemas,
  warnOfHints,
} from '../functions/window/mixed-input.ts';
import type { WindowSet } from '../functions/window/window-set.ts';
import { HistogramAccumulator } from '../histogram/accumulator.ts';
import { equalHistograms, scaleHistogram } from '../histogram/arithmetic.ts';
import { usesCustomBuckets } from '../histogram/buckets.ts';
import { interpolateHistogram, type NoteReconciled } from '../histogram/interpolate.ts';
import { isHistogramReset } from '../histogram/reset.ts';
import type { MatrixSelectNode, RangeCallNode } from '../plan/nodes.ts';
import type { Batch } from './batch.ts';
import type { ExecContext } from './context.ts';
import { isStaleSample, type RangeSeries } from './series-columns.ts';

/*
 * Anchored ranges begin with the last sample at or before the window, smoothed ones also end with the first after it and
 * interpolate the values at both edges:
 *
 *        first                        last
 *   ──────●──────|──●─────●─────●──|───●────
 *              start              end
 */

export type ExtendedInput = {
  readonly series: RangeSeries;
  readonly windows: WindowSet;
  readonly batch: Batch;
  readonly base: number;
  readonly call: RangeCallNode;
  readonly context: ExecContext;
};

/** The computation of an anchored or smoothed range, or null for an ordinary one. */
export function extendedFunction(
  source: MatrixSelectNode,
): ((input: ExtendedInput) => void) | null {
  const { anchored, smoothed } = source.selector;
  if (!anchored && !smoothed) return null;
  return (input) => {
    const { windows, batch, base } = input;
    for (let i = 0; i < windows.count; i++) {
      const result = extendedWindow(input, i, smoothed);
      if (result === null) continue;
      if (typeof result === 'number') batch.setFloat(base + i, result);
      else batch.setHistogram(base + i, result);
    }
  };
}

function extendedWindow(
  { series, windows, call, context }: ExtendedInput,
  index: number,
  isSmoothed: boolean,
): number | FloatHistogram | null {
  const { timestampsMs, count } = series;
  const { lookbackMs } = context.options;
  const startMs = windows.startMs[index]!;
  const endMs = windows.endMs[index]!;
  // Index of the last sample at or before the start that is no older than the lookback, else the first one after it.
  const from = firstAfter(timestampsMs, count, startMs - lookbackMs);
  const to = firstAfter(timestampsMs, count, isSmoothed ? endMs + lookbackMs : endMs);
  if (from === to) return null;
  const first = Math.max(from, firstAfter(timestampsMs, count, startMs) - 1);
  let last = to - 1;
  if (isSmoothed) {
    while (last > first && timestampsMs[last - 1]! >= endMs) last--;
  }
  if (timestampsMs[last]! <= startMs || timestampsMs[first]! > endMs) return null;
  const input: MixedInput = { series, windows, index, lo: first, hi: last + 1, call, context };
  if (call.func === 'changes')
    return countNeighbours(input, isChange, (a, b) => !equalHistograms(a, b));
  if (call.func === 'resets')
    return countNeighbours(input, isReset, (a, b) => isHistogramReset(b, a));
  const result = extendedDifference(input, isSmoothed);
  if (result === null || call.func !== 'rate') return result;
  const seconds = (endMs - startMs) / 1000;
  return typeof result === 'number' ? result / seconds : scaleHistogram(result, 1 / seconds);
}

/** Index of the first sample later than a time. */
function firstAfter(timestampsMs: Float64Array, count: number, timeMs: number): number {
  let lo = 0;
  let hi = count;
  while (lo < hi) {
    const mid = (lo + hi) >> 1;
    if (timestampsMs[mid]! <= timeMs) lo = mid + 1;
    else hi = mid;
  }
  return lo;
}

function extendedDifference(
  input: MixedInput,
  isSmoothed: boolean,
): number | FloatHistogram | null {
  const kinds = countKinds(input);
  if (kinds.histograms === 0) return floatDifference(input, isSmoothed);
  if (kinds.floats > 0) {
    warnMixed(input);
    return null;
  }
  return histogramDifference(input, isSmoothed);
}

/** Where the edges lie between samples; a share is null when an edge is a sample itself. */
function edgeShares(
  { series, windows, index, lo, hi }: MixedInput,
  isSmoothed: boolean,
): { readonly left: number | null; readonly right: number | null } {
  const { timestampsMs } = series;
  const startMs = windows.startMs[index]!;
  const endMs = windows.endMs[index]!;
  const last = hi - 1;
  const share = (before: number, timeMs: number): number =>
    (timeMs - timestampsMs[before]!) / (timestampsMs[before + 1]! - timestampsMs[before]!);
  const left = isSmoothed && timestampsMs[lo]! < startMs ? share(lo, startMs) : null;
  const right =
    isSmoothed && last > lo && timestampsMs[last]! > endMs ? share(last - 1, endMs) : null;
  return { left, right };
}

function floatDifference(input: MixedInput, isSmoothed: boolean): number {
  const { values } = input.series;
  const { lo, hi } = input;
  const isCounter = input.call.func !== 'delta';
  const edges = edgeShares(input, isSmoothed);
  const between = (before: number, share: number): number => {
    const a = values[before]!;
    const b = values[before + 1]!;
    return isCounter && b < a ? b * share : a + (b - a) * share;
  };
  const left = edges.left === null ? values[lo]! : between(lo, edges.left);
  const right = edges.right === null ? values[hi - 1]! : between(hi - 2, edges.right);
  let difference = right - left;
  if (!isCounter) return difference;
  // Edges that lie on samples, or between two, stand for these samples.
  const { timestampsMs } = input.series;
  const from = timestampsMs[lo]! <= input.windows.startMs[input.index]! ? lo + 1 : lo;
  const to = timestampsMs[hi - 1]! >= input.windows.endMs[input.index]! ? hi - 1 : hi;
  let previous = left;
  for (let j = from; j < to; j++) {
    if (values[j]! < previous) difference += previous;
    previous = values[j]!;
  }
  return right < previous ? difference + previous : difference;
}

function histogramDifference(input: MixedInput, isSmoothed: boolean): FloatHistogram | null {
  const { series, lo, hi, call, context } = input;
  const histograms = series.histograms!.slice(lo, hi) as FloatHistogram[];
  const isCustom = usesCustomBuckets(histograms[0]!);
  const isCounter = call.func !== 'delta';
  if (histograms.some((histogram) => usesCustomBuckets(histogram) !== isCustom)) {
    warnMixedSchemas(input);
    return null;
  }
  const note: NoteReconciled = (operation) =>
    noteReconciled(context, operation, call.argRanges[0]!);
  const last = histograms.length - 1;
  const edges = edgeShares(input, isSmoothed);
  const between = (before: number, share: number): FloatHistogram =>
    interpolateHistogram(histograms[before]!, histograms[before + 1]!, { share, isCounter, note })!;
  const left = edges.left === null ? histograms[0]! : between(0, edges.left);
  const right = edges.right === null ? histograms[last]! : between(last - 1, edges.right);
  warnOfHints(input, isCounter ? histograms : [left, right], isCounter);
  const accumulator = new HistogramAccumulator(right);
  if (accumulator.subtract(left).isReconciled) note('subtraction');
  if (isCounter) {
    // An edge that was interpolated across a reset has it in its value already.
    const isInLeft = edges.left !== null && isHistogramReset(histograms[1]!, histograms[0]!);
    const inner = isInLeft ? histograms.slice(1, last) : [left, ...histograms.slice(1, last)];
    const hidden = hiddenByResets(inner, right, note);
    if (hidden !== null && accumulator.add(hidden).isReconciled) note('addition');
  }
  return accumulator.finish('gauge');
}

/** What the resets between the samples, and before the right edge, took away. */
function hiddenByResets(
  histograms: readonly FloatHistogram[],
  right: FloatHistogram,
  note: NoteReconciled,
): FloatHistogram | null {
  let sum: HistogramAccumulator | null = null;
  for (const [j, previous] of histograms.entries()) {
    if (!isHistogramReset(histograms[j + 1] ?? right, previous)) continue;
    if (sum === null) sum = new HistogramAccumulator(previous);
    else if (sum.add(previous).isReconciled) note('addition');
  }
  return sum === null ? null : sum.finish();
}

/** What a smoothed instant selector met. */
export type SmoothedValue =
  | { readonly kind: 'none' }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'histogram'; readonly histogram: FloatHistogram }
  | { readonly kind: 'mixed-types' }
  | { readonly kind: 'mixed-schemas' };

const NONE: SmoothedValue = { kind: 'none' };

/**
 * The value at a time between two samples at most one lookback away, of which stale markers are none; without a later one the
 * earlier stands.
 */
export function smoothedValue(
  columns: SeriesColumns,
  words: Uint32Array,
  at: { readonly timeMs: number; readonly lookbackMs: number; readonly note: NoteReconciled },
): SmoothedValue {
  const { timestampsMs, count, histograms, values } = columns;
  const { timeMs, lookbackMs } = at;
  const isSample = (index: number): boolean => !isStaleSample(words, histograms, index);
  const from = firstAfter(timestampsMs, count, timeMs - lookbackMs);
  const to = firstAfter(timestampsMs, count, timeMs + lookbackMs);
  let next = firstAfter(timestampsMs, count, timeMs);
  let previous = next - 1;
  while (next < to && !isSample(next)) next++;
  while (previous >= from && !isSample(previous)) previous--;
  if (histograms !== null && hasBothKinds(histograms, isSample, from, to))
    return { kind: 'mixed-types' };
  if (previous < from) return NONE;
  const before = histograms?.[previous] ?? null;
  if (timestampsMs[previous] === timeMs || next >= to) {
    if (before === null) return { kind: 'float', value: values[previous]! };
    // The hint is about the sample before, not about the value.
    const isExact = timestampsMs[previous] === timeMs;
    const histogram = isExact ? before : { ...before, counterResetHint: 'unknown' as const };
    return { kind: 'histogram', histogram };
  }
  const after = histograms?.[next] ?? null;
  const share =
    (timeMs - timestampsMs[previous]!) / (timestampsMs[next]! - timestampsMs[previous]!);
  if (before === null || after === null)
    return {
      kind: 'float',
      value: values[previous]! + (values[next]! - values[previous]!) * share,
    };
  if (usesCustomBuckets(before) !== usesCustomBuckets(after)) return { kind: 'mixed-schemas' };
  const isCounter = before.counterResetHint !== 'gauge' || after.counterResetHint !== 'gauge';
  const histogram = interpolateHistogram(before, after, { share, isCounter, note: at.note });
  return histogram === null ? NONE : { kind: 'histogram', histogram };
}

function hasBothKinds(
  histograms: readonly (FloatHistogram | null)[],
  isSample: (index: number) => boolean,
  from: number,
  to: number,
): boolean {
  let found = 0;
  for (let j = from; j < to && found !== 3; j++)
    if (isSample(j)) found |= (histograms[j] ?? null) === null ? 1 : 2;
  return found === 3;
}
