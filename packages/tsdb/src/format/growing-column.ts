/** A column of 32-bit numbers that grows at its end. */
export class GrowingWords {
  #items = new Uint32Array(256);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  push(item: number): void {
    if (this.#count === this.#items.length) {
      const grown = new Uint32Array(this.#count * 2);
      grown.set(this.#items);
      this.#items = grown;
    }
    this.#items[this.#count++] = item;
  }

  /** What is in it, until the next {@link push}. */
  view(): Uint32Array {
    return this.#items.subarray(0, this.#count);
  }
}

/** A column of doubles that grows at its end. */
export class GrowingDoubles {
  #items = new Float64Array(256);
  #count = 0;

  push(item: number): void {
    if (this.#count === this.#items.length) {
      const grown = new Float64Array(this.#count * 2);
      grown.set(this.#items);
      this.#items = grown;
    }
    this.#items[this.#count++] = item;
  }

  /** What is in it, until the next {@link push}. */
  view(): Float64Array {
    return this.#items.subarray(0, this.#count);
  }
}
