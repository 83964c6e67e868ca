import { assert } from '@pollux/base';
import { chunkSampleCount } from '../format/rewrite-chunk.ts';
import { type ChunkRef, chunkRef, offsetOf, type SlabPool, slabIndexOf } from './slabs.ts';

/**
 * Header in front of a sealed chunk's bytes, 24 bytes:
 *
 * ```
 * ┌───────────────┬─────────────┬────────────┬──────────────┬──────────────┬─ ─ ─ ─
 * │ older ref u32 │ encoding 8b │ length 24b │ minMs f64    │ maxMs f64    │ chunk …
 * └───────────────┴─────────────┴────────────┴──────────────┴──────────────┴─ ─ ─ ─
 * ```
 *
 * The chunks of a series form a list from the newest to the oldest; 0 ends it.
 */
const HEADER_BYTES = 24;
const LENGTH_BITS = 24;
const LENGTH_MASK = 2 ** LENGTH_BITS - 1;

/** Completed chunks, packed one after the other; a slab is free again when its last chunk has been dropped. */
export class SealedChunks {
  readonly #pool: SlabPool;
  /** Chunks alive by slab number. */
  readonly #alive = new Map<number, number>();
  #slab = -1;
  #next = 8;
  #count = 0;

  constructor(pool: SlabPool) {
    this.#pool = pool;
  }

  get count(): number {
    return this.#count;
  }

  /** Copies the chunk in `source[start, start + length)`. */
  add(
    source: Uint8Array,
    start: number,
    length: number,
    meta: {
      readonly older: ChunkRef;
      readonly encoding: number;
      readonly minMs: number;
      readonly maxMs: number;
    },
  ): ChunkRef {
    const size = HEADER_BYTES + ((length + 7) & ~7);
    assert(8 + size <= this.#pool.slabBytes, 'a chunk is larger than a slab');
    if (this.#slab < 0 || this.#next + size > this.#pool.slabBytes) {
      const full = this.#slab;
      this.#slab = this.#pool.take();
      this.#next = 8;
      this.#alive.set(this.#slab, 0);
      if (full >= 0) this.#reclaim(full);
    }
    const offset = this.#next;
    this.#next += size;
    const slab = this.#pool.slab(this.#slab);
    slab.words[offset >>> 2] = meta.older;
    slab.words[(offset >>> 2) + 1] = (meta.encoding << LENGTH_BITS) | length;
    slab.doubles[(offset >>> 3) + 1] = meta.minMs;
    slab.doubles[(offset >>> 3) + 2] = meta.maxMs;
    slab.bytes.set(source.subarray(start, start + length), offset + HEADER_BYTES);
    this.#alive.set(this.#slab, this.#alive.get(this.#slab)! + 1);
    this.#count++;
    return chunkRef(this.#slab, offset);
  }

  olderOf(ref: ChunkRef): ChunkRef {
    return this.#pool.slabOf(ref).words[offsetOf(ref) >>> 2]!;
  }

  minMsOf(ref: ChunkRef): number {
    return this.#pool.slabOf(ref).doubles[(offsetOf(ref) >>> 3) + 1]!;
  }

  maxMsOf(ref: ChunkRef): number {
    return this.#pool.slabOf(ref).doubles[(offsetOf(ref) >>> 3) + 2]!;
  }

  lengthOf(ref: ChunkRef): number {
    return this.#pool.slabOf(ref).words[(offsetOf(ref) >>> 2) + 1]! & LENGTH_MASK;
  }

  encodingOf(ref: ChunkRef): number {
    return this.#pool.slabOf(ref).words[(offsetOf(ref) >>> 2) + 1]! >>> LENGTH_BITS;
  }

  samplesOf(ref: ChunkRef): number {
    return chunkSampleCount(this.bytesOf(ref), this.startOf(ref), this.encodingOf(ref));
  }

  /** The slab's bytes; the chunk begins at {@link startOf}. Lent until the chunk is dropped. */
  bytesOf(ref: ChunkRef): Uint8Array {
    return this.#pool.slabOf(ref).bytes;
  }

  startOf(ref: ChunkRef): number {
    return offsetOf(ref) + HEADER_BYTES;
  }

  /**
   * Drops the chunks of the list `newest` that end before `minMs`, which are its tail. Returns the list's new head (0 when
   * nothing is left).
   */
  dropBefore(newest: ChunkRef, minMs: number): ChunkRef {
    let kept: ChunkRef = 0;
    let ref = newest;
    while (ref !== 0 && this.maxMsOf(ref) >= minMs) {
      kept = ref;
      ref = this.olderOf(ref);
    }
    if (kept !== 0 && ref !== 0) this.#pool.slabOf(kept).words[offsetOf(kept) >>> 2] = 0;
    while (ref !== 0) {
      const older = this.olderOf(ref);
      this.#drop(ref);
      ref = older;
    }
    return kept === 0 ? 0 : newest;
  }

  #drop(ref: ChunkRef): void {
    const slab = slabIndexOf(ref);
    this.#alive.set(slab, this.#alive.get(slab)! - 1);
    this.#count--;
    this.#reclaim(slab);
  }

  #reclaim(slab: number): void {
    if (slab === this.#slab || this.#alive.get(slab) !== 0) return;
    this.#alive.delete(slab);
    this.#pool.give(slab);
  }
}
