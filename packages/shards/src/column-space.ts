/** Where the arrays of a column come from. */
export type ColumnSpace = {
  /** `count` numbers of unspecified content. */
  floats(count: number): Float64Array;
  /** `count` zeros. */
  integers(count: number): Int32Array;
};

/** Arrays with buffers of their own: for columns that somebody keeps. */
export const OWN_ARRAYS: ColumnSpace = {
  floats: (count) => new Float64Array(count),
  integers: (count) => new Int32Array(count),
};

/** Above the size from which the allocator maps memory of its own and gives it back to the system. */
const FIRST_BYTES = 128 * 1024;
const ALIGNMENT = 8;

/**
 * One buffer for the arrays of one column after the other, all given up together by {@link reset}. Writing a file takes some
 * thousands of columns; with a buffer for each array the allocator kept about one more megabyte after each merge of files,
 * as what lives longer came to stand between the holes.
 */
export class ColumnArena implements ColumnSpace {
  #buffer: ArrayBuffer;
  #at = 0;
  /** Bytes asked for since the last reset. */
  #asked = 0;

  constructor(firstBytes = FIRST_BYTES) {
    this.#buffer = new ArrayBuffer(firstBytes);
  }

  get capacityBytes(): number {
    return this.#buffer.byteLength;
  }

  floats(count: number): Float64Array {
    const offset = this.#take(count * 8);
    return new Float64Array(this.#buffer, offset, count);
  }

  integers(count: number): Int32Array {
    const offset = this.#take(count * 4);
    return new Int32Array(this.#buffer, offset, count).fill(0);
  }

  /** The arrays given out so far will be overwritten. */
  reset(): void {
    this.#at = 0;
    this.#asked = 0;
  }

  /** Makes room, in a new buffer if need be (the arrays given out before keep theirs), and returns its offset. */
  #take(bytes: number): number {
    const size = Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
    this.#asked += size;
    if (this.#at + size > this.#buffer.byteLength) {
      this.#buffer = new ArrayBuffer(Math.max(this.#asked, this.#buffer.byteLength) * 2);
      this.#at = 0;
    }
    const offset = this.#at;
    this.#at += size;
    return offset;
  }
}
