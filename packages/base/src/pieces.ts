import type { Slices } from './slices.ts';

/** Runs work that yields between its pieces, giving the thread away when a slice is over. */
export async function inSlices<T>(work: Generator<void, T, void>, slices: Slices): Promise<T> {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
    if (slices.isOver) await slices.pause();
  }
}

/** Runs such work to its end. */
export function atOnce<T>(work: Generator<void, T, void>): T {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}
