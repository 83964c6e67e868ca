import type { WindowKernel, WindowSet } from './window-set.ts';

/** min_over_time for floats: NaN only when all are NaN. */
export const minOverTime: WindowKernel = (windows, out, kinds, base) =>
  slideExtreme(windows, out, kinds, base, -1, false);

/** max_over_time for floats. */
export const maxOverTime: WindowKernel = (windows, out, kinds, base) =>
  slideExtreme(windows, out, kinds, base, 1, false);

/** ts_of_min_over_time: seconds of the last sample that has the minimum. */
export const timeOfMin: WindowKernel = (windows, out, kinds, base) =>
  slideExtreme(windows, out, kinds, base, -1, true);

/** ts_of_max_over_time. */
export const timeOfMax: WindowKernel = (windows, out, kinds, base) =>
  slideExtreme(windows, out, kinds, base, 1, true);

/**
 * A queue of candidates in falling order (times `sign`) whose head is the extreme: a new value drops all candidates that
 * it equals or beats, the left edge drops the head when it leaves. Every sample enters and leaves once.
 */
function slideExtreme(
  windows: WindowSet,
  out: Float64Array,
  kinds: Uint8Array,
  base: number,
  sign: number,
  wantsTime: boolean,
): void {
  const { lo, hi, count, values, timestampsMs } = windows;
  if (count === 0) return;
  const queue = new Int32Array(hi[count - 1]! - lo[0]! + 1);
  let head = 0;
  let tail = 0;
  let right = lo[0]!;
  for (let i = 0; i < count; i++) {
    if (right < lo[i]!) right = lo[i]!;
    for (; right < hi[i]!; right++) {
      const value = sign * values[right]!;
      if (Number.isNaN(value)) continue;
      while (tail > head && sign * values[queue[tail - 1]!]! <= value) tail--;
      queue[tail++] = right;
    }
    while (head < tail && queue[head]! < lo[i]!) head++;
    if (hi[i] === lo[i]) continue;
    // With only NaN in the window each replaces the one before, so that the last sample's time is told.
    const at = head < tail ? queue[head]! : hi[i]! - 1;
    out[base + i] = wantsTime ? timestampsMs[at]! / 1000 : values[at]!;
    kinds[base + i] = 1;
  }
}
