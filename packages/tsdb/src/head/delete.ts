import type { Matcher } from '@pollux/model';
import type { TimeRange } from '@pollux/storage';
import { encodeTombstones, recordBytes, type TombstoneRecord } from '../format/wal-record.ts';
import type { Wal } from '../wal/wal.ts';
import type { Head } from './head.ts';
import { matchHead } from './read.ts';

/**
 * Hides the samples of matching series in the range, logged first. Samples that come later are not hidden: intervals end
 * at the series' newest sample. Throws WalWriteError, after which nothing is hidden.
 */
export function deleteHeadSamples(
  head: Head,
  wal: Wal,
  range: TimeRange,
  matchers: readonly Matcher[],
): void {
  if (head.isEmpty || range.maxMs < head.minMs || range.minMs > head.maxMs) return;
  const stones: TombstoneRecord[] = [];
  for (const ref of matchHead(head, matchers)) {
    const minMs = Math.max(range.minMs, head.minMs);
    const maxMs = Math.min(range.maxMs, head.table.maxMs[head.table.slotOf(ref)]!);
    if (minMs <= maxMs) stones.push({ ref, minMs, maxMs });
  }
  if (stones.length === 0) return;
  wal.write([recordBytes((target) => encodeTombstones(target, stones))]);
  for (const { ref, minMs, maxMs } of stones) head.addTombstone(ref, { minMs, maxMs });
}
