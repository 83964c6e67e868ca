import { type Clock, sleep } from '@pollux/base';
import type { TsdbMetrics } from '../metrics.ts';
import { Slices } from '../slices.ts';
import type { Head } from './head.ts';
import type { Slot } from './series-table.ts';

export type TruncateOptions = {
  readonly head: Head;
  readonly clock: Clock;
  readonly metrics: TsdbMetrics;
  /** Samples before it are in blocks or deleted, which is durable, and {@link Head.raiseMinimum} was called with it. */
  readonly minMs: number;
  /** How long queries that began before may go on. */
  readonly maxReaderHoldMs: number;
  readonly signal: AbortSignal;
  /** Told of each series before its row is freed, and the time of its newest sample; its records may still be in the log. */
  readonly onRemoved: (slot: Slot, maxMs: number) => void;
};

/** How often it is looked whether the last old query has ended. */
const READER_POLL_MS = 20;

/**
 * Gives back the memory of chunks before `minMs` and removes series that have none left. Waits for queries that may still
 * read those chunks; one that holds them too long is ended. Yields between slices.
 */
export async function truncateHead(options: TruncateOptions): Promise<void> {
  const { head, clock, metrics, minMs } = options;
  metrics.headTruncations.inc();
  await waitForReaders(options);
  const slices = new Slices(clock, options.signal);
  const { table } = head;
  const late = head.outOfOrder.samples;
  // Samples that arrive meanwhile are not older than this.
  let oldestMs = head.appendableMinMs;
  let removed = 0;
  for (let slot = 0; slot < table.slotLimit; slot++) {
    if (table.refs[slot] === 0) continue;
    const seriesOldestMs = truncateSeries(head, slot, minMs, metrics);
    oldestMs = Math.min(oldestMs, seriesOldestMs);
    if (
      seriesOldestMs === Number.POSITIVE_INFINITY &&
      !late.has(slot) &&
      // What the log has of it and a replay would take must be found by a deletion, though it is in blocks.
      (late.pastOf(slot)?.maxMs ?? Number.NEGATIVE_INFINITY) < minMs &&
      table.touchedBy[slot]! < head.oldestAppender
    ) {
      const ref = table.refs[slot]!;
      options.onRemoved(slot, Math.max(table.maxMs[slot]!, late.pastOf(slot)?.maxMs ?? -Infinity));
      late.forget(slot);
      head.tombstones.delete(ref);
      head.metadata.delete(ref);
      table.remove(slot);
      removed++;
    }
    if (slot % 256 === 0 && slices.isOver) await slices.pause();
  }
  metrics.seriesRemoved.inc(removed);
  if (removed > 0) await table.rebuildPostings(slices);
  dropOldTombstones(head, minMs);
  head.setMinimum(head.chunkCount === 0 ? Number.POSITIVE_INFINITY : Math.max(oldestMs, minMs));
  await head.chunkFileUse.releaseFiles();
}

/** Drops the series' chunks before `minMs`; returns the time of its oldest sample that is left, or Infinity. */
function truncateSeries(head: Head, slot: Slot, minMs: number, metrics: TsdbMetrics): number {
  const { table, sealed } = head;
  const before = head.chunkCount;
  if (table.sealed[slot] !== 0) table.sealed[slot] = sealed.dropBefore(table.sealed[slot]!, minMs);
  if (table.maxMs[slot]! < minMs) head.dropOpen(slot);
  metrics.chunksRemoved.inc(before - head.chunkCount);
  let oldestMs = head.openChunkOf(slot)?.minMs ?? Number.POSITIVE_INFINITY;
  for (let ref = table.sealed[slot]!; ref !== 0; ref = sealed.olderOf(ref)) {
    oldestMs = sealed.minMsOf(ref);
  }
  return oldestMs;
}

function dropOldTombstones(head: Head, minMs: number): void {
  for (const [ref, intervals] of head.tombstones) {
    const kept = intervals.filter(({ maxMs }) => maxMs >= minMs);
    if (kept.length === 0) head.tombstones.delete(ref);
    else head.tombstones.set(ref, kept);
  }
}

/**
 * Waits until no batch is open that was begun before the call: its samples were checked against older bounds. Batches
 * that are held longer than `maxHoldMs` are ended.
 */
export async function waitForAppenders(
  head: Head,
  clock: Clock,
  maxHoldMs: number,
  signal: AbortSignal,
): Promise<void> {
  const newest = head.newestAppender;
  const startedMs = clock.monotonic();
  while (head.oldestAppender <= newest) {
    if (clock.monotonic() - startedMs >= maxHoldMs) head.expireAppenders(newest);
    else await sleep(clock, READER_POLL_MS, signal);
  }
}

async function waitForReaders(options: TruncateOptions): Promise<void> {
  const { head, clock, minMs, maxReaderHoldMs, signal } = options;
  const startedMs = clock.monotonic();
  const blocking = (): boolean => {
    for (const reader of head.readers) if (reader.minMs < minMs && !reader.isExpired) return true;
    return false;
  };
  while (blocking()) {
    if (clock.monotonic() - startedMs >= maxReaderHoldMs) {
      for (const reader of head.readers) if (reader.minMs < minMs) reader.isExpired = true;
      return;
    }
    await sleep(clock, READER_POLL_MS, signal);
  }
}
