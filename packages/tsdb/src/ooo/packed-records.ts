import { type ChunkRef, chunkRef, type SlabPool, slabIndexOf } from '../head/slabs.ts';

/** Records of any length in shared slabs, one behind the other; a slab is free again when its last record was dropped. */
export class PackedRecords {
  readonly #pool: SlabPool;
  /** Records alive by slab number. */
  readonly #alive = new Map<number, number>();
  #slab = -1;
  /** 8 bytes are left out at the start of each slab, so that no record has the reference 0. */
  #next = 8;
  #count = 0;

  constructor(pool: SlabPool) {
    this.#pool = pool;
  }

  get count(): number {
    return this.#count;
  }

  /** Room for `bytes` at a multiple of eight; the caller fills it. */
  add(bytes: number): ChunkRef {
    const size = (bytes + 7) & ~7;
    if (this.#slab < 0 || this.#next + size > this.#pool.slabBytes) {
      const full = this.#slab;
      this.#slab = this.#pool.take();
      this.#next = 8;
      this.#alive.set(this.#slab, 0);
      if (full >= 0) this.#reclaim(full);
    }
    const ref = chunkRef(this.#slab, this.#next);
    this.#next += size;
    this.#alive.set(this.#slab, this.#alive.get(this.#slab)! + 1);
    this.#count++;
    return ref;
  }

  drop(ref: ChunkRef): void {
    const slab = slabIndexOf(ref);
    this.#alive.set(slab, this.#alive.get(slab)! - 1);
    this.#count--;
    if (this.#count === 0) this.#releaseCurrent();
    else this.#reclaim(slab);
  }

  /** Nothing is left: also the slab that was being filled goes back. */
  #releaseCurrent(): void {
    for (const slab of this.#alive.keys()) this.#pool.give(slab);
    this.#alive.clear();
    this.#slab = -1;
  }

  #reclaim(slab: number): void {
    if (slab === this.#slab || this.#alive.get(slab) !== 0) return;
    this.#alive.delete(slab);
    this.#pool.give(slab);
  }
}
