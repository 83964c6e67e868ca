/**
 * Set algebra over ascending lists of series references. Inputs are strictly ascending; so are outputs. An output may
 * not overlap an input in memory.
 */

/** From this ratio of lengths on, skipping through the longer list by doubling steps beats walking it. */
const GALLOP_RATIO = 16;
/** More lists than this are united by sorting all their elements instead of pair by pair. */
const PAIRWISE_LISTS = 4;

/** Writes what is in both into `target` (room for the shorter) and returns the number. */
export function intersectPostings(a: Uint32Array, b: Uint32Array, target: Uint32Array): number {
  const short = a.length <= b.length ? a : b;
  const long = a.length <= b.length ? b : a;
  if (short.length * GALLOP_RATIO < long.length) return intersectGalloping(short, long, target);
  let count = 0;
  let i = 0;
  let j = 0;
  while (i < short.length && j < long.length) {
    const x = short[i]!;
    const y = long[j]!;
    if (x === y) target[count++] = x;
    if (x <= y) i++;
    if (y <= x) j++;
  }
  return count;
}

function intersectGalloping(short: Uint32Array, long: Uint32Array, target: Uint32Array): number {
  let count = 0;
  let from = 0;
  for (let i = 0; i < short.length; i++) {
    const wanted = short[i]!;
    from = seekPostings(long, wanted, from);
    if (from === long.length) break;
    if (long[from] === wanted) target[count++] = wanted;
  }
  return count;
}

/** The first index ≥ `from` whose element is ≥ `wanted`, or the length. Cost is logarithmic in the distance. */
export function seekPostings(list: Uint32Array, wanted: number, from: number): number {
  if (from >= list.length || list[from]! >= wanted) return from;
  let step = 1;
  let low = from;
  while (low + step < list.length && list[low + step]! < wanted) {
    low += step;
    step *= 2;
  }
  let high = Math.min(low + step, list.length);
  low++;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (list[middle]! < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Writes what is in either into `target` (room for both) and returns the number. */
export function unitePostings(a: Uint32Array, b: Uint32Array, target: Uint32Array): number {
  let count = 0;
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) {
    const x = a[i]!;
    const y = b[j]!;
    target[count++] = Math.min(x, y);
    if (x <= y) i++;
    if (y <= x) j++;
  }
  while (i < a.length) target[count++] = a[i++]!;
  while (j < b.length) target[count++] = b[j++]!;
  return count;
}

/** Writes what is in `a` and not in `b` into `target` (room for `a`) and returns the number. */
export function subtractPostings(a: Uint32Array, b: Uint32Array, target: Uint32Array): number {
  let count = 0;
  let j = 0;
  for (let i = 0; i < a.length; i++) {
    const wanted = a[i]!;
    j = seekPostings(b, wanted, j);
    if (j === b.length || b[j] !== wanted) target[count++] = wanted;
  }
  return count;
}

/** What is in any of the lists, as a list of its own; a single list is returned as it is. */
export function mergePostings(lists: readonly Uint32Array[]): Uint32Array {
  if (lists.length === 0) return new Uint32Array(0);
  if (lists.length <= PAIRWISE_LISTS) {
    let merged = lists[0]!;
    for (let i = 1; i < lists.length; i++) {
      const target = new Uint32Array(merged.length + lists[i]!.length);
      merged = target.subarray(0, unitePostings(merged, lists[i]!, target));
    }
    return merged;
  }
  let size = 0;
  for (const list of lists) size += list.length;
  const all = new Uint32Array(size);
  size = 0;
  for (const list of lists) {
    all.set(list, size);
    size += list.length;
  }
  all.sort();
  let count = 0;
  for (let i = 0; i < all.length; i++) {
    if (i === 0 || all[i] !== all[i - 1]) all[count++] = all[i]!;
  }
  return all.subarray(0, count);
}
