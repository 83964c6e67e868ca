import {
  createXorEncoder,
  type HistogramChunk,
  HistogramWriter,
  XOR_SAMPLE_MAX_BYTES,
  Xor2Chunk,
  xorEncode,
} from '@pollux/kernels';
import { sampleOf } from '@pollux/storage';
import { CHUNK_ENCODING } from '../format/chunk-file.ts';
import type { EncodedChunk } from '../format/rewrite-chunk.ts';
import { MAX_CHUNK_SPAN_MS } from '../head-chunks/entry.ts';
import type { TimedHistogram } from '../query/histogram-run.ts';

/** Samples of one open chunk, as Prometheus' default; as many as a word has bits. */
export const CHUNK_SAMPLES = 32;
/** A chunk of histograms that is larger takes no more. */
const HISTOGRAM_CUT_BYTES = 32 * 1024;

/** The samples of one open chunk by time, at most {@link CHUNK_SAMPLES}, no two at one time. */
export type OooChunkSamples = {
  count: number;
  readonly timestampsMs: Float64Array;
  /** The bits of a float. */
  readonly words: Uint32Array;
  /** Of floats, 0 = unknown. */
  readonly startTimestampsMs: Float64Array;
  /** How many of the chunk's samples arrived after each. */
  readonly after: Uint8Array;
  /** Null for a float. */
  readonly histograms: (TimedHistogram | null)[];
};

export function createOooChunkSamples(): OooChunkSamples {
  return {
    count: 0,
    timestampsMs: new Float64Array(CHUNK_SAMPLES),
    words: new Uint32Array(CHUNK_SAMPLES * 2),
    startTimestampsMs: new Float64Array(CHUNK_SAMPLES),
    after: new Uint8Array(CHUNK_SAMPLES),
    histograms: new Array<TimedHistogram | null>(CHUNK_SAMPLES).fill(null),
  };
}

/** Takes a chunk and, of each of its samples, how many arrived after it. Both are lent for the call. */
export type TakeLateChunk = (chunk: EncodedChunk, after: Uint8Array) => void;

/**
 * Encodes what was one open chunk: the floats as one chunk, the histograms as one or, where Prometheus' format needs it,
 * more. Which of these comes first matters to nobody, since they share no time.
 */
export class LateChunkEncoder {
  readonly #hasStartTimes: boolean;
  /** So few samples are never cut for their size. */
  readonly #xor = createXorEncoder();
  readonly #bytes = new Uint8Array((CHUNK_SAMPLES + 1) * XOR_SAMPLE_MAX_BYTES);
  readonly #timestampsMs = new Float64Array(CHUNK_SAMPLES);
  readonly #words = new Uint32Array(CHUNK_SAMPLES * 2);
  readonly #startTimestampsMs = new Float64Array(CHUNK_SAMPLES);
  readonly #after = new Uint8Array(CHUNK_SAMPLES);

  constructor(hasStartTimes: boolean) {
    this.#hasStartTimes = hasStartTimes;
  }

  encode(samples: OooChunkSamples, take: TakeLateChunk): void {
    let floats = 0;
    for (let i = 0; i < samples.count; i++) {
      if (samples.histograms[i] !== null) continue;
      if (floats > 0 && samples.timestampsMs[i]! - this.#timestampsMs[0]! > MAX_CHUNK_SPAN_MS) {
        this.#takeFloats(floats, take);
        floats = 0;
      }
      this.#timestampsMs[floats] = samples.timestampsMs[i]!;
      this.#words[floats * 2] = samples.words[i * 2]!;
      this.#words[floats * 2 + 1] = samples.words[i * 2 + 1]!;
      this.#startTimestampsMs[floats] = samples.startTimestampsMs[i]!;
      this.#after[floats] = samples.after[i]!;
      floats++;
    }
    if (floats > 0) this.#takeFloats(floats, take);
    if (samples.histograms.some((histogram) => histogram !== null)) {
      this.#encodeHistograms(samples, take);
    }
  }

  #takeFloats(count: number, take: TakeLateChunk): void {
    const times = this.#timestampsMs;
    const [minMs, maxMs] = [times[0]!, times[count - 1]!];
    const floats = this.#hasStartTimes ? this.#withStarts(count) : this.#plain(count);
    take({ ...floats, start: 0, minMs, maxMs }, this.#after.subarray(0, count));
  }

  #plain(count: number): Pick<EncodedChunk, 'encoding' | 'bytes' | 'length'> {
    const bytes = this.#bytes;
    const length = xorEncode(this.#xor, this.#timestampsMs, this.#words, 0, count, bytes, 0);
    return { encoding: CHUNK_ENCODING.xor, bytes, length };
  }

  #withStarts(count: number): Pick<EncodedChunk, 'encoding' | 'bytes' | 'length'> {
    const chunk = new Xor2Chunk();
    const words = this.#words;
    for (let i = 0; i < count; i++) {
      const startMs = this.#startTimestampsMs[i]!;
      chunk.append(this.#timestampsMs[i]!, words[i * 2]!, words[i * 2 + 1]!, startMs);
    }
    return { encoding: CHUNK_ENCODING.xor2, bytes: chunk.bytes, length: chunk.byteLength };
  }

  #encodeHistograms(samples: OooChunkSamples, take: TakeLateChunk): void {
    const writer = new HistogramWriter(this.#hasStartTimes);
    let minMs = 0;
    let count = 0;
    const takeChunk = (chunk: HistogramChunk): void => {
      const { encoding, bytes, byteLength, lastTimestampMs } = chunk;
      const times = { minMs, maxMs: lastTimestampMs };
      const encoded = { encoding, bytes, start: 0, length: byteLength, ...times };
      take(encoded, this.#after.subarray(0, count));
      count = 0;
    };
    for (let i = 0; i < samples.count; i++) {
      const entry = samples.histograms[i]!;
      if (entry === null) continue;
      const { timestampMs, startTimestampMs, histogram } = entry;
      const isFull =
        (writer.open?.byteLength ?? 0) > HISTOGRAM_CUT_BYTES ||
        timestampMs - minMs > MAX_CHUNK_SPAN_MS;
      const closed = writer.append(sampleOf(histogram, timestampMs, startTimestampMs), isFull);
      if (closed !== null) takeChunk(closed);
      if (count === 0) minMs = timestampMs;
      this.#after[count++] = samples.after[i]!;
    }
    if (writer.open !== null) takeChunk(writer.open);
  }
}
