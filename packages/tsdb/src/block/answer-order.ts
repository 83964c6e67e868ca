import { type BlockMeta, isFromOutOfOrder, originOf } from '../format/meta.ts';

/**
 * The blocks in the order in which they answer: of two samples of a series at one time the first block's is shown, and is
 * kept when they are compacted. It is the order of time and then of age, except that a block of out-of-order samples comes
 * behind all others that it overlaps, since their samples were there before, and behind older ones of its kind; so an answer
 * does not change when samples move. Nor does it when a block is written anew without what was deleted from it: which of two
 * blocks that overlap comes first depends on nothing but their times, kinds and origins, which such a copy keeps.
 */
export function inAnswerOrder<B extends { readonly meta: BlockMeta }>(blocks: readonly B[]): B[] {
  const byAge = [...blocks].sort((a, b) => compareAge(a.meta, b.meta));
  const ages = new Map(byAge.map((block, age) => [block, age]));
  const isLate = (block: B): boolean => isFromOutOfOrder(block.meta);
  const places = new Map<B, number>();
  for (const block of byAge) if (!isLate(block)) places.set(block, block.meta.minTime);
  for (const block of byAge.filter(isLate)) {
    let place = block.meta.minTime;
    for (const [other, at] of places) {
      if (at > place && overlap(other.meta, block.meta)) place = at;
    }
    places.set(block, place);
  }
  return byAge.sort(
    (a, b) =>
      places.get(a)! - places.get(b)! ||
      Number(isLate(a)) - Number(isLate(b)) ||
      ages.get(a)! - ages.get(b)!,
  );
}

function compareAge(a: BlockMeta, b: BlockMeta): number {
  return compareText(originOf(a), originOf(b)) || compareText(a.ulid, b.ulid);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

function overlap(a: BlockMeta, b: BlockMeta): boolean {
  return a.minTime < b.maxTime && a.maxTime > b.minTime;
}
