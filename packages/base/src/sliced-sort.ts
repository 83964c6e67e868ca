import type { Slices } from './slices.ts';

/** Runs of this length are sorted in one go. */
const RUN = 512;
/** Elements merged between two looks at the clock. */
const STEP = 1024;

/** Sorts in place, giving the thread away between slices. Stable. */
export function slicedSort(
  items: Uint32Array,
  compare: (a: number, b: number) => number,
  slices: Slices,
): Promise<void> {
  return slices.run(sortInSteps(items, compare));
}

/** As {@link slicedSort}, step by step. */
export function* sortInSteps(
  items: Uint32Array,
  compare: (a: number, b: number) => number,
): Generator<void, void> {
  for (let start = 0; start < items.length; start += RUN) {
    items.subarray(start, start + RUN).sort(compare);
    yield;
  }
  let source = items;
  let target: Uint32Array = new Uint32Array(items.length);
  for (let width = RUN; width < items.length; width *= 2) {
    for (let start = 0; start < items.length; start += 2 * width) {
      const middle = Math.min(start + width, items.length);
      const end = Math.min(start + 2 * width, items.length);
      let i = start;
      let j = middle;
      for (let at = start; at < end; at++) {
        const takeFirst = i < middle && (j >= end || compare(source[i]!, source[j]!) <= 0);
        target[at] = takeFirst ? source[i++]! : source[j++]!;
        if (at % STEP === 0) yield;
      }
    }
    [source, target] = [target, source];
  }
  if (source !== items) items.set(source);
}
