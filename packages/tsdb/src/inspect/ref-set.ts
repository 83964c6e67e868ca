const PAGE_BITS = 16;
const PAGE_BYTES = 2 ** PAGE_BITS / 8;

/** Series references of a log, which are given out in sequence: pages of bits, made where there are any. */
export class RefSet {
  readonly #pages = new Map<number, Uint8Array>();

  add(ref: number): void {
    const number = Math.floor(ref / 2 ** PAGE_BITS);
    let page = this.#pages.get(number);
    if (page === undefined) {
      page = new Uint8Array(PAGE_BYTES);
      this.#pages.set(number, page);
    }
    const at = ref % 2 ** PAGE_BITS;
    page[at >>> 3] = page[at >>> 3]! | (1 << (at & 7));
  }

  has(ref: number): boolean {
    const page = this.#pages.get(Math.floor(ref / 2 ** PAGE_BITS));
    const at = ref % 2 ** PAGE_BITS;
    return page !== undefined && (page[at >>> 3]! & (1 << (at & 7))) !== 0;
  }
}
