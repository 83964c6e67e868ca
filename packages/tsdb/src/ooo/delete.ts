import type { Matcher } from '@pollux/model';
import type { TimeRange } from '@pollux/storage';
import { encodeTombstones, recordBytes, type TombstoneRecord } from '../format/wal-record.ts';
import type { Head } from '../head/head.ts';
import { matchHead } from '../head/read.ts';

/**
 * Hides the out-of-order samples of matching series in the range, logged first. Samples that come later are not hidden.
 * Throws WalWriteError or the system's error, after which nothing is hidden.
 */
export function deleteOooSamples(head: Head, range: TimeRange, matchers: readonly Matcher[]): void {
  const { log, samples } = head.outOfOrder;
  head.outOfOrder.shortenLog();
  if (log === null || !head.outOfOrder.overlaps(range)) return;
  const stones: TombstoneRecord[] = [];
  for (const ref of matchHead(head, matchers)) {
    const bounds = samples.boundsOf(head.table.slotOf(ref));
    if (bounds === null) continue;
    const minMs = Math.max(range.minMs, bounds.minMs);
    const maxMs = Math.min(range.maxMs, bounds.maxMs);
    if (minMs <= maxMs) stones.push({ ref, minMs, maxMs });
  }
  if (stones.length === 0) return;
  log.write([recordBytes((target) => encodeTombstones(target, stones))]);
  for (const { ref, minMs, maxMs } of stones) {
    samples.delete(head.table.slotOf(ref), { minMs, maxMs });
  }
}
