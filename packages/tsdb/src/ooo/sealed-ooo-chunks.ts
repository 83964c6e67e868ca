import {
  createXorEncoder,
  XOR_SAMPLE_MAX_BYTES,
  xorCount,
  xorDecode,
  xorEncode,
} from '@pollux/kernels';
import { type ChunkRef, offsetOf, type SlabPool } from '../head/slabs.ts';
import { PackedRecords } from './packed-records.ts';

/** Samples of one chunk, as Prometheus' default; as many as a word has bits. */
export const CHUNK_SAMPLES = 32;

/** The samples of one chunk by time, at most {@link CHUNK_SAMPLES}. */
export type OooChunkSamples = {
  count: number;
  readonly timestampsMs: Float64Array;
  /** The bits of a float; of a histogram its reference and 0. */
  readonly words: Uint32Array;
  /** The place of each in the order of arrival. */
  readonly order: Uint8Array;
  /** Bit i: sample i is a histogram. */
  histograms: number;
};

export function createOooChunkSamples(): OooChunkSamples {
  return {
    count: 0,
    timestampsMs: new Float64Array(CHUNK_SAMPLES),
    words: new Uint32Array(CHUNK_SAMPLES * 2),
    order: new Uint8Array(CHUNK_SAMPLES),
    histograms: 0,
  };
}

/**
 * A sealed chunk:
 *
 * ```
 * ┌───────────────┬───────────────────────┬────────────────────┬───────┬───────────┬───────────┬─────────────┬─ ─ ─ ─ ─ ─ ─
 * │ older ref u32 │ length u31, ranks? u1 │ histogram bits u32 │ 0 u32 │ minMs f64 │ maxMs f64 │ XOR chunk … │ ranks u8 × n
 * └───────────────┴───────────────────────┴────────────────────┴───────┴───────────┴───────────┴─────────────┴─ ─ ─ ─ ─ ─ ─
 * ```
 *
 * The rank of a sample is its place in the order of arrival. Ranks are left out when the samples arrived in the order of
 * their times.
 */
const HEADER_BYTES = 32;
const RANKS_BIT = 0x80000000;
const WORD = { older: 0, length: 1, histograms: 2 } as const;
const DOUBLE = { minMs: 2, maxMs: 3 } as const;

/** Chunks that are full, off the JavaScript heap; those of a series form a list from the newest to the oldest, ended by 0. */
export class SealedOooChunks {
  readonly #pool: SlabPool;
  readonly #records: PackedRecords;
  /** So few samples are never cut. */
  readonly #xor = createXorEncoder();
  readonly #encoded = new Uint8Array((CHUNK_SAMPLES + 1) * XOR_SAMPLE_MAX_BYTES);

  constructor(pool: SlabPool) {
    this.#pool = pool;
    this.#records = new PackedRecords(pool);
  }

  get count(): number {
    return this.#records.count;
  }

  add(samples: OooChunkSamples, older: ChunkRef): ChunkRef {
    const { count, timestampsMs, words, order } = samples;
    const isInOrder = order.subarray(0, count).every((place, i) => place === i);
    const length = xorEncode(this.#xor, timestampsMs, words, 0, count, this.#encoded, 0);
    const ref = this.#records.add(HEADER_BYTES + length + (isInOrder ? 0 : count));
    const slab = this.#pool.slabOf(ref);
    const offset = offsetOf(ref);
    slab.words[(offset >>> 2) + WORD.older] = older;
    slab.words[(offset >>> 2) + WORD.length] = isInOrder ? length : length | RANKS_BIT;
    slab.words[(offset >>> 2) + WORD.histograms] = samples.histograms;
    slab.doubles[(offset >>> 3) + DOUBLE.minMs] = timestampsMs[0]!;
    slab.doubles[(offset >>> 3) + DOUBLE.maxMs] = timestampsMs[count - 1]!;
    slab.bytes.set(this.#encoded.subarray(0, length), offset + HEADER_BYTES);
    if (!isInOrder) slab.bytes.set(order.subarray(0, count), offset + HEADER_BYTES + length);
    return ref;
  }

  load(ref: ChunkRef, target: OooChunkSamples): void {
    const { bytes } = this.#pool.slabOf(ref);
    const start = offsetOf(ref) + HEADER_BYTES;
    const word = this.#word(ref, WORD.length);
    const length = word & ~RANKS_BIT;
    const { timestampsMs, words, order } = target;
    target.count = xorDecode(bytes, start, length, timestampsMs, words, 0);
    target.histograms = this.#word(ref, WORD.histograms);
    const hasRanks = (word & RANKS_BIT) !== 0;
    for (let i = 0; i < target.count; i++) order[i] = hasRanks ? bytes[start + length + i]! : i;
  }

  drop(ref: ChunkRef): void {
    this.#records.drop(ref);
  }

  olderOf(ref: ChunkRef): ChunkRef {
    return this.#word(ref, WORD.older);
  }

  /** Ends the list of a series behind this chunk. */
  endBehind(ref: ChunkRef): void {
    this.#pool.slabOf(ref).words[(offsetOf(ref) >>> 2) + WORD.older] = 0;
  }

  minMsOf(ref: ChunkRef): number {
    return this.#pool.slabOf(ref).doubles[(offsetOf(ref) >>> 3) + DOUBLE.minMs]!;
  }

  maxMsOf(ref: ChunkRef): number {
    return this.#pool.slabOf(ref).doubles[(offsetOf(ref) >>> 3) + DOUBLE.maxMs]!;
  }

  hasHistograms(ref: ChunkRef): boolean {
    return this.#word(ref, WORD.histograms) !== 0;
  }

  samplesOf(ref: ChunkRef): number {
    return xorCount(this.#pool.slabOf(ref).bytes, offsetOf(ref) + HEADER_BYTES);
  }

  #word(ref: ChunkRef, index: number): number {
    return this.#pool.slabOf(ref).words[(offsetOf(ref) >>> 2) + index]!;
  }
}
