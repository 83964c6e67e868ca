import { assert } from '@pollux/base';
import { type HashKey, hashWords } from './hash-bytes.ts';
import { HashIndex } from './hash-index.ts';
import { enlarge } from './ref-lists.ts';

/** A place is slab << 16 | offset. */
const SLAB_BITS = 16;
const SLAB_ITEMS = 2 ** SLAB_BITS;
const MAX_SLABS = 2 ** (32 - SLAB_BITS);
/** The first slab grows up to {@link SLAB_ITEMS}: there are heads of a few series. */
const FIRST_SLAB_ITEMS = 1024;

/**
 * The label sets of series, as numbers of symbols: name, value, name, value … in the order of the names. A row has one set, and
 * a set is found by its numbers. No object a row.
 */
export class KeyTable {
  #places = new Uint32Array(64);
  #sizes = new Uint32Array(64);
  readonly #slabs: Uint32Array[] = [new Uint32Array(FIRST_SLAB_ITEMS)];
  /** Taken of the last slab. */
  #slabUsed = 0;
  /** Places of sets that are gone, by size. */
  readonly #free = new Map<number, number[]>();
  readonly #index = new HashIndex();
  readonly #key: HashKey;

  constructor(key: HashKey) {
    this.#key = key;
  }

  /** Makes room for so many rows in all. */
  expect(rows: number): void {
    this.#index.expect(rows);
    if (rows <= this.#places.length) return;
    this.#places = enlarge(this.#places, rows);
    this.#sizes = enlarge(this.#sizes, rows);
  }

  /** The row with these `size` numbers, or −1; `hash` is what {@link hashWords} tells of them. */
  findHashed(symbols: Uint32Array, size: number, hash: number): number {
    let row = this.#index.first(hash);
    while (row >= 0 && !this.#isSet(row, symbols, size)) row = this.#index.next(hash);
    return row;
  }

  /** Gives the row the set, which no other row has. */
  add(
    row: number,
    symbols: Uint32Array,
    size: number,
    hash = hashWords(symbols, 0, size, this.#key),
  ): void {
    this.put(row, symbols, size);
    this.#index.add(hash, row);
  }

  /** As {@link add}, but the set is only found after {@link indexRows}. */
  put(row: number, symbols: Uint32Array, size: number): void {
    if (row >= this.#places.length) {
      const length = Math.max(row + 1, this.#places.length * 2);
      this.#places = enlarge(this.#places, length);
      this.#sizes = enlarge(this.#sizes, length);
    }
    const place = this.#allocate(size);
    this.#places[row] = place;
    this.#sizes[row] = size;
    const items = this.#slabs[place >>> SLAB_BITS]!;
    const start = place & (SLAB_ITEMS - 1);
    for (let i = 0; i < size; i++) items[start + i] = symbols[i]!;
  }

  /** Makes the sets of the rows `[from, to)`, which were put, known to {@link findHashed}. */
  indexRows(from: number, to: number): void {
    const hashes = new Int32Array(to - from);
    for (let row = from; row < to; row++) {
      const start = this.startOf(row);
      hashes[row - from] = hashWords(
        this.itemsOf(row),
        start,
        start + this.#sizes[row]!,
        this.#key,
      );
    }
    this.#index.addRun(hashes, from);
  }

  /** Takes the row's set away. */
  remove(row: number): void {
    const items = this.itemsOf(row);
    const start = this.startOf(row);
    const size = this.#sizes[row]!;
    this.#index.remove(hashWords(items, start, start + size, this.#key), row);
    const free = this.#free.get(size);
    if (free === undefined) this.#free.set(size, [this.#places[row]!]);
    else free.push(this.#places[row]!);
  }

  /** Where the row's numbers lie, from {@link startOf} on, {@link sizeOf} of them; lent until the next change. */
  itemsOf(row: number): Uint32Array {
    return this.#slabs[this.#places[row]! >>> SLAB_BITS]!;
  }

  startOf(row: number): number {
    return this.#places[row]! & (SLAB_ITEMS - 1);
  }

  sizeOf(row: number): number {
    return this.#sizes[row]!;
  }

  /** The value of one label of the row, 0 when absent. */
  valueOf(row: number, name: number): number {
    const items = this.itemsOf(row);
    const start = this.startOf(row);
    const end = start + this.#sizes[row]!;
    for (let i = start; i < end; i += 2) if (items[i] === name) return items[i + 1]!;
    return 0;
  }

  /** Order of two rows by their labels; `compare` orders symbols. */
  compare(a: number, b: number, compare: (a: number, b: number) => number): number {
    const itemsA = this.itemsOf(a);
    const itemsB = this.itemsOf(b);
    const startA = this.startOf(a);
    const startB = this.startOf(b);
    const shared = Math.min(this.#sizes[a]!, this.#sizes[b]!);
    for (let i = 0; i < shared; i++) {
      const x = itemsA[startA + i]!;
      const y = itemsB[startB + i]!;
      if (x !== y) return compare(x, y);
    }
    return this.#sizes[a]! - this.#sizes[b]!;
  }

  #isSet(row: number, symbols: Uint32Array, size: number): boolean {
    if (this.#sizes[row] !== size) return false;
    const items = this.itemsOf(row);
    const start = this.startOf(row);
    for (let i = 0; i < size; i++) if (items[start + i] !== symbols[i]) return false;
    return true;
  }

  /** A place for so many numbers. A set larger than a slab gets one of its own. */
  #allocate(size: number): number {
    const reused = this.#free.get(size)?.pop();
    if (reused !== undefined) return reused;
    const last = this.#slabs.length - 1;
    const room = this.#slabs[last]!.length;
    if (this.#slabUsed + size <= room) {
      this.#slabUsed += size;
      return ((last << SLAB_BITS) | (this.#slabUsed - size)) >>> 0;
    }
    if (last === 0 && room < SLAB_ITEMS) {
      this.#slabs[0] = enlarge(this.#slabs[0]!, Math.min(SLAB_ITEMS, room * 2));
      return this.#allocate(size);
    }
    assert(this.#slabs.length < MAX_SLABS, 'more labels than places can name');
    this.#slabs.push(new Uint32Array(Math.max(size, SLAB_ITEMS)));
    this.#slabUsed = size;
    return ((this.#slabs.length - 1) << SLAB_BITS) >>> 0;
  }
}
