import type { Matcher } from '@pollux/model';
import type { TimeRange } from '@pollux/storage';
import type { Block } from '../block/block.ts';
import { BlockCursor, type OnDamage } from '../block/block-cursor.ts';
import { isFromOutOfOrder } from '../format/meta.ts';
import type { Head } from '../head/head.ts';
import { HeadCursor } from '../head/read.ts';
import { OooCursor } from '../ooo/ooo-cursor.ts';
import type { SeriesCursor } from './series-cursor.ts';
import type { SparseRange } from './sparse-range.ts';

/**
 * Cursors over all that may have samples of the range, in the order in which they answer: of two samples of a series at one
 * time the first cursor's is shown. Blocks of out-of-order samples may lie in the time of the head; its samples in order
 * were there before, and its out-of-order ones came after.
 */
export function openCursors(
  parts: { readonly blocks: readonly Block[]; readonly head: Head; readonly onDamage: OnDamage },
  range: SparseRange,
  matchers: readonly Matcher[],
): SeriesCursor[] {
  const { blocks, head, onDamage } = parts;
  const cursors: SeriesCursor[] = [];
  const wanted = blocks.filter((block) => block.overlaps(range));
  const isBehindHead = ({ meta }: Block): boolean =>
    isFromOutOfOrder(meta) && !head.isEmpty && meta.maxTime > head.minMs;
  const openBlocks = (list: readonly Block[]): void => {
    for (const block of list) cursors.push(new BlockCursor(block, range, matchers, onDamage));
  };
  try {
    openBlocks(wanted.filter((block) => !isBehindHead(block)));
    if (isInOrder(head, range)) cursors.push(new HeadCursor(head, range, matchers));
    openBlocks(wanted.filter(isBehindHead));
    if (head.outOfOrder.overlaps(range)) cursors.push(new OooCursor(head, range, matchers));
  } catch (error) {
    for (const cursor of cursors) cursor.close();
    throw error;
  }
  return cursors;
}

/** True when the head may have samples of the range, in order or not. */
export function overlapsHead(head: Head, range: TimeRange): boolean {
  return isInOrder(head, range) || head.outOfOrder.overlaps(range);
}

function isInOrder(head: Head, range: TimeRange): boolean {
  return !head.isEmpty && range.maxMs >= head.minMs && range.minMs <= head.maxMs;
}
