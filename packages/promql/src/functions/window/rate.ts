import type { WindowKernel, WindowSet } from './window-set.ts';

export const rate: WindowKernel = (windows, out, kinds, base) =>
  slideRate(windows, out, kinds, base, true, true);
export const increase: WindowKernel = (windows, out, kinds, base) =>
  slideRate(windows, out, kinds, base, true, false);
export const delta: WindowKernel = (windows, out, kinds, base) =>
  slideRate(windows, out, kinds, base, false, false);

/**
 * Last minus first, plus what counter resets hid, extrapolated to the edges of the window. Only the positions of resets
 * are walked per step, so a series without resets costs the same for any window.
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
  let firstReset = 0;
  for (let i = 0; i < count; i++) {
    const from = lo[i]!;
    const to = hi[i]!;
    if (to - from < 2) continue;
    let difference = values[to - 1]! - values[from]!;
    while (firstReset < resetAt.length && resetAt[firstReset]! <= from) firstReset++;
    for (let r = firstReset; r < resetAt.length && resetAt[r]! < to; r++)
      difference += values[resetAt[r]! - 1]!;
    const zeroRatio =
      isCounter && difference > 0 && values[from]! >= 0 ? values[from]! / difference : -1;
    const factor = extrapolationFactor(
      timestampsMs[from]!,
      timestampsMs[to - 1]!,
      startMs[i]!,
      endMs[i]!,
      to - from,
      zeroRatio,
    );
    out[base + i] = difference * (isRate ? factor / ((endMs[i]! - startMs[i]!) / 1000) : factor);
    kinds[base + i] = 1;
  }
}

const NO_RESETS = new Int32Array(0);

/** Indices j in (from, to) with values[j] < values[j−1]. */
function findResets(values: Float64Array, from: number, to: number): Int32Array {
  let found = 0;
  for (let j = from + 1; j < to; j++) if (values[j]! < values[j - 1]!) found++;
  if (found === 0) return NO_RESETS;
  const resets = new Int32Array(found);
  let at = 0;
  for (let j = from + 1; j < to; j++) if (values[j]! < values[j - 1]!) resets[at++] = j;
  return resets;
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
