import { inAnswerOrder } from '../block/answer-order.ts';
import { type BlockMeta, isFromOutOfOrder } from '../format/meta.ts';
import { mergedCompaction } from './merged-meta.ts';

/** Behind every name of a block: the block to be is younger than all. */
const YOUNGEST = '~';

/**
 * Whether each value that is shown now is shown when the group is one block too. Of two samples of a series at one time that
 * of the block which is first in the order of answers is shown, and the merged block has one place in it: where a block
 * outside the group stands between two of the group that it overlaps, or where the merged block comes to stand on the other
 * side of it, another value may be shown. `all` are the blocks that answer, now or later, those of the group among them.
 */
export function keepsAnswers(all: readonly BlockMeta[], group: readonly BlockMeta[]): boolean {
  const others = all.filter((meta) => !group.includes(meta));
  const merged: BlockMeta = {
    ulid: YOUNGEST,
    minTime: Math.min(...group.map(({ minTime }) => minTime)),
    maxTime: Math.max(...group.map(({ maxTime }) => maxTime)),
    stats: { numSamples: 0, numSeries: 0, numChunks: 0 },
    compaction: mergedCompaction(group),
  };
  if (!others.some((other) => overlap(other, merged))) return true;
  const before = placesOf(all);
  const after = placesOf([...others, merged]);
  const isSame = (a: BlockMeta, b: BlockMeta, bAfter: BlockMeta): boolean =>
    !overlap(a, b) || before.get(a)! < before.get(b)! === after.get(a)! < after.get(bAfter)!;
  return others.every(
    (other) =>
      group.every((member) => isSame(other, member, merged)) &&
      // The places of late blocks depend on what they overlap, those of others on nothing.
      (!isFromOutOfOrder(other) || others.every((another) => isSame(other, another, another))),
  );
}

function placesOf(metas: readonly BlockMeta[]): Map<BlockMeta, number> {
  const ordered = inAnswerOrder(metas.map((meta) => ({ meta })));
  return new Map(ordered.map(({ meta }, place) => [meta, place]));
}

function overlap(a: BlockMeta, b: BlockMeta): boolean {
  return a.minTime < b.maxTime && a.maxTime > b.minTime;
}
