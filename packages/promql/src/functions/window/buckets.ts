import { assert } from '@pollux/base';
import type { BucketColumns } from '@pollux/storage';
import { lastOverTime, presentOverTime } from './edges.ts';
import { maxOverTime, minOverTime } from './extremes.ts';
import { extrapolationFactor } from './rate.ts';
import { sumOverTime } from './sum.ts';
import type { WindowSet } from './window-set.ts';

/** Where results go, as with a WindowKernel. */
type Target = { readonly values: Float64Array; readonly kinds: Uint8Array };

type BucketWindows = {
  /** Its samples are the last ones of the buckets; windows hold whole buckets. */
  readonly windows: WindowSet;
  readonly buckets: BucketColumns;
};

/**
 * Computes a function of BUCKET_FUNCTIONS over windows that are made of whole buckets:
 *
 *   buckets   (--0--](--1--](--2--](--3--]
 *   step 0    (----------------]
 *   step 1           (----------------]
 *
 * Results are those over the samples, but for the order in which sums were added up.
 */
export function fillFromBuckets(
  func: string,
  { windows, buckets }: BucketWindows,
  { values, kinds }: Target,
  base: number,
): void {
  const over = (column: Float64Array): WindowSet => ({ ...windows, values: column });
  switch (func) {
    case 'count_over_time':
      sumOverTime(over(buckets.counts), values, kinds, base);
      return;
    case 'sum_over_time':
      sumOverTime(over(buckets.sums), values, kinds, base);
      return;
    case 'avg_over_time':
      fillMeans({ windows, buckets }, values, kinds, base);
      return;
    case 'min_over_time':
      minOverTime(over(buckets.mins), values, kinds, base);
      return;
    case 'max_over_time':
      maxOverTime(over(buckets.maxs), values, kinds, base);
      return;
    case 'last_over_time':
      lastOverTime(windows, values, kinds, base);
      return;
    case 'present_over_time':
      presentOverTime(windows, values, kinds, base);
      return;
    default: {
      const isCounter = func === 'rate' || func === 'increase';
      assert(isCounter || func === 'delta', `${func} has a form over buckets`);
      const gains = isCounter ? gainsOf(windows.values, buckets) : null;
      fillRates({ windows, buckets }, { gains, isRate: func === 'rate' }, { values, kinds }, base);
    }
  }
}

function fillMeans(
  { windows, buckets }: BucketWindows,
  values: Float64Array,
  kinds: Uint8Array,
  base: number,
): void {
  const { lo, hi, count } = windows;
  const { counts, sums } = buckets;
  sumOverTime({ ...windows, values: sums }, values, kinds, base);
  for (let i = 0; i < count; i++) {
    if (hi[i] === lo[i]) continue;
    let samples = 0;
    for (let b = lo[i]!; b < hi[i]!; b++) samples += counts[b]!;
    if (Number.isFinite(values[base + i]!)) {
      values[base + i]! /= samples;
      continue;
    }
    // Sums that are finite by themselves may overflow together; their shares do not.
    let mean = 0;
    for (let b = lo[i]!; b < hi[i]!; b++) mean += sums[b]! / samples;
    values[base + i] = mean;
  }
}

/** What counter resets hid up to and in each bucket: inside it and between the bucket before and it. */
function gainsOf(lastValues: Float64Array, { firstValues, resets }: BucketColumns): Float64Array {
  const gains = resets.slice();
  for (let b = 1; b < gains.length; b++) {
    if (firstValues[b]! < lastValues[b - 1]!) gains[b]! += lastValues[b - 1]!;
  }
  return gains;
}

/** increase, rate, or with `gains` null delta. */
function fillRates(
  { windows, buckets }: BucketWindows,
  { gains, isRate }: { readonly gains: Float64Array | null; readonly isRate: boolean },
  { values, kinds }: Target,
  base: number,
): void {
  const { lo, hi, count, startMs, endMs, timestampsMs: lastTimesMs, values: lastValues } = windows;
  const { counts, firstTimesMs, firstValues, resets } = buckets;
  for (let i = 0; i < count; i++) {
    const from = lo[i]!;
    const to = hi[i]!;
    let samples = 0;
    for (let b = from; b < to; b++) samples += counts[b]!;
    if (samples < 2) continue;
    const first = firstValues[from]!;
    let difference = lastValues[to - 1]! - first;
    if (gains !== null) {
      // What was hidden between the bucket before the window and its first one does not count.
      if (resets[from] !== 0) difference += resets[from]!;
      for (let b = from + 1; b < to; b++) if (gains[b] !== 0) difference += gains[b]!;
    }
    const zeroRatio = gains !== null && difference > 0 && first >= 0 ? first / difference : -1;
    const factor = extrapolationFactor(
      firstTimesMs[from]!,
      lastTimesMs[to - 1]!,
      startMs[i]!,
      endMs[i]!,
      samples,
      zeroRatio,
    );
    values[base + i] = difference * (isRate ? factor / ((endMs[i]! - startMs[i]!) / 1000) : factor);
    kinds[base + i] = 1;
  }
}
