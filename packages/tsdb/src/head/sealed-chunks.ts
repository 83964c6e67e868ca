import { chunkSampleCount } from '../format/rewrite-chunk.ts';
import type { ChunkFileUse } from '../head-chunks/chunk-file-use.ts';
import type { HeadChunk, HeadChunkFiles } from '../head-chunks/head-chunk-files.ts';
import type { HeadChunkPlace } from '../head-chunks/place.ts';

/** A chunk's row; 0 is none. */
export type SealedRef = number;

const PAGE_BITS = 13;
const PAGE_ROWS = 2 ** PAGE_BITS;
const PAGE_MASK = PAGE_ROWS - 1;

/** 24 bytes a chunk. */
type Page = {
  /** The series' next older chunk; of a free row, the next free one. */
  readonly older: Uint32Array;
  readonly file: Uint32Array;
  readonly offset: Uint32Array;
  /** Newest time less oldest. */
  readonly spanMs: Uint32Array;
  readonly minMs: Float64Array;
};

export type SealedMeta = {
  readonly older: SealedRef;
  readonly series: number;
  readonly encoding: number;
  readonly minMs: number;
  readonly maxMs: number;
};

/**
 * Completed chunks of the head: where each lies in the head chunk files and what time it spans. The chunks of a series form
 * a list from the newest to the oldest.
 */
export class SealedChunks {
  readonly #store: HeadChunkFiles;
  readonly #pages: Page[] = [];
  readonly #use: ChunkFileUse;
  #rows = 1;
  #free: SealedRef = 0;
  #count = 0;

  constructor(store: HeadChunkFiles, use: ChunkFileUse) {
    this.#store = store;
    this.#use = use;
  }

  get count(): number {
    return this.#count;
  }

  /** True while the disk takes no chunks and so many wait that the head must not grow. */
  get isStuck(): boolean {
    return this.#store.isStuck;
  }

  /** Takes a copy of the chunk in `source[start, start + length)`. */
  add(source: Uint8Array, start: number, length: number, meta: SealedMeta): SealedRef {
    const { series, encoding, minMs, maxMs } = meta;
    const place = this.#store.add(
      { series, encoding, minMs, maxMs, isOutOfOrder: false },
      { bytes: source, start, end: start + length },
    );
    return this.restore(meta, place);
  }

  /** Adds a chunk that is in the files already. */
  restore(meta: Pick<SealedMeta, 'older' | 'minMs' | 'maxMs'>, place: HeadChunkPlace): SealedRef {
    let ref = this.#free;
    if (ref !== 0) this.#free = this.olderOf(ref);
    else {
      ref = this.#rows++;
      if (ref >>> PAGE_BITS === this.#pages.length) this.#pages.push(createPage());
    }
    const page = this.#pageOf(ref);
    const row = ref & PAGE_MASK;
    page.older[row] = meta.older;
    page.file[row] = place.file;
    page.offset[row] = place.offset;
    page.minMs[row] = meta.minMs;
    page.spanMs[row] = meta.maxMs - meta.minMs;
    this.#use.take(place.file);
    this.#count++;
    return ref;
  }

  olderOf(ref: SealedRef): SealedRef {
    return this.#pageOf(ref).older[ref & PAGE_MASK]!;
  }

  /** Makes one list of two (0 is an empty one; not both). Returns its newest chunk and the oldest time in it. */
  merge(a: SealedRef, b: SealedRef): { readonly newest: SealedRef; readonly minMs: number } {
    let left = a;
    let right = b;
    let newest: SealedRef = 0;
    let last: SealedRef = 0;
    while (left !== 0 || right !== 0) {
      const takeLeft = right === 0 || (left !== 0 && this.minMsOf(left) > this.minMsOf(right));
      const next = takeLeft ? left : right;
      if (takeLeft) left = this.olderOf(left);
      else right = this.olderOf(right);
      if (last === 0) newest = next;
      else this.#setOlder(last, next);
      last = next;
    }
    return { newest, minMs: this.minMsOf(last) };
  }

  minMsOf(ref: SealedRef): number {
    return this.#pageOf(ref).minMs[ref & PAGE_MASK]!;
  }

  maxMsOf(ref: SealedRef): number {
    const page = this.#pageOf(ref);
    return page.minMs[ref & PAGE_MASK]! + page.spanMs[ref & PAGE_MASK]!;
  }

  /** Where the chunk lies; all of a file's earlier chunks lie before it. */
  placeOf(ref: SealedRef): HeadChunkPlace {
    const page = this.#pageOf(ref);
    return { file: page.file[ref & PAGE_MASK]!, offset: page.offset[ref & PAGE_MASK]! };
  }

  /** The chunk's data, lent until the next call. Throws CorruptionError. */
  read(ref: SealedRef): HeadChunk {
    return this.#store.read(this.placeOf(ref));
  }

  /** As {@link read}, for one walk over many chunks: what others read often stays in the cache. */
  readOnce(ref: SealedRef): HeadChunk {
    return this.#store.readOnce(this.placeOf(ref));
  }

  samplesOf(ref: SealedRef): number {
    const { encoding, bytes, start } = this.read(ref);
    return chunkSampleCount(bytes, start, encoding);
  }

  /**
   * Drops the chunks of the list `newest` that end before `minMs`, which are its tail. Returns the list's new head (0 when
   * nothing is left).
   */
  dropBefore(newest: SealedRef, minMs: number): SealedRef {
    let kept: SealedRef = 0;
    let ref = newest;
    while (ref !== 0 && this.maxMsOf(ref) >= minMs) {
      kept = ref;
      ref = this.olderOf(ref);
    }
    if (kept !== 0) this.endBehind(kept);
    this.dropAll(ref);
    return kept === 0 ? 0 : newest;
  }

  /** Ends the list behind the chunk: what follows is a list of its own. */
  endBehind(ref: SealedRef): void {
    this.#setOlder(ref, 0);
  }

  /** Drops the chunk and all older ones of its list. */
  dropAll(newest: SealedRef): void {
    let ref = newest;
    while (ref !== 0) {
      const older = this.olderOf(ref);
      this.#use.give(this.placeOf(ref).file);
      this.#setOlder(ref, this.#free);
      this.#free = ref;
      this.#count--;
      ref = older;
    }
  }

  #setOlder(ref: SealedRef, older: SealedRef): void {
    this.#pageOf(ref).older[ref & PAGE_MASK] = older;
  }

  #pageOf(ref: SealedRef): Page {
    return this.#pages[ref >>> PAGE_BITS]!;
  }
}

function createPage(): Page {
  return {
    older: new Uint32Array(PAGE_ROWS),
    file: new Uint32Array(PAGE_ROWS),
    offset: new Uint32Array(PAGE_ROWS),
    spanMs: new Uint32Array(PAGE_ROWS),
    minMs: new Float64Array(PAGE_ROWS),
  };
}
