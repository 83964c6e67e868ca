import { CHOSEN_POSTINGS, type NativePostings, POSTINGS_NATIVE_MOST } from './native-postings.ts';

/**
 * Set algebra over ascending lists of series references. Inputs are strictly ascending; so are outputs. An output may
 * not overlap an input in memory.
 */

/** From this ratio of lengths on, skipping through the longer list by doubling steps beats walking it. */
const GALLOP_RATIO = 8;
/** The same where the walk is WebAssembly's. */
const NATIVE_GALLOP_RATIO = 32;
/** From this ratio on, what lies between the few elements that are left out is copied run by run. */
const RUNS_RATIO = 24;
/** With fewer elements the walk is over before the lists are copied to where WebAssembly sees them. */
const NATIVE_LEAST = 64;
/** More lists than this are united by sorting all their elements instead of pair by pair. */
const PAIRWISE_LISTS = 4;

/** Writes what is in both into `target` (room for the shorter) and returns the number. */
export function intersectPostings(
  a: Uint32Array,
  b: Uint32Array,
  target: Uint32Array,
  native: NativePostings | null = CHOSEN_POSTINGS,
): number {
  const short = a.length <= b.length ? a : b;
  const long = a.length <= b.length ? b : a;
  const isNative = native !== null && short.length >= NATIVE_LEAST;
  const ratio = isNative ? NATIVE_GALLOP_RATIO : GALLOP_RATIO;
  if (short.length * ratio < long.length) return intersectGalloping(short, long, target);
  if (isNative) return intersectNative(native, a, b, target);
  let count = 0;
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) {
    const x = a[i]! | 0;
    const y = b[j]! | 0;
    const isLess = below(x, y);
    const isMore = below(y, x);
    target[count] = x;
    count += 1 - isLess - isMore;
    i += 1 - isMore;
    j += 1 - isLess;
  }
  return count;
}

/**
 * 1 when x < y as unsigned numbers, else 0: the borrow of their difference. Which list comes next is as good as random, and
 * a branch on it is guessed wrongly every other time, at the cost of several of these steps.
 */
function below(x: number, y: number): number {
  return ((~x & y) | ((~x | y) & (x - y))) >>> 31;
}

/** One window of each list after the other: the whole of one of them is behind, and the other up to where that ended. */
function intersectNative(
  native: NativePostings,
  a: Uint32Array,
  b: Uint32Array,
  target: Uint32Array,
): number {
  let count = 0;
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) {
    const aEnd = Math.min(a.length, i + POSTINGS_NATIVE_MOST);
    const bEnd = Math.min(b.length, j + POSTINGS_NATIVE_MOST);
    native.first.set(a.subarray(i, aEnd));
    native.second.set(b.subarray(j, bEnd));
    const found = native.intersect(aEnd - i, bEnd - j);
    target.set(native.found.subarray(0, found), count);
    count += found;
    const aLast = a[aEnd - 1]!;
    const bLast = b[bEnd - 1]!;
    i = aLast <= bLast ? aEnd : seekPostings(a, bLast + 1, i);
    j = bLast <= aLast ? bEnd : seekPostings(b, aLast + 1, j);
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
    const x = a[i]! | 0;
    const y = b[j]! | 0;
    const isLess = below(x, y);
    const isMore = below(y, x);
    target[count++] = x ^ ((x ^ y) & -isMore);
    i += 1 - isMore;
    j += 1 - isLess;
  }
  target.set(a.subarray(i), count);
  count += a.length - i;
  target.set(b.subarray(j), count);
  return count + b.length - j;
}

/** Writes what is in `a` and not in `b` into `target` (room for `a`) and returns the number. */
export function subtractPostings(a: Uint32Array, b: Uint32Array, target: Uint32Array): number {
  if (b.length * RUNS_RATIO < a.length) return subtractFew(a, b, target);
  if (a.length * GALLOP_RATIO < b.length) return subtractMany(a, b, target);
  let count = 0;
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) {
    const x = a[i]! | 0;
    const y = b[j]! | 0;
    const isLess = below(x, y);
    target[count] = x;
    count += isLess;
    i += 1 - below(y, x);
    j += 1 - isLess;
  }
  target.set(a.subarray(i), count);
  return count + a.length - i;
}

/** Copies what lies between the elements of `b`. */
function subtractFew(a: Uint32Array, b: Uint32Array, target: Uint32Array): number {
  let count = 0;
  let i = 0;
  for (let j = 0; j < b.length && i < a.length; j++) {
    const next = seekPostings(a, b[j]!, i);
    target.set(a.subarray(i, next), count);
    count += next - i;
    i = a[next] === b[j] ? next + 1 : next;
  }
  target.set(a.subarray(i), count);
  return count + a.length - i;
}

function subtractMany(a: Uint32Array, b: Uint32Array, target: Uint32Array): number {
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
