import { assert } from '@pollux/base';

/** A chunk's place: slab number << 21 | offset / 8. 0 is no place, since slab 0 begins with a reserved word. */
export type ChunkRef = number;

const UNIT_BITS = 21;
const UNIT_MASK = 2 ** UNIT_BITS - 1;
const MAX_SLABS = 2 ** (32 - UNIT_BITS);

export const SLAB_BYTES = 16 * 1024 * 1024;
/** The decoder may look this far behind a chunk. */
const SLAB_PADDING_BYTES = 16;

export type Slab = {
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;
  readonly doubles: Float64Array;
};

/**
 * Shared memory in slabs of one size, off the JavaScript heap. A slab that is given back is kept for the next taker, so
 * the number of slabs is the high-water mark of a steady load.
 */
export class SlabPool {
  readonly slabBytes: number;
  readonly #slabs: (Slab | null)[] = [];
  readonly #free: number[] = [];
  /** Free slabs kept for reuse; further ones go back to the system. */
  readonly #maxFree: number;

  constructor(slabBytes = SLAB_BYTES, maxFree = 16) {
    assert(slabBytes % 8 === 0 && slabBytes <= 2 ** (UNIT_BITS + 3), 'slab size');
    this.slabBytes = slabBytes;
    this.#maxFree = maxFree;
  }

  /** Slabs in memory, free ones included. */
  get count(): number {
    let count = 0;
    for (const slab of this.#slabs) if (slab !== null) count++;
    return count;
  }

  take(): number {
    const reused = this.#free.pop();
    if (reused !== undefined) return reused;
    const vacant = this.#slabs.indexOf(null);
    const index = vacant >= 0 ? vacant : this.#slabs.length;
    assert(index < MAX_SLABS, 'the head needs more slabs than references can name');
    this.#slabs[index] = allocate(this.slabBytes);
    return index;
  }

  give(index: number): void {
    if (this.#free.length < this.#maxFree) this.#free.push(index);
    else this.#slabs[index] = null;
  }

  slab(index: number): Slab {
    return this.#slabs[index]!;
  }

  slabOf(ref: ChunkRef): Slab {
    return this.#slabs[ref >>> UNIT_BITS]!;
  }
}

function allocate(bytes: number): Slab {
  const buffer = new SharedArrayBuffer(bytes + SLAB_PADDING_BYTES);
  return {
    bytes: new Uint8Array(buffer),
    words: new Uint32Array(buffer),
    doubles: new Float64Array(buffer),
  };
}

export function chunkRef(slab: number, offset: number): ChunkRef {
  return ((slab << UNIT_BITS) | (offset >>> 3)) >>> 0;
}

export function slabIndexOf(ref: ChunkRef): number {
  return ref >>> UNIT_BITS;
}

export function offsetOf(ref: ChunkRef): number {
  return (ref & UNIT_MASK) * 8;
}
