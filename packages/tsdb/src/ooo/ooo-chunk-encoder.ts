import {
  createXorEncoder,
  type HistogramChunk,
  HistogramWriter,
  XOR_CUT_BYTES,
  XOR_MAX_BYTES,
  XOR_SAMPLE_MAX_BYTES,
  Xor2Chunk,
  xorCount,
  xorEncode,
} from '@pollux/kernels';
import { sampleOf } from '@pollux/storage';
import type { BlockWriter } from '../block/block-writer.ts';
import { CHUNK_ENCODING } from '../format/chunk-file.ts';
import type { ChunkMeta } from '../format/index-write.ts';
import type { HeadOptions } from '../head/head.ts';
import type { SampleRun } from './sample-run.ts';

/** A chunk of histograms that is larger takes no more. */
const HISTOGRAM_CUT_BYTES = 32 * 1024;

type ChunkOptions = Pick<HeadOptions, 'hasStartTimes' | 'samplesPerChunk'>;

/** Writes runs of out-of-order samples into a block: XOR chunks, and where histograms follow, chunks of histograms. */
export class OooChunkEncoder {
  readonly #writer: BlockWriter;
  readonly #options: ChunkOptions;
  readonly #encoder = createXorEncoder();
  readonly #bytes = new Uint8Array(XOR_MAX_BYTES + XOR_SAMPLE_MAX_BYTES);
  #metas: ChunkMeta[] = [];

  constructor(writer: BlockWriter, options: ChunkOptions) {
    this.#writer = writer;
    this.#options = options;
  }

  async write(run: SampleRun): Promise<ChunkMeta[]> {
    this.#metas = [];
    const { kinds, count } = run;
    for (let start = 0; start < count; ) {
      let end = start + 1;
      while (end < count && kinds[end] === kinds[start]) end++;
      if (kinds[start] === 1) await this.#writeHistograms(run, start, end);
      else if (this.#options.hasStartTimes) await this.#writeWithStarts(run, start, end);
      else await this.#writeFloats(run, start, end);
      start = end;
    }
    return this.#metas;
  }

  async #writeFloats({ timestampsMs, words }: SampleRun, from: number, end: number): Promise<void> {
    const { samplesPerChunk } = this.#options;
    const bytes = this.#bytes;
    let start = from;
    while (start < end) {
      const to = Math.min(end, start + samplesPerChunk);
      const length = xorEncode(this.#encoder, timestampsMs, words, start, to, bytes, 0);
      const samples = xorCount(bytes, 0);
      const chunk = { bytes, start: 0, end: length };
      const ref = await this.#writer.addChunk(CHUNK_ENCODING.xor, chunk, samples);
      const next = start + samples;
      this.#metas.push({ minMs: timestampsMs[start]!, maxMs: timestampsMs[next - 1]!, ref });
      start = next;
    }
  }

  async #writeWithStarts(run: SampleRun, from: number, end: number): Promise<void> {
    const { timestampsMs, words, startTimestampsMs } = run;
    const { samplesPerChunk } = this.#options;
    for (let start = from; start < end; ) {
      const chunk = new Xor2Chunk();
      let next = start;
      while (next < end && chunk.count < samplesPerChunk && chunk.byteLength <= XOR_CUT_BYTES) {
        const startMs = startTimestampsMs?.[next] ?? 0;
        chunk.append(timestampsMs[next]!, words[next * 2]!, words[next * 2 + 1]!, startMs);
        next++;
      }
      const bytes = { bytes: chunk.bytes, start: 0, end: chunk.byteLength };
      const ref = await this.#writer.addChunk(CHUNK_ENCODING.xor2, bytes, chunk.count);
      this.#metas.push({ minMs: timestampsMs[start]!, maxMs: timestampsMs[next - 1]!, ref });
      start = next;
    }
  }

  /** What a chunk says of a reset holds against the out-of-order histogram before it; readers that merge leave it aside. */
  async #writeHistograms(run: SampleRun, start: number, end: number): Promise<void> {
    const { hasStartTimes, samplesPerChunk } = this.#options;
    const writer = new HistogramWriter(hasStartTimes);
    let minMs = run.timestampsMs[start]!;
    for (let i = start; i < end; i++) {
      const { timestampMs, histogram, startTimestampMs } = run.histogramAt(i);
      const { count = 0, byteLength = 0 } = writer.open ?? {};
      const isFull = count >= samplesPerChunk || byteLength > HISTOGRAM_CUT_BYTES;
      const closed = writer.append(sampleOf(histogram, timestampMs, startTimestampMs), isFull);
      if (closed === null) continue;
      await this.#writeHistogramChunk(closed, minMs);
      minMs = timestampMs;
    }
    if (writer.open !== null) await this.#writeHistogramChunk(writer.open, minMs);
  }

  async #writeHistogramChunk(chunk: HistogramChunk, minMs: number): Promise<void> {
    const { encoding, bytes, byteLength, count, lastTimestampMs } = chunk;
    const ref = await this.#writer.addChunk(encoding, { bytes, start: 0, end: byteLength }, count);
    this.#metas.push({ minMs, maxMs: lastTimestampMs, ref });
  }
}
