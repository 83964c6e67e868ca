import { assert } from '@pollux/base';

/** A place is slab << 16 | offset. */
const SLAB_BITS = 16;
const SLAB_ITEMS = 1 << SLAB_BITS;
const SLAB_MASK = SLAB_ITEMS - 1;
const MAX_SLABS = 1 << SLAB_BITS;
/** The first slab grows up to {@link SLAB_ITEMS}: there are many small indexes. */
const FIRST_SLAB_ITEMS = 1 << 10;
/** Room of the shortest list that is no single reference, and of the longest that shares a slab. */
const MIN_ROOM = 4;
const MAX_SHARED_ROOM = 1024;

/**
 * Ascending lists of references, numbered from 0. A list of one reference is that number in a column; longer ones have room
 * for the next power of two, in slabs that they share; large ones have arrays of their own. No object a short list.
 */
export class RefLists {
  #counts: Uint32Array;
  /** Of a list of one its reference; of a large one its array; of others their place. */
  #places: Uint32Array;
  readonly #slabs: Uint32Array[] = [new Uint32Array(FIRST_SLAB_ITEMS)];
  /** Taken of the last slab. */
  #slabUsed = 0;
  readonly #large: Uint32Array[] = [];
  /** Places that were left, by room. */
  readonly #free = new Map<number, number[]>();

  constructor(capacity: number) {
    this.#counts = new Uint32Array(capacity);
    this.#places = new Uint32Array(capacity);
  }

  /** Memory held. */
  get bytes(): number {
    let bytes = this.#counts.byteLength + this.#places.byteLength;
    for (const slab of this.#slabs) bytes += slab.byteLength;
    for (const items of this.#large) bytes += items.byteLength;
    return bytes;
  }

  count(list: number): number {
    return this.#counts[list]!;
  }

  /** The references of the list; lent until the next change. */
  view(list: number): Uint32Array {
    const count = this.#counts[list]!;
    if (count <= 1) return this.#places.subarray(list, list + count);
    const place = this.#places[list]!;
    if (count > MAX_SHARED_ROOM) return this.#large[place]!.subarray(0, count);
    const start = place & SLAB_MASK;
    return this.#slabs[place >>> SLAB_BITS]!.subarray(start, start + count);
  }

  /** Puts a reference, which is not in the list yet, where it belongs. */
  insert(list: number, ref: number): void {
    if (list >= this.#counts.length) this.#growColumns(list + 1);
    const count = this.#counts[list]!;
    this.#counts[list] = count + 1;
    if (count === 0) {
      this.#places[list] = ref;
      return;
    }
    if (count >= MAX_SHARED_ROOM) {
      insertAt(this.#roomyLarge(list, count), 0, count, ref);
      return;
    }
    // Room is a power of two, so only at these counts it may be full.
    if ((count & (count - 1)) === 0 && count !== 2) this.#enlarge(list, count);
    const place = this.#places[list]!;
    const start = place & SLAB_MASK;
    insertAt(this.#slabs[place >>> SLAB_BITS]!, start, start + count, ref);
  }

  /** The array of a list with `count` references, with room for one more. */
  #roomyLarge(list: number, count: number): Uint32Array {
    const place = this.#places[list]!;
    // By a half only: what large lists do not use yet is memory all the same.
    const size = count + (count >>> 1);
    if (count > MAX_SHARED_ROOM) {
      const items = this.#large[place]!;
      if (count < items.length) return items;
      const grown = enlarge(items, size);
      this.#large[place] = grown;
      return grown;
    }
    const start = place & SLAB_MASK;
    const shared = this.#slabs[place >>> SLAB_BITS]!.subarray(start, start + count);
    const items = enlarge(shared, size);
    this.#places[list] = this.#large.push(items) - 1;
    this.#release(place, MAX_SHARED_ROOM);
    return items;
  }

  /** Moves a full list to where there is room for more. */
  #enlarge(list: number, count: number): void {
    const old = this.#places[list]!;
    const place = this.#allocate(Math.max(MIN_ROOM, count * 2));
    const target = this.#slabs[place >>> SLAB_BITS]!;
    const to = place & SLAB_MASK;
    this.#places[list] = place;
    if (count === 1) {
      target[to] = old;
      return;
    }
    const source = this.#slabs[old >>> SLAB_BITS]!;
    const from = old & SLAB_MASK;
    // A loop here is hot before the rest of this function was ever run, and is compiled four times for it.
    target.set(source.subarray(from, from + count), to);
    this.#release(old, count);
  }

  #allocate(room: number): number {
    const reused = this.#free.get(room)?.pop();
    if (reused !== undefined) return reused;
    let items = this.#slabs.at(-1)!.length;
    if (this.#slabs.length === 1) {
      while (items < SLAB_ITEMS && this.#slabUsed + room > items) items *= 2;
      if (items > this.#slabs[0]!.length) this.#slabs[0] = enlarge(this.#slabs[0]!, items);
    }
    if (this.#slabUsed + room > items) {
      // The rest of the last slab, in the largest pieces that fit.
      for (let rest = MAX_SHARED_ROOM; rest >= MIN_ROOM; rest /= 2) {
        while (this.#slabUsed + rest <= items) this.#release(this.#take(rest), rest);
      }
      assert(this.#slabs.length < MAX_SLABS, 'more references than places can name');
      this.#slabs.push(new Uint32Array(SLAB_ITEMS));
      this.#slabUsed = 0;
    }
    return this.#take(room);
  }

  #take(room: number): number {
    this.#slabUsed += room;
    return (((this.#slabs.length - 1) << SLAB_BITS) | (this.#slabUsed - room)) >>> 0;
  }

  #release(place: number, room: number): void {
    const free = this.#free.get(room);
    if (free === undefined) this.#free.set(room, [place]);
    else free.push(place);
  }

  #growColumns(needed: number): void {
    const size = Math.max(needed, this.#counts.length * 2);
    this.#counts = enlarge(this.#counts, size);
    this.#places = enlarge(this.#places, size);
  }
}

/** Puts a reference among the ascending `items[start, end)`, behind which there is room. */
function insertAt(items: Uint32Array, start: number, end: number, ref: number): void {
  if (items[end - 1]! < ref) {
    items[end] = ref;
    return;
  }
  // A series whose first sample came late.
  const at = firstAbove(items, start, end, ref);
  items.copyWithin(at + 1, at, end);
  items[at] = ref;
}

/** The first of the ascending `items[start, end)` that is above `ref`, or `end`. */
function firstAbove(items: Uint32Array, start: number, end: number, ref: number): number {
  let low = start;
  let high = end;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (items[middle]! > ref) high = middle;
    else low = middle + 1;
  }
  return low;
}

export function enlarge(source: Uint32Array, size: number): Uint32Array<ArrayBuffer> {
  const grown = new Uint32Array(size);
  grown.set(source);
  return grown;
}
