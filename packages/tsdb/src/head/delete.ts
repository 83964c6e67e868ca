import type { Matcher } from '@pollux/model';
import type { TimeRange } from '@pollux/storage';
import { encodeTombstones, recordBytes, type TombstoneRecord } from '../format/wal-record.ts';
import type { Wal } from '../wal/wal.ts';
import type { Head } from './head.ts';
import type { Interval } from './intervals.ts';
import { matchHead } from './read.ts';

const NONE: Interval = { minMs: Number.POSITIVE_INFINITY, maxMs: Number.NEGATIVE_INFINITY };

/**
 * Hides the samples of matching series in the range, logged first. Samples that come later are not hidden: intervals end
 * at the series' newest sample. Throws WalWriteError, after which nothing is hidden.
 *
 * Late samples are hidden where they are, but their times count here too: replay takes those that came before any sample
 * in order for such, and would show them again.
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
  for (const ref of matchHead(head, matchers)) {
    const slot = table.slotOf(ref);
    const late = outOfOrder.samples.pastOf(slot) ?? NONE;
    const minMs = Math.max(range.minMs, Math.min(head.minMs, late.minMs));
    const maxMs = Math.min(range.maxMs, Math.max(table.maxMs[slot]!, late.maxMs));
    if (minMs <= maxMs) stones.push({ ref, minMs, maxMs });
  }
  if (stones.length === 0) return;
  wal.write([recordBytes((target) => encodeTombstones(target, stones))]);
  for (const { ref, minMs, maxMs } of stones) head.addTombstone(ref, { minMs, maxMs });
}
