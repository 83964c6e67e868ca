import { SeededRandom } from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import { createXorAppendState, XOR_MAX_BYTES, xorAppend, xorByteLength } from '@pollux/kernels';
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

/** A chunk of any encoding. */
export type TestChunk = {
  readonly encoding: number;
  readonly bytes: Uint8Array;
  readonly samples: number;
  readonly minMs: number;
  readonly maxMs: number;
};

export type ChunkBlockSpec = Omit<BlockSpec, 'rows' | 'samplesPerChunk'> & {
  readonly rows: readonly { readonly labels: Labels; readonly chunks: readonly TestChunk[] }[];
};

/** Writes a block of the rows, whose points ascend, in XOR chunks; returns its directory. */
export function writeTestBlock(directory: string, spec: BlockSpec): Promise<string> {
  const { samplesPerChunk = 120 } = spec;
  const rows = spec.rows.map(({ labels, points }) => {
    const chunks: TestChunk[] = [];
    for (let start = 0; start < points.length; start += samplesPerChunk) {
      chunks.push(xorChunk(points.slice(start, start + samplesPerChunk)));
    }
    return { labels, chunks };
  });
  return writeChunkBlock(directory, { ...spec, rows });
}

/** A XOR chunk of points that ascend. */
export function xorChunk(points: readonly Point[]): TestChunk {
  const state = createXorAppendState(1);
  const bytes = new Uint8Array(XOR_MAX_BYTES * 4);
  for (const { timestampMs, bits } of points) {
    const low = Number(bits & 0xffffffffn);
    xorAppend(state, 0, bytes, 0, timestampMs, low, Number(bits >> 32n));
  }
  return {
    encoding: CHUNK_ENCODING.xor,
    bytes: bytes.subarray(0, xorByteLength(state, 0)),
    samples: points.length,
    minMs: points[0]!.timestampMs,
    maxMs: points.at(-1)!.timestampMs,
  };
}

/** Writes a block of the rows, whose chunks ascend; returns its directory. */
export async function writeChunkBlock(directory: string, spec: ChunkBlockSpec): Promise<string> {
  const { minTime, maxTime, rows, seed = 1 } = spec;
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
  for (const { labels, chunks } of sorted) {
    const metas: ChunkMeta[] = [];
    for (const { encoding, bytes, samples, minMs, maxMs } of chunks) {
      const chunk = { bytes, start: 0, end: bytes.length };
      metas.push({ minMs, maxMs, ref: await writer.addChunk(encoding, chunk, samples) });
    }
    const words = [...labels].flatMap((pair) => pair.map((text) => numbers.get(text)!));
    writer.addSeries(Uint32Array.from(words), words.length, metas);
  }
  const path = await writer.finish();
  if (path === null) throw new Error('a block without samples');
  return path;
}
