import type { WindowKernel, WindowSet } from './window-set.ts';

export const rate: WindowKernel = (windows, out, kinds, base) =>
  slideRate(windows, out, kinds, base, true, true);
export const increase: WindowKernel = (windows, out, kinds, base) =>
  slideRate(windows, out, kinds, base, true, false);
export const delta: WindowKernel = (windows, out, kinds, base) =>
  slideRate(windows, out, kinds, base, false, false);

/**
 * Last minus first, plus what counter resets hid, extrapolated to the edges of the window. Only the positions of resets
 * are walked per step, so a series without resets costs the same for any window. Of regular samples most windows see the
 * same distances to their edges as the window before, and then the same factor.
 */
function slideRate(
  windows: WindowSet,
  out: Float64Array,
  kinds: Uint8Array,
  base: number,
  isCounter: boolean,
  isRate: boolean,
): void {
  const { lo, hi, count, values, timestampsMs, startMs, endMs } = windows;
  if (count === 0) return;
  const resetAt = isCounter ? findResets(values, lo[0]!, hi[count - 1]!) : NO_RESETS;
  const divisor = isRate ? (endMs[0]! - startMs[0]!) / 1000 : 1;
  let firstReset = 0;
  // What the factor of the last window depended on, windows being of one length.
  let toFirstMs = Number.NaN;
  let toEndMs = Number.NaN;
  let samples = 0;
  let usualFactor = 0;
  for (let i = 0; i < count; i++) {
    const from = lo[i]!;
    const to = hi[i]!;
    if (to - from < 2) continue;
    const first = values[from]!;
    let difference = values[to - 1]! - first;
    while (firstReset < resetAt.length && resetAt[firstReset]! <= from) firstReset++;
    for (let r = firstReset; r < resetAt.length && resetAt[r]! < to; r++)
      difference += values[resetAt[r]! - 1]!;
    const firstMs = timestampsMs[from]!;
    const lastMs = timestampsMs[to - 1]!;
    const start = startMs[i]!;
    const end = endMs[i]!;
    if (firstMs - start !== toFirstMs || end - lastMs !== toEndMs || to - from !== samples) {
      toFirstMs = firstMs - start;
      toEndMs = end - lastMs;
      samples = to - from;
      usualFactor = extrapolationFactor(firstMs, lastMs, start, end, samples, -1) / divisor;
    }
    let factor = usualFactor;
    // A counter's zero is further back than a window of three samples or more goes on, unless it grew by more than it was.
    if (isCounter && first >= 0 && difference > 0 && (first < difference || samples === 2)) {
      const zeroRatio = first / difference;
      factor = extrapolationFactor(firstMs, lastMs, start, end, samples, zeroRatio) / divisor;
    }
    out[base + i] = difference * factor;
    kinds[base + i] = 1;
  }
}

const NO_RESETS: readonly number[] = [];

/** Indices j in (from, to) with values[j] < values[j−1]. */
function findResets(values: Float64Array, from: number, to: number): readonly number[] {
  let at = nextReset(values, from + 1, to);
  if (at === to) return NO_RESETS;
  const resets: number[] = [];
  for (; at < to; at = nextReset(values, at + 1, to)) resets.push(at);
  return resets;
}

/** The first of them from `from` on; `to` when there is none. */
function nextReset(values: Float64Array, from: number, to: number): number {
  let j = from;
  let previous = values[j - 1]!;
  // Four at a time: counters mostly have none.
  for (; j + 3 < to; j += 4) {
    const a = values[j]!;
    const b = values[j + 1]!;
    const c = values[j + 2]!;
    const d = values[j + 3]!;
    if (a < previous || b < a || c < b || d < c) break;
    previous = d;
  }
  for (; j < to; j++) {
    const value = values[j]!;
    if (value < previous) return j;
    previous = value;
  }
  return to;
}

/** One window of floats on its own, for series that also have histograms; null with fewer than two samples. */
export function rateOfFloats(
  windows: WindowSet,
  index: number,
  isCounter: boolean,
  isRate: boolean,
): number | null {
  const single: WindowSet = {
    ...windows,
    lo: windows.lo.subarray(index, index + 1),
    hi: windows.hi.subarray(index, index + 1),
    startMs: windows.startMs.subarray(index, index + 1),
    endMs: windows.endMs.subarray(index, index + 1),
    count: 1,
  };
  const out = new Float64Array(1);
  const isPresent = new Uint8Array(1);
  slideRate(single, out, isPresent, 0, isCounter, isRate);
  return isPresent[0] === 0 ? null : out[0]!;
}

/**
 * By how much the difference between first and last sample grows to cover the window. Samples are taken to go on to an
 * edge that is nearer than 1.1 times their mean distance, else half a distance further; a counter not below zero.
 * `zeroRatio` is first value over difference for a counter that grew from a value ≥ 0, else −1: where it would have been 0.
 * Plain numbers rather than an object, because it runs for every step.
 */
export function extrapolationFactor(
  firstMs: number,
  lastMs: number,
  startMs: number,
  endMs: number,
  samples: number,
  zeroRatio: number,
): number {
  let toStart = (firstMs - startMs) / 1000;
  let toEnd = (endMs - lastMs) / 1000;
  const sampled = (lastMs - firstMs) / 1000;
  const between = sampled / (samples - 1);
  const threshold = between * 1.1;
  if (toStart >= threshold) toStart = between / 2;
  if (zeroRatio >= 0) {
    const toZero = sampled * zeroRatio;
    if (toZero < toStart) toStart = toZero;
  }
  if (toEnd >= threshold) toEnd = between / 2;
  return (sampled + toStart + toEnd) / sampled;
}
