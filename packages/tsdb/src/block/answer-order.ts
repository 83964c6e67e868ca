import { isFromOutOfOrder } from '../format/meta.ts';
import type { Block } from './block.ts';

/**
 * The blocks in the order in which they answer: of two samples of a series at one time the first block's is shown, and is
 * kept when they are compacted. It is the order of time, except that a block of out-of-order samples comes behind all
 * others that it overlaps, since their samples were there before; so an answer does not change when samples move.
 */
export function inAnswerOrder(blocks: readonly Block[]): Block[] {
  const places = new Map(blocks.map((block) => [block, placeOf(block, blocks)]));
  return [...blocks].sort(
    (a, b) =>
      places.get(a)! - places.get(b)! ||
      Number(isFromOutOfOrder(a.meta)) - Number(isFromOutOfOrder(b.meta)) ||
      (a.ulid < b.ulid ? -1 : 1),
  );
}

function placeOf(block: Block, blocks: readonly Block[]): number {
  const { minTime, maxTime } = block.meta;
  if (!isFromOutOfOrder(block.meta)) return minTime;
  let place = minTime;
  for (const { meta } of blocks) {
    if (!isFromOutOfOrder(meta) && meta.minTime < maxTime && meta.maxTime > minTime) {
      place = Math.max(place, meta.minTime);
    }
  }
  return place;
}
