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
/** From so many on there is room for a quarter more, not for as many again. */
const MANY_ROWS = 2 ** 16;
/** Sizes from this on are in a map; label sets of so many labels are next to none. */
const LARGE = 255;

/**
 * Keys of rows: some numbers each, such as the symbols of a series' labels. A row is found by its key. No object a row.
 */
export class KeyTable {
  #places = new Uint32Array(64);
  #sizes = new Uint8Array(64);
  /** Of rows that have {@link LARGE} among the sizes. */
  readonly #largeSizes = new Map<number, number>();
  readonly #slabs: Uint32Array[] = [new Uint32Array(FIRST_SLAB_ITEMS)];
  /** Taken of the last slab. */
  #slabUsed = 0;
  /** Places of keys that are gone, by size. */
  readonly #free = new Map<number, number[]>();
  readonly #index = new HashIndex();
  readonly #key: HashKey;

  constructor(key: HashKey) {
    this.#key = key;
  }

  /** Memory held. */
  get bytes(): number {
    let bytes = this.#places.byteLength + this.#sizes.byteLength + this.#index.bytes;
    for (const slab of this.#slabs) bytes += slab.byteLength;
    return bytes;
  }

  /** Makes room for so many rows in all. */
  expect(rows: number): void {
    this.#index.expect(rows);
    if (rows <= this.#places.length) return;
    this.#places = enlarge(this.#places, rows);
    this.#sizes = enlargeBytes(this.#sizes, rows);
  }

  /** The row with these `size` numbers, or −1; `hash` is what {@link hashWords} tells of them. */
  findHashed(symbols: Uint32Array, size: number, hash: number): number {
    let row = this.#index.first(hash);
    while (row >= 0 && !this.#isKey(row, symbols, size)) row = this.#index.next(hash);
    return row;
  }

  /** The row with these numbers; when there is none, the row `next` gets them. */
  rowOf(symbols: Uint32Array, size: number, next: number): number {
    const hash = hashWords(symbols, 0, size, this.#key);
    const known = this.findHashed(symbols, size, hash);
    if (known >= 0) return known;
    this.add(next, symbols, size, hash);
    return next;
  }

  /** Gives the row the key, which no other row has. */
  add(
    row: number,
    symbols: Uint32Array,
    size: number,
    hash = hashWords(symbols, 0, size, this.#key),
  ): void {
    this.put(row, symbols, size);
    this.#index.add(hash, row);
  }

  /** As {@link add}, but the row is only found after {@link indexRows}. */
  put(row: number, symbols: Uint32Array, size: number): void {
    if (row >= this.#places.length) {
      const rows = this.#places.length;
      const length = Math.max(row + 1, rows < MANY_ROWS ? rows * 2 : rows + (rows >>> 2));
      this.#places = enlarge(this.#places, length);
      this.#sizes = enlargeBytes(this.#sizes, length);
    }
    const place = this.#allocate(size);
    this.#places[row] = place;
    if (size < LARGE) this.#sizes[row] = size;
    else this.#setLarge(row, size);
    const items = this.#slabs[place >>> SLAB_BITS]!;
    const start = place & (SLAB_ITEMS - 1);
    for (let i = 0; i < size; i++) items[start + i] = symbols[i]!;
  }

  /** Makes the keys of the rows `[from, to)`, which were put, known to {@link findHashed}. */
  indexRows(from: number, to: number): void {
    const hashes = new Int32Array(to - from);
    for (let row = from; row < to; row++) {
      const start = this.startOf(row);
      hashes[row - from] = hashWords(this.itemsOf(row), start, start + this.sizeOf(row), this.#key);
    }
    this.#index.addRun(hashes, from);
  }

  /** Takes the row's key away. */
  remove(row: number): void {
    const items = this.itemsOf(row);
    const start = this.startOf(row);
    const size = this.sizeOf(row);
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
    const size = this.#sizes[row]!;
    return size < LARGE ? size : this.#largeSizes.get(row)!;
  }

  #setLarge(row: number, size: number): void {
    this.#sizes[row] = LARGE;
    this.#largeSizes.set(row, size);
  }

  /** Number `index` of the row's key. */
  itemOf(row: number, index: number): number {
    const place = this.#places[row]!;
    return this.#slabs[place >>> SLAB_BITS]![(place & (SLAB_ITEMS - 1)) + index]!;
  }

  /** The row's numbers, lent until the next change. */
  keyOf(row: number): Uint32Array {
    const start = this.startOf(row);
    return this.itemsOf(row).subarray(start, start + this.sizeOf(row));
  }

  #isKey(row: number, symbols: Uint32Array, size: number): boolean {
    if (this.sizeOf(row) !== size) return false;
    const items = this.itemsOf(row);
    const start = this.startOf(row);
    for (let i = 0; i < size; i++) if (items[start + i] !== symbols[i]) return false;
    return true;
  }

  /** A place for so many numbers. A key larger than a slab gets one of its own. */
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

function enlargeBytes(source: Uint8Array, size: number): Uint8Array<ArrayBuffer> {
  const grown = new Uint8Array(size);
  grown.set(source);
  return grown;
}
