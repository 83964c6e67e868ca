const PAGE_BITS = 10;
const PAGE_SIZE = 2 ** PAGE_BITS;
const PAGE_MASK = PAGE_SIZE - 1;
/** Pages stand in shelves of as many. */
const SHELF_BITS = 2 * PAGE_BITS;

type Page = Uint32Array | null;

/** Numbers above 0 by 32-bit number; 0 where there is none. Memory goes by ranges of keys that are in use. */
export class NumberMap {
  /** Behind its numbers each page has how many there are. */
  #shelves: Page[][] = [];

  get(key: number): number {
    const shelf = this.#shelves[key >>> SHELF_BITS];
    if (shelf === undefined) return 0;
    const page = shelf[(key >>> PAGE_BITS) & PAGE_MASK];
    return page === null || page === undefined ? 0 : page[key & PAGE_MASK]!;
  }

  /** `value` is above 0. */
  set(key: number, value: number): void {
    const page = this.#pageOf(key) ?? this.#addPage(key);
    const at = key & PAGE_MASK;
    if (page[at] === 0) page[PAGE_SIZE] = page[PAGE_SIZE]! + 1;
    page[at] = value;
  }

  delete(key: number): void {
    const page = this.#pageOf(key);
    const at = key & PAGE_MASK;
    if (page === null || page[at] === 0) return;
    page[at] = 0;
    page[PAGE_SIZE] = page[PAGE_SIZE]! - 1;
    if (page[PAGE_SIZE] === 0) {
      this.#shelves[key >>> SHELF_BITS]![(key >>> PAGE_BITS) & PAGE_MASK] = null;
    }
  }

  clear(): void {
    this.#shelves = [];
  }

  *values(): IterableIterator<number> {
    for (const shelf of this.#shelves) {
      for (const page of shelf) {
        if (page === null) continue;
        for (let at = 0; at < PAGE_SIZE; at++) if (page[at] !== 0) yield page[at]!;
      }
    }
  }

  #pageOf(key: number): Page {
    return this.#shelves[key >>> SHELF_BITS]?.[(key >>> PAGE_BITS) & PAGE_MASK] ?? null;
  }

  #addPage(key: number): Uint32Array {
    const page = new Uint32Array(PAGE_SIZE + 1);
    while (this.#shelves.length <= key >>> SHELF_BITS) this.#shelves.push([]);
    const shelf = this.#shelves[key >>> SHELF_BITS]!;
    const index = (key >>> PAGE_BITS) & PAGE_MASK;
    while (shelf.length <= index) shelf.push(null);
    shelf[index] = page;
    return page;
  }
}
