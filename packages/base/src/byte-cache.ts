/** Files that a cache tells apart, and pages of each. */
const PAGES_PER_FILE = 2 ** 29;

type Kept = {
  readonly data: Uint8Array;
  /** It was looked at since it was put in, or since it was passed over. */
  isUsed: boolean;
};

/**
 * Pages of files in memory by number of file and page, bounded in bytes. The oldest is the first to go, but one that was used
 * meanwhile is passed over once and becomes the youngest: a look then costs no more than finding the page.
 */
export class ByteCache {
  #limitBytes: number;
  readonly #onGone: ((data: Uint8Array) => void) | null;
  /** Oldest first. */
  readonly #pages = new Map<number, Kept>();
  #files = 0;
  /** The page that was looked at last, which the next look is mostly for again; −1 when there is none. */
  #lastKey = -1;
  #last: Uint8Array | undefined;
  #bytes = 0;
  #hits = 0;
  #misses = 0;

  /** `onGone` is told of each page that is kept no longer. */
  constructor(limitBytes: number, onGone: ((data: Uint8Array) => void) | null = null) {
    this.#limitBytes = limitBytes;
    this.#onGone = onGone;
  }

  /** What is over it goes with the next page that is put in. */
  set limitBytes(bytes: number) {
    this.#limitBytes = bytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get hits(): number {
    return this.#hits;
  }

  get misses(): number {
    return this.#misses;
  }

  /** A number for a file, given out once. */
  addFile(): number {
    return this.#files++;
  }

  get(file: number, page: number): Uint8Array | undefined {
    const key = file * PAGES_PER_FILE + page;
    if (key === this.#lastKey) {
      this.#hits++;
      return this.#last;
    }
    const known = this.#pages.get(key);
    if (known === undefined) {
      this.#misses++;
      return undefined;
    }
    this.#hits++;
    known.isUsed = true;
    this.#lastKey = key;
    this.#last = known.data;
    return known.data;
  }

  /** Keeps a page that {@link get} did not have. One alone may be over the limit. */
  put(file: number, page: number, data: Uint8Array): void {
    const key = file * PAGES_PER_FILE + page;
    const added: Kept = { data, isUsed: false };
    this.#pages.set(key, added);
    this.#lastKey = key;
    this.#last = data;
    this.#bytes += data.byteLength;
    // What is put back is met again at the end, then unused, so this comes to an end.
    for (const [oldest, old] of this.#pages) {
      if (this.#bytes <= this.#limitBytes || this.#pages.size === 1) break;
      // A map keeps the order of insertion.
      this.#pages.delete(oldest);
      if (old.isUsed || old === added) {
        old.isUsed = false;
        this.#pages.set(oldest, old);
      } else {
        this.#bytes -= old.data.byteLength;
        this.#onGone?.(old.data);
      }
    }
  }

  /** Forgets the first `pages` pages of a file that is gone. */
  forget(file: number, pages: number): void {
    this.#lastKey = -1;
    this.#last = undefined;
    for (let page = 0; page < pages; page++) {
      const key = file * PAGES_PER_FILE + page;
      const known = this.#pages.get(key);
      if (known === undefined) continue;
      this.#pages.delete(key);
      this.#bytes -= known.data.byteLength;
      this.#onGone?.(known.data);
    }
  }
}
