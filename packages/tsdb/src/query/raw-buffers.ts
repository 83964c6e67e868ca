/** Room for a usual batch: its chunks, and what tells where they lie. */
const BUFFER_BYTES = 384 * 1024;
/** Kept for the next batches: those of two queries that are read as fast as they can be. */
const MAX_SPARE = 8;

/**
 * Memory in which batches of undecoded series cross to another thread. It is shared, so nothing is copied on the way, and used again
 * when the batch has been read, so that the thread that selects makes no garbage of a query's size.
 */
export class RawBuffers {
  readonly #spare: SharedArrayBuffer[] = [];

  /** At least `bytes` long; what it holds is undefined. */
  take(bytes: number): SharedArrayBuffer {
    if (bytes > BUFFER_BYTES) return new SharedArrayBuffer(bytes);
    return this.#spare.pop() ?? new SharedArrayBuffer(BUFFER_BYTES);
  }

  /** Nobody reads it any more. */
  give(buffer: SharedArrayBuffer): void {
    if (buffer.byteLength === BUFFER_BYTES && this.#spare.length < MAX_SPARE) {
      this.#spare.push(buffer);
    }
  }
}
