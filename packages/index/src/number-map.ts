const PAGE_BITS = 12;
const PAGE_SIZE = 2 ** PAGE_BITS;

type Page = { readonly values: Uint32Array; live: number };

/** Numbers above 0 by series reference; 0 where there is none. Memory goes by ranges of references that are in use. */
export class NumberMap {
  readonly #pages: (Page | null)[] = [];

  get(ref: number): number {
    const page = this.#pages[ref >>> PAGE_BITS];
    return page === null || page === undefined ? 0 : page.values[ref & (PAGE_SIZE - 1)]!;
  }

  /** `value` is above 0. */
  set(ref: number, value: number): void {
    const index = ref >>> PAGE_BITS;
    let page = this.#pages[index];
    if (page === undefined || page === null) {
      page = { values: new Uint32Array(PAGE_SIZE), live: 0 };
      while (this.#pages.length < index) this.#pages.push(null);
      this.#pages[index] = page;
    }
    const at = ref & (PAGE_SIZE - 1);
    if (page.values[at] === 0) page.live++;
    page.values[at] = value;
  }

  delete(ref: number): void {
    const index = ref >>> PAGE_BITS;
    const page = this.#pages[index];
    if (page === null || page === undefined) return;
    const at = ref & (PAGE_SIZE - 1);
    if (page.values[at] === 0) return;
    page.values[at] = 0;
    if (--page.live === 0) this.#pages[index] = null;
  }

  clear(): void {
    this.#pages.length = 0;
  }

  *values(): IterableIterator<number> {
    for (const page of this.#pages) {
      if (page === null) continue;
      for (const value of page.values) if (value !== 0) yield value;
    }
  }
}
