import { U32List } from './u32-list.ts';

const PAGE_BITS = 12;
const PAGE_SIZE = 2 ** PAGE_BITS;
/** Longer lists have an array of their own. */
const MAX_SHARED = 1_024;
const CLASSES = Math.log2(MAX_SHARED) + 1;
const NONE = 0xffffffff;

/**
 * Growing ascending lists of unsigned 32-bit numbers, by number of the list. A list of one number costs eight bytes; short
 * lists share pages in blocks of powers of two.
 */
export class NumberLists {
  readonly #counts = new U32List();
  /** The only number; or page and offset of the block; or the index in #long. */
  readonly #where = new U32List();
  readonly #pages: Uint32Array[] = [];
  #used = PAGE_SIZE;
  readonly #long: Uint32Array[] = [];
  #longBytes = 0;
  /** Per size of block: a free one, whose first word names the next. */
  readonly #free = new Uint32Array(CLASSES).fill(NONE);

  get count(): number {
    return this.#counts.length;
  }

  get bytes(): number {
    const pages = this.#pages.length * PAGE_SIZE * 4;
    return this.#counts.bytes + this.#where.bytes + pages + this.#longBytes;
  }

  /** Makes an empty list and returns its number. */
  create(): number {
    this.#where.push(0);
    return this.#counts.push(0);
  }

  countOf(list: number): number {
    return this.#counts.at(list);
  }

  /** The list; lent for reading until the next change. */
  get(list: number): Uint32Array {
    const count = this.#counts.at(list);
    const where = this.#where.at(list);
    if (count === 1) return Uint32Array.of(where);
    if (count > MAX_SHARED) return this.#long[where]!.subarray(0, count);
    if (count === 0) return new Uint32Array(0);
    const at = where & (PAGE_SIZE - 1);
    return this.#pages[where >>> PAGE_BITS]!.subarray(at, at + count);
  }

  /** Puts a number in its place; it must not be there yet. */
  add(list: number, value: number): void {
    const count = this.#counts.at(list);
    this.#counts.set(list, count + 1);
    if (count === 0) {
      this.#where.set(list, value);
      return;
    }
    if (count === 1) {
      const block = this.#block(1);
      this.#pages[block >>> PAGE_BITS]![block & (PAGE_SIZE - 1)] = this.#where.at(list);
      this.#where.set(list, block);
    } else if (count <= MAX_SHARED && (count & (count - 1)) === 0) this.#move(list, count);
    else if (count > MAX_SHARED) this.#growLong(this.#where.at(list), count);
    const where = this.#where.at(list);
    if (count + 1 > MAX_SHARED) insert(this.#long[where]!, 0, count, value);
    else insert(this.#pages[where >>> PAGE_BITS]!, where & (PAGE_SIZE - 1), count, value);
  }

  /** Moves a full block of `count` numbers to one of twice the size. */
  #move(list: number, count: number): void {
    const old = this.#where.at(list);
    const source = this.#pages[old >>> PAGE_BITS]!;
    const at = old & (PAGE_SIZE - 1);
    const words = source.subarray(at, at + count);
    if (count === MAX_SHARED) {
      const own = new Uint32Array(MAX_SHARED * 2);
      own.set(words);
      this.#longBytes += own.byteLength;
      this.#where.set(list, this.#long.push(own) - 1);
    } else {
      const block = this.#block(Math.log2(count) + 1);
      this.#pages[block >>> PAGE_BITS]!.set(words, block & (PAGE_SIZE - 1));
      this.#where.set(list, block);
    }
    const size = Math.log2(count);
    source[at] = this.#free[size]!;
    this.#free[size] = old;
  }

  #growLong(index: number, count: number): void {
    const old = this.#long[index]!;
    if (count < old.length) return;
    const grown = new Uint32Array(count + (count >>> 1));
    grown.set(old);
    this.#longBytes += grown.byteLength - old.byteLength;
    this.#long[index] = grown;
  }

  /** A block of 2^size words. */
  #block(size: number): number {
    const free = this.#free[size]!;
    if (free !== NONE) {
      this.#free[size] = this.#pages[free >>> PAGE_BITS]![free & (PAGE_SIZE - 1)]!;
      return free;
    }
    const words = 2 ** size;
    if (this.#used + words > PAGE_SIZE) {
      // What is left of the page is given to blocks of smaller sizes.
      this.#giveRest();
      this.#pages.push(new Uint32Array(PAGE_SIZE));
      this.#used = 0;
    }
    const block = (this.#pages.length - 1) * PAGE_SIZE + this.#used;
    this.#used += words;
    return block;
  }

  #giveRest(): void {
    for (let size = CLASSES - 1; size > 0; size--) {
      const words = 2 ** size;
      while (this.#used + words <= PAGE_SIZE) {
        const block = (this.#pages.length - 1) * PAGE_SIZE + this.#used;
        this.#pages[this.#pages.length - 1]![this.#used] = this.#free[size]!;
        this.#free[size] = block;
        this.#used += words;
      }
    }
  }
}

/** Puts `value` among the `count` ascending words at `from`; newest numbers come last, so the loop seldom runs. */
function insert(words: Uint32Array, from: number, count: number, value: number): void {
  let at = from + count;
  while (at > from && words[at - 1]! > value) {
    words[at] = words[at - 1]!;
    at--;
  }
  words[at] = value;
}
