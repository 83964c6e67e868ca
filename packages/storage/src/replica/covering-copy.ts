import { DEFAULT_COPY_CHOICE } from './choose-copy.ts';
import { type CopyTimes, fillHoles, holeLengthMs } from './holes.ts';

/** Beside a sample at the end of a window, in holes: two ends that meet are then no longer than one. */
const END_PART = 0.5;

/** Window of the copies: [startMs, endMs). */
export type CopyWindow = { readonly startMs: number; readonly endMs: number };

/**
 * The first of a window's copies, given as their replicas sort, that covers the window; −1 when there is none. The copies behind
 * it are not needed: `chooseCopy` takes this one, or one before it, with them and without. The ones before it are: each of
 * them may still become whole, and then is the one that all stores choose.
 *
 * With a window given, a copy covers that has no hole in it. More samples never change that, of whatever copy they are. Without
 * one it is enough that no other copy has samples in its holes, as where a series begins or ends: right only when no more come.
 */
export function coveringCopy(copies: readonly CopyTimes[], window: CopyWindow | null): number {
  const holeMs = holeLengthMs(copies);
  const rule = { holeMs, endHoleMs: holeMs * END_PART, guardMs: DEFAULT_COPY_CHOICE.guardMs };
  return copies.findIndex((copy) => {
    if (copy.count === 0) return false;
    if (window !== null) return isWhole(copy, window, holeMs);
    return copies.every((other) => other === copy || fillHoles(copy, other, rule) === null);
  });
}

function isWhole(
  { timestampsMs, count }: CopyTimes,
  { startMs, endMs }: CopyWindow,
  holeMs: number,
): boolean {
  const endHoleMs = holeMs * END_PART;
  if (timestampsMs[0]! - startMs > endHoleMs) return false;
  if (endMs - timestampsMs[count - 1]! > endHoleMs) return false;
  for (let i = 1; i < count; i++)
    if (timestampsMs[i]! - timestampsMs[i - 1]! > holeMs) return false;
  // Two samples tell an interval; of one nobody knows how long it would have gone on.
  return count > 1;
}
