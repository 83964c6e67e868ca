import type { WindowKernel, WindowSet } from './window-set.ts';

/** changes: how often a value differs from the one before; NaN equals NaN. */
export const changes: WindowKernel = (windows, out, kinds, base) =>
  slideCount(windows, out, kinds, base, isChange);

/** resets: how often a value is below the one before. */
export const resets: WindowKernel = (windows, out, kinds, base) =>
  slideCount(windows, out, kinds, base, isReset);

export function isChange(previous: number, value: number): boolean {
  return value !== previous && !(Number.isNaN(value) && Number.isNaN(previous));
}

export function isReset(previous: number, value: number): boolean {
  return value < previous;
}

/** Counts pairs of neighbours inside each window: a pair enters with its right and leaves with its left sample. */
function slideCount(
  windows: WindowSet,
  out: Float64Array,
  kinds: Uint8Array,
  base: number,
  counts: (previous: number, value: number) => boolean,
): void {
  const { lo, hi, count, values } = windows;
  if (count === 0) return;
  // Pairs (j − 1, j) with left < j < right are counted in `total`.
  let left = lo[0]!;
  let right = left + 1;
  let total = 0;
  for (let i = 0; i < count; i++) {
    if (hi[i] === lo[i]) continue;
    if (lo[i]! >= right) {
      left = lo[i]!;
      right = left + 1;
      total = 0;
    }
    for (; right < hi[i]!; right++) if (counts(values[right - 1]!, values[right]!)) total++;
    for (; left < lo[i]!; left++) if (counts(values[left]!, values[left + 1]!)) total--;
    out[base + i] = total;
    kinds[base + i] = 1;
  }
}
