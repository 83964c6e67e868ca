import { type Clock, sleep } from '@pollux/base';
import type { Block } from '../block/block.ts';
import type { Head } from '../head/head.ts';
import { waitForAppenders } from '../head/truncate.ts';
import type { TsdbMetrics } from '../metrics.ts';
import { Slices } from '../slices.ts';
import { type CutOooOptions, cutOooBlocks } from './cut-ooo-blocks.ts';

export type CompactOooOptions = CutOooOptions & {
  readonly metrics: TsdbMetrics;
  /** How long batches and queries that began before may go on. */
  readonly maxReaderHoldMs: number;
  /** Names the complete blocks and makes them answer, all in one step. */
  readonly show: (paths: readonly string[]) => Promise<readonly Block[]>;
};

/** How often it is looked whether the last old query has ended. */
const READER_POLL_MS = 20;

/**
 * Moves the out-of-order samples of the head to blocks, then shortens their log. Until the blocks are shown the head
 * answers; from then on both do, alike, until no older query is left and the memory is given back. Returns the blocks.
 */
export async function compactOoo(options: CompactOooOptions): Promise<readonly Block[]> {
  const { env, head, signal, metrics, maxReaderHoldMs } = options;
  const { outOfOrder } = head;
  outOfOrder.shortenLog();
  const log = outOfOrder.log;
  if (log === null || outOfOrder.isEmpty) return [];
  // What is logged before the cut is marked below; what is logged later may be, and then it is stored twice after a crash.
  log.cut();
  const lastSegment = log.segments().last - 1;
  await waitForAppenders(head, env.clock, maxReaderHoldMs, signal);
  const blocks = await options.show(await cutOooBlocks(options));
  metrics.compactions.inc(blocks.length);
  await waitForOooReaders(head, env.clock, maxReaderHoldMs, signal);
  const failure = await outOfOrder.removeMoved(lastSegment);
  await dropMarked(head, new Slices(env.clock, signal), metrics);
  if (failure !== null) {
    outOfOrder.noteMoved(lastSegment);
    throw failure;
  }
  await head.chunkFileUse.releaseFiles();
  return blocks;
}

/** Waits for the queries of now: they may not see the blocks, so they read the samples. */
async function waitForOooReaders(
  head: Head,
  clock: Clock,
  maxHoldMs: number,
  signal: AbortSignal,
): Promise<void> {
  const { readers } = head.outOfOrder;
  const old = readers.live();
  const startedMs = clock.monotonic();
  while (old.some((reader) => readers.isLive(reader))) {
    if (clock.monotonic() - startedMs >= maxHoldMs) {
      for (const reader of old) reader.isExpired = true;
      return;
    }
    await sleep(clock, READER_POLL_MS, signal);
  }
}

async function dropMarked(head: Head, slices: Slices, metrics: TsdbMetrics): Promise<void> {
  const { outOfOrder } = head;
  const { samples } = outOfOrder;
  const slots = [...samples.slots()];
  outOfOrder.beginBounds();
  for (const slot of slots) {
    metrics.chunksRemoved.inc(samples.dropMarked(slot));
    const bounds = samples.boundsOf(slot);
    if (bounds !== null) outOfOrder.widenNext(bounds);
    if (slices.isOver) await slices.pause();
  }
  outOfOrder.endBounds();
}
