import { type ChunkRef, chunkRef, offsetOf, type SlabPool } from './slabs.ts';

/**
 * Sizes of the regions in which open chunks grow: 120 regular samples of a constant take some 135 bytes, of a counter
 * 360. Sizes double, so that the regions a chunk has outgrown are together no larger than the one it ends in; a series
 * keeps its region for its next chunks. A chunk that passes 1,005 bytes is cut, so the largest holds any.
 */
export const REGION_BYTES: readonly number[] = [160, 320, 640, 1056];

/**
 * Hands out regions of some sizes from slabs of its own; a freed region is used again for its size. When the last one is
 * freed, the slabs go back to the pool.
 */
export class OpenRegions {
  readonly #pool: SlabPool;
  readonly #sizes: readonly number[];
  #free: ChunkRef[][];
  /** The last one is being filled. */
  #slabs: number[] = [];
  /** 8 bytes are left out at the start of each slab, so that no region has the reference 0. */
  #next = 8;
  #count = 0;

  /** Sizes in bytes are multiples of eight. */
  constructor(pool: SlabPool, sizes: readonly number[] = REGION_BYTES) {
    this.#pool = pool;
    this.#sizes = sizes;
    this.#free = sizes.map(() => []);
  }

  allocate(sizeClass: number): ChunkRef {
    this.#count++;
    const reused = this.#free[sizeClass]!.pop();
    if (reused !== undefined) return reused;
    const bytes = this.#sizes[sizeClass]!;
    if (this.#slabs.length === 0 || this.#next + bytes > this.#pool.slabBytes) {
      this.#slabs.push(this.#pool.take());
      this.#next = 8;
    }
    const ref = chunkRef(this.#slabs.at(-1)!, this.#next);
    this.#next += bytes;
    return ref;
  }

  release(ref: ChunkRef, sizeClass: number): void {
    this.#free[sizeClass]!.push(ref);
    if (--this.#count > 0) return;
    for (const slab of this.#slabs) this.#pool.give(slab);
    this.#slabs = [];
    this.#free = this.#sizes.map(() => []);
  }

  /** Moves `used` bytes into a region of the next size and frees the old one. */
  enlarge(ref: ChunkRef, sizeClass: number, used: number): ChunkRef {
    const larger = this.allocate(sizeClass + 1);
    const from = offsetOf(ref);
    this.#pool
      .slabOf(larger)
      .bytes.set(this.#pool.slabOf(ref).bytes.subarray(from, from + used), offsetOf(larger));
    this.release(ref, sizeClass);
    return larger;
  }
}
