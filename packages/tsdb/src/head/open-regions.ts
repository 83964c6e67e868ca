import { assert } from '@pollux/base';
import { type ChunkRef, chunkRef, offsetOf, type SlabPool, slabIndexOf } from './slabs.ts';

/**
 * Sizes of the regions in which open chunks of floats grow. The first takes four samples of most series, or 40 of a constant;
 * 120 regular samples of a constant take some 50 bytes, of a counter 360. A series keeps its region for its next chunks. A chunk
 * that passes 1,005 bytes is cut, so the largest holds any.
 */
export const REGION_BYTES: readonly number[] = [48, 88, 160, 264, 400, 640, 1056];

const PAGE_BYTES = 16 * 1024;
/** Left out at the start of each page, so that no region has the reference 0. */
const FIRST = 8;
const NONE = -1;

/** A slab that is in use. */
type Owned = {
  readonly index: number;
  /** Pages never used yet are those from here on. */
  fresh: number;
  /** Pages that are free again. */
  readonly free: number[];
};

/**
 * Hands out regions of some sizes from slabs of its own. A slab consists of pages, each for regions of one size. A freed
 * region is used again for its size; a page whose regions are all free, for any size, so that chunks that grow together
 * leave nothing behind; a slab whose pages are all free goes back to the pool.
 *
 *     page: | 8 bytes | region | region | free: offset of the next free one, 0 | … | never used |
 */
export class OpenRegions {
  readonly #pool: SlabPool;
  readonly #sizes: readonly number[];
  readonly #pageBytes: number;
  readonly #pagesPerSlab: number;
  /** By slab number. */
  readonly #slabs: (Owned | undefined)[] = [];
  /** Columns by page, which is slab number × pages of a slab + place in the slab. Offsets are those in the slab. */
  #sizeClass = new Uint8Array(0);
  #freeRegion = new Uint32Array(0);
  #freshRegion = new Uint32Array(0);
  #live = new Uint16Array(0);
  /** Neighbours among the pages of a size that have room. */
  #before = new Int32Array(0);
  #after = new Int32Array(0);
  /** The first page with room, by size. */
  readonly #withRoom: Int32Array;

  /** Sizes in bytes are multiples of eight. */
  constructor(pool: SlabPool, sizes: readonly number[] = REGION_BYTES) {
    this.#pool = pool;
    this.#sizes = sizes;
    this.#pageBytes = Math.min(PAGE_BYTES, pool.slabBytes);
    assert(Math.max(...sizes) + FIRST <= this.#pageBytes, 'a region fits into a page');
    this.#pagesPerSlab = Math.floor(pool.slabBytes / this.#pageBytes);
    this.#withRoom = new Int32Array(sizes.length).fill(NONE);
  }

  allocate(sizeClass: number): ChunkRef {
    let page = this.#withRoom[sizeClass]!;
    if (page === NONE) page = this.#addPage(sizeClass);
    const slab = Math.floor(page / this.#pagesPerSlab);
    let offset = this.#freeRegion[page]!;
    if (offset !== 0) this.#freeRegion[page] = this.#pool.slab(slab).words[offset >>> 2]!;
    else {
      offset = this.#freshRegion[page]!;
      this.#freshRegion[page] = offset + this.#sizes[sizeClass]!;
    }
    this.#live[page] = this.#live[page]! + 1;
    if (!this.#hasRoom(page)) this.#unlink(page);
    return chunkRef(slab, offset);
  }

  release(ref: ChunkRef, sizeClass: number): void {
    const slab = slabIndexOf(ref);
    const offset = offsetOf(ref);
    const page = this.#pageOf(slab, offset);
    if (!this.#hasRoom(page)) this.#link(page, sizeClass);
    this.#pool.slab(slab).words[offset >>> 2] = this.#freeRegion[page]!;
    this.#freeRegion[page] = offset;
    const live = this.#live[page]! - 1;
    this.#live[page] = live;
    if (live === 0) this.#removePage(slab, page);
  }

  /** Moves `used` bytes into a region of the next size and frees the old one. */
  enlarge(ref: ChunkRef, sizeClass: number, used: number): ChunkRef {
    const larger = this.allocate(sizeClass + 1);
    const source = this.#pool.slabOf(ref).words;
    const target = this.#pool.slabOf(larger).words;
    const from = offsetOf(ref) >>> 2;
    const to = offsetOf(larger) >>> 2;
    // A loop: a call of `set` costs more than what it copies of a small chunk.
    for (let i = (used + 3) >>> 2; i-- > 0; ) target[to + i] = source[from + i]!;
    this.release(ref, sizeClass);
    return larger;
  }

  #pageOf(slab: number, offset: number): number {
    return slab * this.#pagesPerSlab + Math.floor(offset / this.#pageBytes);
  }

  #hasRoom(page: number): boolean {
    if (this.#freeRegion[page] !== 0) return true;
    const end = ((page % this.#pagesPerSlab) + 1) * this.#pageBytes;
    return this.#freshRegion[page]! + this.#sizes[this.#sizeClass[page]!]! <= end;
  }

  /** A free page, made ready for regions of the size. */
  #addPage(sizeClass: number): number {
    // The lowest slab with a free page, so that the highest become free.
    let owned = this.#slabs.find((slab) => slab !== undefined && this.#hasFreePage(slab));
    owned ??= this.#addSlab();
    const place = owned.free.pop() ?? owned.fresh++;
    const page = owned.index * this.#pagesPerSlab + place;
    this.#sizeClass[page] = sizeClass;
    this.#freeRegion[page] = 0;
    this.#freshRegion[page] = place * this.#pageBytes + FIRST;
    this.#live[page] = 0;
    this.#link(page, sizeClass);
    return page;
  }

  #removePage(slab: number, page: number): void {
    this.#unlink(page);
    const owned = this.#slabs[slab]!;
    owned.free.push(page % this.#pagesPerSlab);
    if (owned.free.length < owned.fresh) return;
    this.#slabs[slab] = undefined;
    this.#pool.give(slab);
  }

  #hasFreePage({ free, fresh }: Owned): boolean {
    return free.length > 0 || fresh < this.#pagesPerSlab;
  }

  #addSlab(): Owned {
    const index = this.#pool.take();
    const pages = (index + 1) * this.#pagesPerSlab;
    if (pages > this.#live.length) this.#growColumns(pages);
    const owned: Owned = { index, fresh: 0, free: [] };
    while (this.#slabs.length < index) this.#slabs.push(undefined);
    this.#slabs[index] = owned;
    return owned;
  }

  #link(page: number, sizeClass: number): void {
    const first = this.#withRoom[sizeClass]!;
    this.#before[page] = NONE;
    this.#after[page] = first;
    if (first !== NONE) this.#before[first] = page;
    this.#withRoom[sizeClass] = page;
  }

  #unlink(page: number): void {
    const before = this.#before[page]!;
    const after = this.#after[page]!;
    if (before === NONE) this.#withRoom[this.#sizeClass[page]!] = after;
    else this.#after[before] = after;
    if (after !== NONE) this.#before[after] = before;
  }

  #growColumns(pages: number): void {
    this.#sizeClass = enlarged(this.#sizeClass, new Uint8Array(pages));
    this.#freeRegion = enlarged(this.#freeRegion, new Uint32Array(pages));
    this.#freshRegion = enlarged(this.#freshRegion, new Uint32Array(pages));
    this.#live = enlarged(this.#live, new Uint16Array(pages));
    this.#before = enlarged(this.#before, new Int32Array(pages));
    this.#after = enlarged(this.#after, new Int32Array(pages));
  }
}

function enlarged<T extends Uint8Array | Uint16Array | Uint32Array | Int32Array>(
  from: T,
  to: T,
): T {
  to.set(from);
  return to;
}
