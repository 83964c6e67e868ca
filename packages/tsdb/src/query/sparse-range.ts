import type { SampleWindows, TimeRange } from '@pollux/storage';

/** A range of which only the samples in windows are looked at, if it has some. */
export type SparseRange = TimeRange & { readonly windows?: SampleWindows | null };

/** True when samples between these times, both included, may be looked at. */
export function touches(range: SparseRange, minMs: number, maxMs: number): boolean {
  if (maxMs < range.minMs || minMs > range.maxMs) return false;
  const { windows } = range;
  if (windows === undefined || windows === null) return true;
  const { firstEndMs, stepMs, widthMs } = windows;
  // The first window that ends at or behind the first of them is the only one that may begin before the last of them.
  const step = Math.max(0, Math.ceil((minMs - firstEndMs) / stepMs));
  return maxMs > firstEndMs + step * stepMs - widthMs;
}
