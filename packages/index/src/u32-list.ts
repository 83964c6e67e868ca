const PAGE_BITS = 14;
const PAGE_SIZE = 2 ** PAGE_BITS;
const PAGE_MASK = PAGE_SIZE - 1;

/** A growing list of unsigned 32-bit numbers in pages: growing copies nothing but the first page. */
export class U32List {
  readonly #pages: Uint32Array[] = [new Uint32Array(16)];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Memory held. */
  get bytes(): number {
    return this.#pages.length === 1
      ? this.#pages[0]!.byteLength
      : this.#pages.length * PAGE_SIZE * 4;
  }

  /** Appends and returns the index. */
  push(value: number): number {
    const index = this.#length++;
    const page = index >>> PAGE_BITS;
    const at = index & PAGE_MASK;
    let data = this.#pages[page];
    if (data === undefined) {
      data = new Uint32Array(PAGE_SIZE);
      this.#pages.push(data);
    } else if (at === data.length) {
      const grown = new Uint32Array(data.length * 2);
      grown.set(data);
      data = grown;
      this.#pages[page] = grown;
    }
    data[at] = value;
    return index;
  }

  /** `index` must be below the length. */
  at(index: number): number {
    return this.#pages[index >>> PAGE_BITS]![index & PAGE_MASK]!;
  }

  set(index: number, value: number): void {
    this.#pages[index >>> PAGE_BITS]![index & PAGE_MASK] = value;
  }
}
