import { slicedSort } from '@pollux/base';
import type { Slices } from '../slices.ts';

/** Values and series of one label name, in the order of the series. */
export type NamePostings = {
  readonly values: Uint32Array;
  readonly refs: Uint32Array;
  count: number;
};

/** Series counted between two looks at the clock. */
const STEP = 65_536;

/** Series by value, values ascending; a stable counting sort. `counts` has an element for each symbol, all 0 between uses. */
export async function* postingsByValue(
  { values, refs, count }: NamePostings,
  counts: Uint32Array,
  slices: Slices,
): AsyncIterableIterator<[number, Uint32Array]> {
  let distinctCount = 0;
  const distinct = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    const value = values[i]!;
    if (counts[value] === 0) distinct[distinctCount++] = value;
    counts[value] = counts[value]! + 1;
    if (i % STEP === 0 && slices.isOver) await slices.pause();
  }
  const order = distinct.subarray(0, distinctCount);
  await slicedSort(order, (a, b) => a - b, slices);
  let next = 0;
  for (const value of order) {
    const size = counts[value]!;
    counts[value] = next;
    next += size;
  }
  if (slices.isOver) await slices.pause();
  const sorted = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    const value = values[i]!;
    sorted[counts[value]!] = refs[i]!;
    counts[value] = counts[value]! + 1;
    if (i % STEP === 0 && slices.isOver) await slices.pause();
  }
  let start = 0;
  for (const value of order) {
    const end = counts[value]!;
    counts[value] = 0;
    yield [value, sorted.subarray(start, end)];
    start = end;
  }
}
