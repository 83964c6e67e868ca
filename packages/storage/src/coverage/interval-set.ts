import type { Interval } from './coverage.ts';

/** Intervals [startMs, endMs), ascending, disjoint and not touching. Every function here takes and gives this form. */
export type IntervalSet = readonly Interval[];

/** Brings any intervals into the form of an {@link IntervalSet}; empty ones drop out. */
export function intervalSet(intervals: Iterable<Interval>): IntervalSet {
  const sorted = [...intervals]
    .filter((interval) => interval.startMs < interval.endMs)
    .sort((a, b) => a.startMs - b.startMs);
  const merged: { startMs: number; endMs: number }[] = [];
  for (const { startMs, endMs } of sorted) {
    const last = merged.at(-1);
    if (last !== undefined && startMs <= last.endMs) last.endMs = Math.max(last.endMs, endMs);
    else merged.push({ startMs, endMs });
  }
  return merged;
}

export function union(a: IntervalSet, b: IntervalSet): IntervalSet {
  if (a.length === 0) return b;
  if (b.length === 0) return a;
  return intervalSet([...a, ...b]);
}

/** What is in `a` and not in `b`. */
export function subtract(a: IntervalSet, b: IntervalSet): IntervalSet {
  const left: Interval[] = [];
  let from = a.length === 0 ? 0 : firstEndingAfter(b, a[0]!.startMs);
  for (const { startMs, endMs } of a) {
    let at = startMs;
    while (from < b.length && b[from]!.endMs <= startMs) from++;
    for (let i = from; i < b.length && b[i]!.startMs < endMs; i++) {
      if (b[i]!.startMs > at) left.push({ startMs: at, endMs: b[i]!.startMs });
      at = Math.max(at, b[i]!.endMs);
    }
    if (at < endMs) left.push({ startMs: at, endMs });
  }
  return left;
}

export function intersect(a: IntervalSet, b: IntervalSet): IntervalSet {
  const shared: Interval[] = [];
  if (a.length === 0 || b.length === 0) return shared;
  let i = firstEndingAfter(a, b[0]!.startMs);
  let j = firstEndingAfter(b, a[0]!.startMs);
  while (i < a.length && j < b.length) {
    const startMs = Math.max(a[i]!.startMs, b[j]!.startMs);
    const endMs = Math.min(a[i]!.endMs, b[j]!.endMs);
    if (startMs < endMs) shared.push({ startMs, endMs });
    if (a[i]!.endMs < b[j]!.endMs) i++;
    else j++;
  }
  return shared;
}

/** True when any of `set` lies in [startMs, endMs). Binary search: plans ask this once a step. */
export function overlaps(set: IntervalSet, startMs: number, endMs: number): boolean {
  if (startMs >= endMs) return false;
  const first = firstEndingAfter(set, startMs);
  return first < set.length && set[first]!.startMs < endMs;
}

/** Index of the first interval that ends behind `atMs`: a question about a short window does not walk the whole past. */
function firstEndingAfter(set: IntervalSet, atMs: number): number {
  let low = 0;
  let high = set.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (set[middle]!.endMs <= atMs) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Milliseconds of `set`. */
export function totalMs(set: IntervalSet): number {
  let sum = 0;
  for (const { startMs, endMs } of set) sum += endMs - startMs;
  return sum;
}
