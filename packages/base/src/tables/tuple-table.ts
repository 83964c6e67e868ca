import { HashTable, mixedHash } from './hash-table.ts';
import { U32List } from './u32-list.ts';

const PAGE_BITS = 12;
const PAGE_SIZE = 2 ** PAGE_BITS;

/**
 * Tuples of unsigned 32-bit words, each once, by number in the order of their coming: the key of a series is one, of symbols.
 * Words lie in pages; a tuple lies in one page whole.
 */
export class TupleTable {
  readonly #pages: Uint32Array[] = [];
  #used = PAGE_SIZE;
  /** Per tuple: page and offset. */
  readonly #starts = new U32List();
  readonly #lengths: U32List | null;
  readonly #table = new HashTable((id) => this.#hashOf(id));
  readonly #lengthOf: (firstWord: number) => number;
  #pageBytes = 0;

  /** Without `lengthOf` the length of each tuple is kept; with it the first word must tell it. */
  constructor(lengthOf?: (firstWord: number) => number) {
    this.#lengths = lengthOf === undefined ? new U32List() : null;
    this.#lengthOf = lengthOf ?? (() => 0);
  }

  get count(): number {
    return this.#starts.length;
  }

  get bytes(): number {
    return this.#pageBytes + this.#starts.bytes + (this.#lengths?.bytes ?? 0) + this.#table.bytes;
  }

  lengthOf(id: number): number {
    return this.#lengths === null ? this.#lengthOf(this.word(id, 0)) : this.#lengths.at(id);
  }

  /** Word `index` of a tuple; it must be below its length. */
  word(id: number, index: number): number {
    const start = this.#starts.at(id);
    return this.#pages[start >>> PAGE_BITS]![(start & (PAGE_SIZE - 1)) + index]!;
  }

  /** The tuple, lent for reading. */
  words(id: number): Uint32Array {
    const start = this.#starts.at(id);
    const at = start & (PAGE_SIZE - 1);
    return this.#pages[start >>> PAGE_BITS]!.subarray(at, at + this.lengthOf(id));
  }

  /** The number of the tuple in the first `length` words, or −1. */
  find(words: Uint32Array, length: number): number {
    return this.#find(words, length, hashOf(words, 0, length));
  }

  /** The number of the tuple in the first `length` words, given one when it has none: then it is {@link count} − 1. */
  idOf(words: Uint32Array, length: number): number {
    const hash = hashOf(words, 0, length);
    const known = this.#find(words, length, hash);
    if (known >= 0) return known;
    const start = this.#room(length);
    const page = this.#pages[start >>> PAGE_BITS]!;
    const at = start & (PAGE_SIZE - 1);
    for (let i = 0; i < length; i++) page[at + i] = words[i]!;
    const id = this.#starts.push(start);
    this.#lengths?.push(length);
    this.#table.add(hash, id);
    return id;
  }

  #find(words: Uint32Array, length: number, hash: number): number {
    const slots = this.#table.segment(hash);
    const mask = slots.length - 1;
    for (let at = hash & mask; ; at = (at + 1) & mask) {
      const slot = slots[at]!;
      if (slot === 0) return -1;
      if (this.#equals(slot - 1, words, length)) return slot - 1;
    }
  }

  #equals(id: number, words: Uint32Array, length: number): boolean {
    const start = this.#starts.at(id);
    const page = this.#pages[start >>> PAGE_BITS]!;
    const at = start & (PAGE_SIZE - 1);
    for (let i = 0; i < length; i++) if (page[at + i] !== words[i]) return false;
    return this.lengthOf(id) === length;
  }

  #hashOf(id: number): number {
    const start = this.#starts.at(id);
    const at = start & (PAGE_SIZE - 1);
    return hashOf(this.#pages[start >>> PAGE_BITS]!, at, at + this.lengthOf(id));
  }

  #room(length: number): number {
    if (this.#used + length > PAGE_SIZE) {
      // A tuple that is longer than a page gets one of its own size.
      const page = new Uint32Array(Math.max(PAGE_SIZE, length));
      this.#pages.push(page);
      this.#pageBytes += page.byteLength;
      this.#used = 0;
    }
    const start = (this.#pages.length - 1) * PAGE_SIZE + this.#used;
    this.#used += length;
    return start;
  }
}

function hashOf(words: Uint32Array, from: number, to: number): number {
  let hash = 0;
  for (let i = from; i < to; i++) hash = mixedHash(hash, words[i]!);
  return hash;
}
