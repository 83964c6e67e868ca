import type { Env } from '@pollux/base';
import { slicedSort } from '@pollux/base';
import { BlockWriter } from '../block/block-writer.ts';
import type { ChunkMeta } from '../format/index-write.ts';
import { chunkSampleCount, type EncodedChunk, rewriteChunk } from '../format/rewrite-chunk.ts';
import type { TsdbMetrics } from '../metrics.ts';
import { Slices } from '../slices.ts';
import type { Head } from './head.ts';
import type { Interval } from './intervals.ts';
import type { Slot } from './series-table.ts';

export type CutBlockOptions = {
  readonly env: Env;
  readonly directory: string;
  readonly head: Head;
  /** The block's time, `maxTime` exclusive; every chunk of the head lies inside or outside of it. */
  readonly minTime: number;
  readonly maxTime: number;
  readonly signal: AbortSignal;
  readonly metrics: TsdbMetrics;
};

/**
 * Writes the head's samples of the time as a block that is complete but for its name, and returns its temporary directory,
 * or null when there are none. Nothing of the head changes; no sample of that time can come any more. Yields between slices.
 */
export async function cutBlock(options: CutBlockOptions): Promise<string | null> {
  const { env, directory, head, minTime, maxTime } = options;
  const slices = new Slices(env.clock, options.signal);
  const slots = await slotsWithin(head, minTime, maxTime, slices);
  if (slots.length === 0) return null;
  const { table } = head;
  await slicedSort(slots, (a, b) => table.compare(a, b), slices);
  const { symbols, numbers } = await collectSymbols(head, slots, slices);

  const writer = new BlockWriter({
    env,
    directory,
    slices,
    minTime,
    maxTime,
    compaction: { level: 1, sources: [] },
    metrics: options.metrics,
  });
  try {
    await writer.writeSymbols(symbols);
    await writeSeries({ options, slots, numbers, writer, slices });
    return await writer.complete();
  } catch (error) {
    writer.abandon();
    throw error;
  }
}

async function slotsWithin(
  head: Head,
  minTime: number,
  maxTime: number,
  slices: Slices,
): Promise<Uint32Array> {
  const { table } = head;
  const slots = new Uint32Array(table.count);
  let count = 0;
  for (let slot = 0; slot < table.slotLimit && count < slots.length; slot++) {
    if (table.refs[slot] !== 0 && hasChunkWithin(head, slot, minTime, maxTime)) {
      slots[count++] = slot;
    }
    if (slot % 1024 === 0 && slices.isOver) await slices.pause();
  }
  return slots.subarray(0, count);
}

function hasChunkWithin(head: Head, slot: Slot, minTime: number, maxTime: number): boolean {
  const { table, sealed } = head;
  const open = head.openChunkOf(slot);
  if (open !== null && open.minMs < maxTime && open.maxMs >= minTime) return true;
  for (let ref = table.sealed[slot]!; ref !== 0; ref = sealed.olderOf(ref)) {
    if (sealed.maxMsOf(ref) < minTime) return false;
    if (sealed.minMsOf(ref) < maxTime) return true;
  }
  return false;
}

/** Texts of all labels of the series, ascending, and the place of each of the head's symbols among them. */
export async function collectSymbols(
  head: Head,
  slots: Uint32Array,
  slices: Slices,
): Promise<{ symbols: string[]; numbers: Uint32Array }> {
  const { table } = head;
  const limit = table.symbols.limit;
  const isUsed = new Uint8Array(limit);
  // The empty string is a symbol of every index.
  isUsed[0] = 1;
  for (let i = 0; i < slots.length; i++) {
    for (const id of table.labelSymbols(slots[i]!)) isUsed[id] = 1;
    if (i % 1024 === 0 && slices.isOver) await slices.pause();
  }
  const used = new Uint32Array(limit);
  let count = 0;
  for (let id = 0; id < limit; id++) if (isUsed[id] === 1) used[count++] = id;
  const order = used.subarray(0, count);
  const compare = (a: number, b: number): number => table.symbols.compare(a, b);
  await slicedSort(order, compare, slices);
  const symbols: string[] = [];
  const numbers = new Uint32Array(limit);
  for (const id of order) {
    numbers[id] = symbols.push(table.symbols.text(id)) - 1;
    if (symbols.length % 1024 === 0 && slices.isOver) await slices.pause();
  }
  return { symbols, numbers };
}

async function writeSeries(work: {
  readonly options: CutBlockOptions;
  readonly slots: Uint32Array;
  readonly numbers: Uint32Array;
  readonly writer: BlockWriter;
  readonly slices: Slices;
}): Promise<void> {
  const { options, slots, numbers, writer, slices } = work;
  const { table } = options.head;
  for (const slot of slots) {
    const metas: ChunkMeta[] = [];
    for (const chunk of chunksOf(options, slot)) {
      const { encoding, bytes, start, length, minMs, maxMs } = chunk;
      const chunkBytes = { bytes, start, end: start + length };
      const samples = chunkSampleCount(bytes, start, encoding);
      const ref = await writer.addChunk(encoding, chunkBytes, samples);
      metas.push({ minMs, maxMs, ref });
    }
    if (metas.length > 0) {
      const labels = table.labelSymbols(slot).map((id) => numbers[id]!);
      writer.addSeries(labels, labels.length, metas);
    }
    if (slices.isOver) await slices.pause();
  }
}

/**
 * The chunks of a series in the block's time, oldest first. They are copies, since the series may get samples, and its
 * open chunk move, while they are written.
 */
function chunksOf({ head, minTime, maxTime }: CutBlockOptions, slot: Slot): EncodedChunk[] {
  const { table, sealed } = head;
  const chunks: EncodedChunk[] = [];
  const open = head.openChunkOf(slot);
  if (open !== null && open.minMs < maxTime && open.maxMs >= minTime) {
    const bytes = open.bytes.slice(open.start, open.start + open.length);
    chunks.push({ ...open, bytes, start: 0 });
  }
  for (let ref = table.sealed[slot]!; ref !== 0; ref = sealed.olderOf(ref)) {
    const minMs = sealed.minMsOf(ref);
    const maxMs = sealed.maxMsOf(ref);
    if (maxMs < minTime) break;
    if (minMs >= maxTime) continue;
    const chunk = sealed.readOnce(ref);
    const { encoding, length } = chunk;
    const bytes = chunk.bytes.slice(chunk.start, chunk.start + length);
    chunks.push({ encoding, bytes, start: 0, length, minMs, maxMs });
  }
  chunks.reverse();
  const deleted = head.tombstones.get(table.refs[slot]!) ?? [];
  const range: Interval = { minMs: minTime, maxMs: maxTime - 1 };
  return chunks.flatMap((chunk) => {
    const isInside = chunk.minMs >= range.minMs && chunk.maxMs <= range.maxMs;
    const isTouched = deleted.some(
      (interval) => interval.maxMs >= chunk.minMs && interval.minMs <= chunk.maxMs,
    );
    if (isInside && !isTouched) return [chunk];
    const kept = rewriteChunk(chunk, (timestampMs) => {
      if (timestampMs < range.minMs || timestampMs > range.maxMs) return false;
      return !deleted.some(({ minMs, maxMs }) => timestampMs >= minMs && timestampMs <= maxMs);
    });
    return kept === null ? [] : [kept];
  });
}
