import type { Env } from '@pollux/base';
import { slicedSort } from '@pollux/base';
import { BlockWriter } from '../block/block-writer.ts';
import { FROM_OUT_OF_ORDER } from '../format/meta.ts';
import { collectSymbols } from '../head/cut-block.ts';
import type { Head } from '../head/head.ts';
import type { Interval } from '../head/intervals.ts';
import type { Slot } from '../head/series-table.ts';
import { Slices } from '../slices.ts';
import { OooChunkEncoder } from './ooo-chunk-encoder.ts';
import { SampleRun } from './sample-run.ts';

export type CutOooOptions = {
  readonly env: Env;
  readonly directory: string;
  readonly head: Head;
  readonly signal: AbortSignal;
};

/** A time of one block, `maxTime` exclusive. */
type BlockTime = { readonly minTime: number; readonly maxTime: number };

/**
 * Writes all out-of-order samples of the head as blocks, one for each block time that has some, complete but for their
 * names, and returns their temporary directories. Each series is marked first: what arrives later is not in the blocks. Nothing is dropped. Yields between
 * slices; after an error no block is left.
 */
export async function cutOooBlocks(options: CutOooOptions): Promise<string[]> {
  const { env, head, signal } = options;
  const { table, outOfOrder } = head;
  const slices = new Slices(env.clock, signal);
  const slots = Uint32Array.from(outOfOrder.samples.slots());
  for (const slot of slots) {
    outOfOrder.samples.mark(slot);
    if (slices.isOver) await slices.pause();
  }
  await slicedSort(slots, (a, b) => table.compare(a, b), slices);
  const times = await blockTimes(head, slots, slices);
  const paths: string[] = [];
  try {
    for (const time of times) {
      const path = await cutOooBlock(options, slots, time, slices);
      if (path !== null) paths.push(path);
    }
  } catch (error) {
    for (const path of paths) env.files.removeTree(path);
    throw error;
  }
  return paths;
}

/** The block times that may have samples, ascending. */
async function blockTimes(head: Head, slots: Uint32Array, slices: Slices): Promise<BlockTime[]> {
  const { chunkRangeMs } = head.options;
  const starts = new Set<number>();
  for (const slot of slots) {
    head.outOfOrder.samples.addMarkedRanges(slot, chunkRangeMs, starts);
    if (slices.isOver) await slices.pause();
  }
  return [...starts]
    .sort((a, b) => a - b)
    .map((minTime) => ({ minTime, maxTime: minTime + chunkRangeMs }));
}

/** The marked samples of the time, in order. */
function collectMarked(head: Head, slot: Slot, time: Interval, run: SampleRun): void {
  const { samples } = head.outOfOrder;
  run.clear();
  samples.collect(slot, { ...time, since: samples.markedOf(slot), isOnce: true }, run);
  run.sort();
}

async function cutOooBlock(
  { env, directory, head }: CutOooOptions,
  sorted: Uint32Array,
  { minTime, maxTime }: BlockTime,
  slices: Slices,
): Promise<string | null> {
  const { table, outOfOrder } = head;
  const { samples } = outOfOrder;
  const time = { minMs: minTime, maxMs: maxTime - 1 };
  const slots = sorted.slice();
  let count = 0;
  for (const slot of sorted) {
    if (samples.mayHave(slot, { ...time, since: samples.markedOf(slot) })) slots[count++] = slot;
    if (slices.isOver) await slices.pause();
  }
  const { symbols, numbers } = await collectSymbols(head, slots.subarray(0, count), slices);
  const compaction = { level: 1, sources: [], hints: [FROM_OUT_OF_ORDER] };
  const writer = new BlockWriter({ env, directory, slices, minTime, maxTime, compaction });
  const run = new SampleRun();
  const encoder = new OooChunkEncoder(writer, head.options);
  try {
    await writer.writeSymbols(symbols);
    for (const slot of slots.subarray(0, count)) {
      collectMarked(head, slot, time, run);
      const chunks = await encoder.write(run);
      if (chunks.length > 0) {
        const labels = table.labelSymbols(slot).map((id) => numbers[id]!);
        writer.addSeries(labels, labels.length, chunks);
      }
      if (slices.isOver) await slices.pause();
    }
    return await writer.complete();
  } catch (error) {
    writer.abandon();
    throw error;
  }
}
