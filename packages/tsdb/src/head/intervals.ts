/** A deleted range of time, both ends included. */
export type Interval = { readonly minMs: number; readonly maxMs: number };

/** The list with `added` in it: ascending, disjoint, neighbours joined. */
export function addInterval(list: readonly Interval[], added: Interval): Interval[] {
  const merged: Interval[] = [];
  let { minMs, maxMs } = added;
  for (const interval of list) {
    if (interval.maxMs + 1 < minMs || interval.minMs > maxMs + 1) merged.push(interval);
    else {
      minMs = Math.min(minMs, interval.minMs);
      maxMs = Math.max(maxMs, interval.maxMs);
    }
  }
  merged.push({ minMs, maxMs });
  return merged.sort((a, b) => a.minMs - b.minMs);
}
