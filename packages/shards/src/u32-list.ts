/** A growing list of unsigned 32-bit numbers. */
export class U32List {
  #data = new Uint32Array(16);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Appends and returns the index. */
  push(value: number): number {
    if (this.#length === this.#data.length) {
      const grown = new Uint32Array(this.#data.length * 2);
      grown.set(this.#data);
      this.#data = grown;
    }
    this.#data[this.#length] = value;
    return this.#length++;
  }

  /** `index` must be below the length. */
  at(index: number): number {
    return this.#data[index]!;
  }

  set(index: number, value: number): void {
    this.#data[index] = value;
  }
}

/** An open-addressing table from 32-bit hashes to numbers; the caller compares keys. Nothing is ever removed. */
export class HashIndex {
  /** Number + 1, 0 for free. */
  #slots = new Uint32Array(64);
  readonly #hashes = new U32List();
  readonly #values = new U32List();

  /** The number added under `hash` for which `isEqual` holds, or −1. */
  find(hash: number, isEqual: (value: number) => boolean): number {
    const mask = this.#slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const entry = this.#slots[slot]!;
      if (entry === 0) return -1;
      if (this.#hashes.at(entry - 1) === hash && isEqual(this.#values.at(entry - 1))) {
        return this.#values.at(entry - 1);
      }
    }
  }

  add(hash: number, value: number): void {
    this.#hashes.push(hash);
    const entry = this.#values.push(value) + 1;
    // Half full at most, so that probes stay short.
    if (entry * 2 > this.#slots.length) this.#rehash();
    else this.#place(hash, entry);
  }

  #place(hash: number, entry: number): void {
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = entry;
  }

  #rehash(): void {
    this.#slots = new Uint32Array(this.#slots.length * 2);
    for (let i = 0; i < this.#values.length; i++) this.#place(this.#hashes.at(i), i + 1);
  }
}
