const PAGE_BITS = 10;
const PAGE_SIZE = 2 ** PAGE_BITS;

/** Numbers above 0 by number; 0 where there is none. Memory goes by ranges of keys that are in use. */
export class SparseNumbers {
  #pages: (Uint32Array | undefined)[] = [];

  get(key: number): number {
    const page = this.#pages[key >>> PAGE_BITS];
    return page === undefined ? 0 : page[key & (PAGE_SIZE - 1)]!;
  }

  set(key: number, value: number): void {
    const index = key >>> PAGE_BITS;
    let page = this.#pages[index];
    if (page === undefined) {
      page = new Uint32Array(PAGE_SIZE);
      while (this.#pages.length <= index) this.#pages.push(undefined);
      this.#pages[index] = page;
    }
    page[key & (PAGE_SIZE - 1)] = value;
  }

  clear(): void {
    this.#pages = [];
  }
}
