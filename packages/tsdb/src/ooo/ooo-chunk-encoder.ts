import {
  createXorAppendState,
  type HistogramChunk,
  HistogramWriter,
  resetXorAppend,
  XOR_CUT_BYTES,
  XOR_MAX_BYTES,
  XOR_SAMPLE_MAX_BYTES,
  xorAppend,
  xorByteLength,
} from '@pollux/kernels';
import type { BlockWriter } from '../block/block-writer.ts';
import { CHUNK_ENCODING } from '../format/chunk-file.ts';
import type { ChunkMeta } from '../format/index-write.ts';
import type { Head } from '../head/head.ts';
import { sampleOf } from '../query/histogram-values.ts';
import type { SampleRun } from './sample-run.ts';

/** A chunk of histograms that is larger takes no more. */
const HISTOGRAM_CUT_BYTES = 32 * 1024;

/** Writes runs of out-of-order samples into a block: XOR chunks, and where histograms follow, chunks of histograms. */
export class OooChunkEncoder {
  readonly #writer: BlockWriter;
  readonly #head: Head;
  readonly #state = createXorAppendState(1);
  readonly #bytes = new Uint8Array(XOR_MAX_BYTES + XOR_SAMPLE_MAX_BYTES);
  #metas: ChunkMeta[] = [];

  constructor(writer: BlockWriter, head: Head) {
    this.#writer = writer;
    this.#head = head;
  }

  async write(run: SampleRun): Promise<ChunkMeta[]> {
    this.#metas = [];
    const { kinds, count } = run;
    for (let start = 0; start < count; ) {
      let end = start + 1;
      while (end < count && kinds[end] === kinds[start]) end++;
      if (kinds[start] === 1) await this.#writeHistograms(run, start, end);
      else await this.#writeFloats(run, start, end);
      start = end;
    }
    return this.#metas;
  }

  async #writeFloats({ timestampsMs, words }: SampleRun, from: number, end: number): Promise<void> {
    const { samplesPerChunk } = this.#head.options;
    const state = this.#state;
    let start = from;
    resetXorAppend(state, 0);
    for (let i = from; i < end; i++) {
      xorAppend(state, 0, this.#bytes, 0, timestampsMs[i]!, words[i * 2]!, words[i * 2 + 1]!);
      const size = xorByteLength(state, 0);
      const samples = i + 1 - start;
      if (i + 1 < end && samples < samplesPerChunk && size <= XOR_CUT_BYTES) continue;
      const chunk = { bytes: this.#bytes, start: 0, end: size };
      const ref = await this.#writer.addChunk(CHUNK_ENCODING.xor, chunk, samples);
      this.#metas.push({ minMs: timestampsMs[start]!, maxMs: timestampsMs[i]!, ref });
      resetXorAppend(state, 0);
      start = i + 1;
    }
  }

  /** What a chunk says of a reset holds against the out-of-order histogram before it; readers that merge leave it aside. */
  async #writeHistograms(run: SampleRun, start: number, end: number): Promise<void> {
    const { hasStartTimes, samplesPerChunk } = this.#head.options;
    const { histograms } = this.#head.outOfOrder.samples;
    const writer = new HistogramWriter(hasStartTimes);
    let minMs = run.timestampsMs[start]!;
    for (let i = start; i < end; i++) {
      const timestampMs = run.timestampsMs[i]!;
      const { histogram, startTimestampMs } = histograms.read(run.words[i * 2]!);
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
