import { type BucketSpan, bucketsOf } from './histogram-layout.ts';

/** Indexes of the buckets that the spans name, ascending. */
export function bucketIndexes(spans: readonly BucketSpan[]): Int32Array {
  const indexes = new Int32Array(bucketsOf(spans));
  let next = 0;
  let count = 0;
  for (const { offset, length } of spans) {
    next += offset;
    for (let i = 0; i < length; i++) indexes[count++] = next++;
  }
  return indexes;
}

/** The shortest list of spans that names the buckets. */
export function spansOfIndexes(indexes: Int32Array): BucketSpan[] {
  const spans: { offset: number; length: number }[] = [];
  let next = 0;
  for (const index of indexes) {
    const last = spans.at(-1);
    if (last !== undefined && index === next) last.length++;
    else spans.push({ offset: index - next, length: 1 });
    next = index + 1;
  }
  return spans;
}

export function sameSpans(a: readonly BucketSpan[], b: readonly BucketSpan[]): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) {
    if (a[i]!.offset !== b[i]!.offset || a[i]!.length !== b[i]!.length) return false;
  }
  return true;
}

/** Buckets of both, ascending. */
export function uniteIndexes(a: Int32Array, b: Int32Array): Int32Array {
  const united = new Int32Array(a.length + b.length);
  let count = 0;
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    const first = i < a.length ? a[i]! : Number.POSITIVE_INFINITY;
    const second = j < b.length ? b[j]! : Number.POSITIVE_INFINITY;
    united[count++] = Math.min(first, second);
    if (first <= second) i++;
    if (second <= first) j++;
  }
  return united.slice(0, count);
}

/**
 * Copies counts by bucket: `source[at + k]` counts bucket `from[k]`, and goes to the place of that bucket in `to`, which
 * has all of `from`. By 32-bit words, two a count; places of other buckets are left as they are.
 */
export function moveBuckets(
  source: Uint32Array,
  at: number,
  from: Int32Array,
  target: Uint32Array,
  targetAt: number,
  to: Int32Array,
): void {
  let place = 0;
  for (let k = 0; k < from.length; k++) {
    while (place < to.length && to[place] !== from[k]) place++;
    target[(targetAt + place) * 2] = source[(at + k) * 2]!;
    target[(targetAt + place) * 2 + 1] = source[(at + k) * 2 + 1]!;
  }
}

/** True when a bucket has fewer observations in the later counts, or is not there any more though it had some. */
export function hasBucketReset(
  earlier: { readonly indexes: Int32Array; readonly values: Float64Array; readonly at: number },
  later: { readonly indexes: Int32Array; readonly values: Float64Array; readonly at: number },
): boolean {
  let j = 0;
  for (let i = 0; i < earlier.indexes.length; i++) {
    const before = earlier.values[earlier.at + i]!;
    while (j < later.indexes.length && later.indexes[j]! < earlier.indexes[i]!) j++;
    if (j < later.indexes.length && later.indexes[j] === earlier.indexes[i]) {
      if (before > later.values[later.at + j]!) return true;
    } else if (before !== 0) return true;
  }
  return false;
}
