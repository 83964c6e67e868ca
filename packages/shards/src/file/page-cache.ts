/** Inflated pages of data files, least recently used first out, bounded in bytes. One for the whole store. */
export class PageCache {
  readonly #limitBytes: number;
  readonly #pages = new Map<string, Uint8Array>();
  #bytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(key: string): Uint8Array | undefined {
    const page = this.#pages.get(key);
    if (page === undefined) return undefined;
    // A map keeps the order of insertion: taking out and putting back makes it the youngest.
    this.#pages.delete(key);
    this.#pages.set(key, page);
    return page;
  }

  put(key: string, page: Uint8Array): void {
    this.#pages.set(key, page);
    this.#bytes += page.length;
    for (const [oldest, data] of this.#pages) {
      if (this.#bytes <= this.#limitBytes || oldest === key) break;
      this.#pages.delete(oldest);
      this.#bytes -= data.length;
    }
  }

  /** Forgets the pages of a file that is gone. */
  forget(prefix: string): void {
    for (const [key, data] of this.#pages) {
      if (!key.startsWith(prefix)) continue;
      this.#pages.delete(key);
      this.#bytes -= data.length;
    }
  }
}
