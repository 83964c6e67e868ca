import type { Matcher } from '@pollux/model';
import type { TimeRange } from '@pollux/storage';
import { encodeTombstones, recordBytes, type TombstoneRecord } from '../format/wal-record.ts';
import type { Wal } from '../wal/wal.ts';
import type { Head } from './head.ts';
import { matchHead } from './read.ts';

/**
 * Hides the samples of matching series in the range, logged first. Samples that come later are not hidden: intervals end
 * where the series takes the next in order. Throws WalWriteError, after which nothing is hidden.
 *
 * Late samples are hidden where they are, but the log has them too, and replay takes those for samples in order that it finds
 * before any such: behind a lost head snapshot, or without head chunks that were given up, also ones that are only in blocks
 * by now. So the intervals are those of all that the log can have, not only of what the head has.
 */
export function deleteHeadSamples(
  head: Head,
  wal: Wal,
  range: TimeRange,
  matchers: readonly Matcher[],
): void {
  const { table, outOfOrder } = head;
  if (table.count === 0) return;
  const stones: TombstoneRecord[] = [];
  // A series without samples in order takes none before this, so what the log has of it from before was late.
  const lateMaxMs = head.appendableMinMs - 1;
  const minMs = Math.max(range.minMs, head.minValidMs, Number.MIN_SAFE_INTEGER);
  for (const ref of matchHead(head, matchers)) {
    const slot = table.slotOf(ref);
    const past = outOfOrder.samples.pastOf(slot)?.maxMs ?? Number.NEGATIVE_INFINITY;
    const maxMs = Math.min(range.maxMs, Math.max(table.maxMs[slot]!, past, lateMaxMs));
    if (minMs <= maxMs) stones.push({ ref, minMs, maxMs });
  }
  if (stones.length === 0) return;
  wal.write([recordBytes((target) => encodeTombstones(target, stones))]);
  for (const { ref, minMs, maxMs } of stones) head.addTombstone(ref, { minMs, maxMs });
}
