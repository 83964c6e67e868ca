import { performance } from 'node:perf_hooks';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

/** A flood of alerts lasts a second: most of it is to come after the look that sees it. */
const LOOK_MS = 100;
/** So much work of the main thread in so much time is much. */
const BUSY_MS = 100;
const WINDOW_MS = 500;
const MIB = 1024 * 1024;
const STEP_BYTES = 128 * 1024;
/** An array of so many numbers takes a kilobyte. */
const NUMBERS = 126;
const FIXED = '--semi-space-growth-factor=1';
const DOUBLING = '--semi-space-growth-factor=2';

/**
 * Gives a process whose young generation is kept at its first size (1 MB) halves of `halfMiB` while it has work: where each
 * alert makes some hundred objects, a collection every millisecond costs a tenth of all processor time. The engine lets
 * nobody set the size, and left alone goes up to 16 MB; but it doubles it when more survives than fits, which is brought
 * about here and ended at the size wanted. After idle minutes the engine gives the memory back.
 */
export function growYoungGenerationWhenBusy(halfMiB: number): void {
  let before = performance.eventLoopUtilization();
  setInterval(() => {
    const { active, idle } = performance.eventLoopUtilization(before);
    if (active + idle >= WINDOW_MS) before = performance.eventLoopUtilization();
    if (active >= BUSY_MS && halfBytes() < halfMiB * MIB) grow(halfMiB * MIB);
  }, LOOK_MS).unref();
}

/** Takes some milliseconds. */
function grow(bytes: number): void {
  setFlagsFromString(DOUBLING);
  const survivors: number[][] = [];
  // As much again as all doublings together need; should the engine have changed, it ends all the same.
  for (let left = 4 * bytes; left > 0 && halfBytes() < bytes; left -= STEP_BYTES) {
    for (let i = 0; i < STEP_BYTES / 1024; i++) survivors.push(new Array<number>(NUMBERS).fill(i));
  }
  setFlagsFromString(FIXED);
}

function halfBytes(): number {
  const space = getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space');
  return (space?.space_size ?? Number.POSITIVE_INFINITY) / 2;
}
