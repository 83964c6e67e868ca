import type { Env } from '@pollux/base';
import { compareText } from '@pollux/model';
import { BlockWriter } from '../block/block-writer.ts';
import { CHUNK_ENCODING } from '../format/chunk-file.ts';
import type { ChunkMeta } from '../format/index-write.ts';
import { FROM_OUT_OF_ORDER } from '../format/meta.ts';
import { DEFAULT_TSDB_OPTIONS } from '../options.ts';
import { Slices } from '../slices.ts';
import { ChunkCutter, type CutChunk } from './chunk-cutter.ts';
import type { RangeMerge } from './range-merge.ts';
import type { SampleSorter, SortedRange } from './sample-sorter.ts';

export type WriteRangeOptions = {
  readonly env: Env;
  /** Of blocks; the new one becomes a directory in it. */
  readonly directory: string;
  /** No chunk crosses a multiple of it. */
  readonly chunkRangeMs: number;
  /**
   * Marks the block as one of out-of-order samples: it may overlap others and the time of the log, which a server would
   * otherwise take for stored.
   */
  readonly isOutOfOrder?: boolean;
  readonly signal: AbortSignal;
};

/**
 * Writes one range of sorted samples as a block and returns its directory. The block's time is that of its samples. It has
 * its name only when it is complete; after an error or an abort nothing of it is left.
 */
export async function writeRangeAsBlock(
  sorter: SampleSorter,
  range: SortedRange,
  options: WriteRangeOptions,
): Promise<string | null> {
  const { env, directory, chunkRangeMs, signal } = options;
  const slices = new Slices(env.clock, signal);
  const texts = await sorter.texts(range);
  // The empty string is a symbol of every index.
  texts.add('');
  const symbols = [...texts].sort(compareText);
  const numbers = new Map(symbols.map((text, index) => [text, index]));
  const writer = new BlockWriter({
    env,
    directory,
    slices,
    minTime: range.minMs,
    maxTime: range.maxMs + 1,
    compaction: {
      level: 1,
      sources: [],
      ...(options.isOutOfOrder === true ? { hints: [FROM_OUT_OF_ORDER] } : {}),
    },
  });
  try {
    await writer.writeSymbols(symbols);
    const merge = sorter.merge(range);
    const { samplesPerChunk } = DEFAULT_TSDB_OPTIONS;
    const cutter = new ChunkCutter({ chunkRangeMs, samplesPerChunk });
    for (let labels = merge.next(); labels !== null; labels = merge.next()) {
      const chunks = await writeChunks(writer, cutter, merge, slices);
      const words = new Uint32Array(labels.size * 2);
      for (let i = 0; i < labels.size; i++) {
        words[i * 2] = numbers.get(labels.nameAt(i))!;
        words[i * 2 + 1] = numbers.get(labels.valueAt(i))!;
      }
      writer.addSeries(words, words.length, chunks);
      if (slices.isOver) await slices.pause();
    }
    sorter.conflicts += merge.conflicts;
    return await writer.finish();
  } catch (error) {
    writer.abandon();
    throw error;
  }
}

async function writeChunks(
  writer: BlockWriter,
  cutter: ChunkCutter,
  merge: RangeMerge,
  slices: Slices,
): Promise<ChunkMeta[]> {
  const chunks: ChunkMeta[] = [];
  const write = async (chunk: CutChunk | null): Promise<void> => {
    if (chunk === null) return;
    const { bytes, length, count, minMs, maxMs } = chunk;
    const ref = await writer.addChunk(CHUNK_ENCODING.xor, { bytes, start: 0, end: length }, count);
    chunks.push({ minMs, maxMs, ref });
  };
  for (let batch = merge.read(); batch.count > 0; batch = merge.read()) {
    const { timestampsMs, valueWords, count } = batch;
    for (let i = 0; i < count; i++) {
      const timestampMs = timestampsMs[i]!;
      if (cutter.mustCut(timestampMs)) await write(cutter.take());
      cutter.append(timestampMs, valueWords[i * 2]!, valueWords[i * 2 + 1]!);
    }
    if (slices.isOver) await slices.pause();
  }
  await write(cutter.take());
  return chunks;
}
