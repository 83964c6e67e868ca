/** Files that a cache tells apart, and pages of each. */
const PAGES_PER_FILE = 2 ** 29;

/** Pages of files in memory by number of file and page, the least recently used first to go, bounded in bytes. */
export class ByteCache {
  readonly #limitBytes: number;
  readonly #pages = new Map<number, Uint8Array>();
  #files = 0;
  /** The youngest page, which the next look is mostly for again; −1 when there is none. */
  #lastKey = -1;
  #last: Uint8Array | undefined;
  #bytes = 0;
  #hits = 0;
  #misses = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
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
    // A map keeps the order of insertion: taking out and putting back makes it the youngest.
    this.#pages.delete(key);
    this.#pages.set(key, known);
    this.#lastKey = key;
    this.#last = known;
    return known;
  }

  /** Keeps a page that {@link get} did not have. One alone may be over the limit. */
  put(file: number, page: number, data: Uint8Array): void {
    const key = file * PAGES_PER_FILE + page;
    this.#pages.set(key, data);
    this.#lastKey = key;
    this.#last = data;
    this.#bytes += data.byteLength;
    for (const [oldest, old] of this.#pages) {
      if (this.#bytes <= this.#limitBytes || oldest === key) break;
      this.#pages.delete(oldest);
      this.#bytes -= old.byteLength;
    }
  }

  /** Forgets the first `pages` pages of a file that is gone. */
  forget(file: number, pages: number): void {
    this.#lastKey = -1;
    this.#last = undefined;
    for (let page = 0; page < pages; page++) {
      const key = file * PAGES_PER_FILE + page;
      const data = this.#pages.get(key);
      if (data === undefined) continue;
      this.#pages.delete(key);
      this.#bytes -= data.byteLength;
    }
  }
}
