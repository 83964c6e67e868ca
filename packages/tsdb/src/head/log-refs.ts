import type { Slot } from './series-table.ts';

const PAGE_BITS = 12;
const PAGE_SIZE = 2 ** PAGE_BITS;

/**
 * What the references in the log mean while it is replayed: the slot of each, also of further references of a series that
 * was logged under several. Valid as long as no series is removed.
 */
export class LogRefs {
  /** Slot + 1, 0 where the reference is unknown. */
  readonly #pages: (Uint32Array | undefined)[] = [];

  /** The slot, or −1. */
  get(ref: number): Slot {
    const page = this.#pages[ref >>> PAGE_BITS];
    return page === undefined ? -1 : page[ref & (PAGE_SIZE - 1)]! - 1;
  }

  /** What the last record of a reference says it means holds from there on. */
  set(ref: number, slot: Slot): void {
    const index = ref >>> PAGE_BITS;
    let page = this.#pages[index];
    if (page === undefined) {
      page = new Uint32Array(PAGE_SIZE);
      while (this.#pages.length < index) this.#pages.push(undefined);
      this.#pages[index] = page;
    }
    page[ref & (PAGE_SIZE - 1)] = slot + 1;
  }

  /** Gives its memory back, also where others still hold it. */
  clear(): void {
    this.#pages.length = 0;
  }

  forEach(visit: (ref: number, slot: Slot) => void): void {
    for (const [index, page] of this.#pages.entries()) {
      if (page === undefined) continue;
      for (let i = 0; i < PAGE_SIZE; i++) {
        if (page[i] !== 0) visit(index * PAGE_SIZE + i, page[i]! - 1);
      }
    }
  }
}
