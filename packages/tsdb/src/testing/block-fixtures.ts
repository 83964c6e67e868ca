import { SeededRandom } from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import {
  createXorAppendState,
  resetXorAppend,
  XOR_MAX_BYTES,
  xorAppend,
  xorByteLength,
} from '@pollux/kernels';
import { compareText, type Labels } from '@pollux/model';
import { BlockWriter } from '../block/block-writer.ts';
import { CHUNK_ENCODING } from '../format/chunk-file.ts';
import type { ChunkMeta } from '../format/index-write.ts';
import type { BlockCompaction } from '../format/meta.ts';
import { Slices } from '../slices.ts';
import type { Point } from './fixtures.ts';
import { QuickFiles } from './quick-files.ts';

export type BlockRow = { readonly labels: Labels; readonly points: readonly Point[] };

export type BlockSpec = {
  readonly minTime: number;
  readonly maxTime: number;
  readonly rows: readonly BlockRow[];
  readonly samplesPerChunk?: number;
  readonly compaction?: BlockCompaction;
  readonly seed?: number;
};

/** Writes a block of the rows, whose points ascend; returns its directory. */
export async function writeTestBlock(directory: string, spec: BlockSpec): Promise<string> {
  const { minTime, maxTime, rows, samplesPerChunk = 120, seed = 1 } = spec;
  const env = { ...nodeEnv(), files: new QuickFiles(), random: new SeededRandom(seed) };
  const sorted = [...rows].sort((a, b) => a.labels.compare(b.labels));
  const texts = new Set(['']);
  for (const { labels } of sorted) for (const [name, value] of labels) texts.add(name).add(value);
  const symbols = [...texts].sort(compareText);
  const numbers = new Map(symbols.map((text, i) => [text, i]));
  const compaction = spec.compaction ?? { level: 1, sources: [] };
  const slices = new Slices(env.clock);
  const writer = new BlockWriter({ env, directory, slices, minTime, maxTime, compaction });
  await writer.writeSymbols(symbols);
  const state = createXorAppendState(1);
  const bytes = new Uint8Array(XOR_MAX_BYTES * 4);
  for (const { labels, points } of sorted) {
    const metas: ChunkMeta[] = [];
    for (let start = 0; start < points.length; start += samplesPerChunk) {
      const part = points.slice(start, start + samplesPerChunk);
      resetXorAppend(state, 0);
      for (const { timestampMs, bits } of part) {
        const low = Number(bits & 0xffffffffn);
        xorAppend(state, 0, bytes, 0, timestampMs, low, Number(bits >> 32n));
      }
      const chunk = { bytes, start: 0, end: xorByteLength(state, 0) };
      const ref = await writer.addChunk(CHUNK_ENCODING.xor, chunk, part.length);
      metas.push({ minMs: part[0]!.timestampMs, maxMs: part.at(-1)!.timestampMs, ref });
    }
    const words = [...labels].flatMap((pair) => pair.map((text) => numbers.get(text)!));
    writer.addSeries(Uint32Array.from(words), words.length, metas);
  }
  const path = await writer.finish();
  if (path === null) throw new Error('a block without samples');
  return path;
}
