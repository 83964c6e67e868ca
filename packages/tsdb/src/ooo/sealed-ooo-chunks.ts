import { DecodeError } from '@pollux/base';
import { decodeHistograms, XOR_MALFORMED, xor2Decode, xorCount, xorDecode } from '@pollux/kernels';
import { histogramAt } from '@pollux/storage';
import { CorruptionError } from '../errors.ts';
import { CHUNK_ENCODING } from '../format/chunk-file.ts';
import { SealedChunks, type SealedRef } from '../head/sealed-chunks.ts';
import type { ChunkFileUse } from '../head-chunks/chunk-file-use.ts';
import type { HeadChunkFiles } from '../head-chunks/head-chunk-files.ts';
import type { TimedHistogram } from '../query/histogram-run.ts';
import { HeldArrivals } from './held-arrivals.ts';
import { CHUNK_SAMPLES, LateChunkEncoder, type OooChunkSamples } from './late-chunk-encoder.ts';
import type { OooReaders } from './ooo-readers.ts';

export type LateChunkStore = {
  readonly chunkFiles: HeadChunkFiles;
  readonly chunkFileUse: ChunkFileUse;
  /** Whether chunks keep start timestamps. */
  readonly hasStartTimes: boolean;
};

export type LateChunkMeta = {
  readonly older: SealedRef;
  readonly series: number;
  /** Samples of the series that had arrived when the chunk was sealed, modulo 2^32. */
  readonly arrivedBy: number;
};

/** What {@link SealedOooChunks.load} reads: floats, or histograms, by time. Lent until the next call. */
export type LoadedLateChunk = {
  readonly count: number;
  readonly timestampsMs: Float64Array;
  readonly words: Uint32Array;
  /** Of floats, 0 = unknown; null for none. */
  readonly startTimestampsMs: Float64Array | null;
  /** Null for a chunk of floats. */
  readonly histograms: readonly TimedHistogram[] | null;
};

/**
 * Late chunks that are full, in the head chunk files; of each 28 bytes are in memory. Those of a series form a list from the
 * newest to the oldest, ended by 0.
 */
export class SealedOooChunks {
  readonly #store: HeadChunkFiles;
  readonly #rows: SealedChunks;
  readonly #encoder: LateChunkEncoder;
  readonly #held: HeldArrivals;
  /** By row. */
  #arrivedBy = new Uint32Array(64);
  readonly #timestampsMs = new Float64Array(CHUNK_SAMPLES);
  readonly #words = new Uint32Array(CHUNK_SAMPLES * 2);

  constructor({ chunkFiles, chunkFileUse, hasStartTimes }: LateChunkStore, readers: OooReaders) {
    this.#store = chunkFiles;
    this.#rows = new SealedChunks(chunkFiles, chunkFileUse);
    this.#encoder = new LateChunkEncoder(hasStartTimes);
    this.#held = new HeldArrivals(readers);
  }

  get count(): number {
    return this.#rows.count;
  }

  /** Takes a copy of the samples, one at least, as one chunk or more; returns the newest. */
  add(samples: OooChunkSamples, { older, series, arrivedBy }: LateChunkMeta): SealedRef {
    let newest = older;
    this.#encoder.encode(samples, (chunk, after) => {
      const { bytes, start, length, encoding, minMs, maxMs } = chunk;
      const place = this.#store.add(
        { series, encoding, minMs, maxMs, isOutOfOrder: true },
        { bytes, start, end: start + length },
      );
      newest = this.#rows.restore({ older: newest, minMs, maxMs }, place);
      if (newest >= this.#arrivedBy.length) {
        const grown = new Uint32Array(this.#arrivedBy.length * 2);
        grown.set(this.#arrivedBy);
        this.#arrivedBy = grown;
      }
      this.#arrivedBy[newest] = arrivedBy;
      this.#held.add(newest, after);
    });
    return newest;
  }

  /** As {@link LateChunkMeta}. */
  arrivedBy(ref: SealedRef): number {
    return this.#arrivedBy[ref]!;
  }

  /**
   * How many samples of the same open chunk arrived after each of this chunk's, for a chunk that was sealed under a reader;
   * undefined when every reader sees all of the chunk or nothing.
   */
  arrivalsOf(ref: SealedRef): Uint8Array | undefined {
    return this.#held.of(ref);
  }

  olderOf(ref: SealedRef): SealedRef {
    return this.#rows.olderOf(ref);
  }

  minMsOf(ref: SealedRef): number {
    return this.#rows.minMsOf(ref);
  }

  maxMsOf(ref: SealedRef): number {
    return this.#rows.maxMsOf(ref);
  }

  /** Ends the list of a series behind this chunk. */
  endBehind(ref: SealedRef): void {
    this.#rows.endBehind(ref);
  }

  /** Drops the chunk and all older ones of its list; returns how many. */
  dropAll(newest: SealedRef): number {
    let count = 0;
    for (let ref = newest; ref !== 0; ref = this.olderOf(ref)) {
      this.#held.drop(ref);
      count++;
    }
    this.#rows.dropAll(newest);
    return count;
  }

  /** `isOnce`: for a walk over all chunks; what others read often stays in the cache. Throws CorruptionError. */
  load(ref: SealedRef, isOnce: boolean): LoadedLateChunk {
    const chunk = isOnce ? this.#rows.readOnce(ref) : this.#rows.read(ref);
    const { encoding, bytes, start, length } = chunk;
    try {
      if (encoding === CHUNK_ENCODING.xor) return this.#loadFloats(bytes, start, length);
      if (encoding === CHUNK_ENCODING.xor2) return loadFloatsWithStart(bytes, start, length);
      return loadHistograms(bytes, start, length, encoding);
    } catch (cause) {
      if (!(cause instanceof DecodeError)) throw cause;
      const { file, offset } = this.#rows.placeOf(ref);
      throw new CorruptionError(
        `out-of-order chunk at ${offset} of head chunk file ${file}`,
        `malformed chunk: ${cause.message}`,
        { cause },
      );
    }
  }

  #loadFloats(bytes: Uint8Array, start: number, length: number): LoadedLateChunk {
    const timestampsMs = this.#timestampsMs;
    const words = this.#words;
    const claimed = length < 2 ? 0 : xorCount(bytes, start);
    if (claimed > CHUNK_SAMPLES) throw new DecodeError(`${claimed} samples`, start);
    const count = xorDecode(bytes, start, length, timestampsMs, words, 0);
    if (count === XOR_MALFORMED) throw new DecodeError('cut off', start);
    return { count, timestampsMs, words, startTimestampsMs: null, histograms: null };
  }
}

function loadFloatsWithStart(bytes: Uint8Array, start: number, length: number): LoadedLateChunk {
  const { valueWords: words, ...columns } = xor2Decode(bytes, start, length);
  if (columns.count > CHUNK_SAMPLES) throw new DecodeError(`${columns.count} samples`, start);
  return { ...columns, words, histograms: null };
}

/** What a chunk says of resets holds against the late histogram before it, which may not be the one before it in time. */
function loadHistograms(
  bytes: Uint8Array,
  start: number,
  length: number,
  encoding: number,
): LoadedLateChunk {
  const columns = decodeHistograms(bytes, start, length, encoding);
  const { count, timestampsMs, startTimestampsMs, counterReset } = columns;
  const hint = counterReset === 'gauge' ? 'gauge' : 'unknown';
  const histograms = Array.from({ length: count }, (_, i) => ({
    timestampMs: timestampsMs[i]!,
    startTimestampMs: startTimestampsMs?.[i] ?? 0,
    histogram: histogramAt(columns, i, hint),
  }));
  return { count, timestampsMs, words: NO_WORDS, startTimestampsMs: null, histograms };
}

const NO_WORDS = new Uint32Array(0);
