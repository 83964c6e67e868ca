import { assert } from '@pollux/base';

/** A place is slab << 14 | offset / 4. */
const PLACE_BITS = 14;
const PLACE_MASK = (1 << PLACE_BITS) - 1;
const UNIT_BITS = 2;
const SLAB_ITEMS = 1 << (PLACE_BITS + UNIT_BITS);
const MAX_SLABS = 1 << (32 - PLACE_BITS);
/** The first slab grows up to {@link SLAB_ITEMS}: there are many small indexes. */
const FIRST_SLAB_ITEMS = 1 << 10;
/** Room of the shortest list that is no single reference, and of the longest that shares a slab. */
const MIN_ROOM = 1 << UNIT_BITS;
const MAX_SHARED_ROOM = 1024;
const NO_ITEMS = new Uint32Array(0);

/**
 * Ascending lists of references, numbered from 0. A list of one reference is that number in a column; longer ones have room
 * for the next power of two, in slabs that they share, large ones in slabs of their own. No object a list.
 */
export class RefLists {
  #counts: Uint32Array;
  /** Of a list of one its reference; of others their place. */
  #places: Uint32Array;
  readonly #slabs: Uint32Array[] = [];
  /** The slab that is being filled, its size, and how much of it is taken. */
  #slab: number;
  #slabItems = FIRST_SLAB_ITEMS;
  #slabUsed = 0;
  readonly #freeSlabs: number[] = [];
  /** Places that were left, by room. */
  readonly #free = new Map<number, number[]>();

  constructor(capacity: number) {
    this.#counts = new Uint32Array(capacity);
    this.#places = new Uint32Array(capacity);
    this.#slab = this.#addSlab(FIRST_SLAB_ITEMS);
  }

  /** Memory held. */
  get bytes(): number {
    let bytes = this.#counts.byteLength + this.#places.byteLength;
    for (const slab of this.#slabs) bytes += slab.byteLength;
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
    const start = (place & PLACE_MASK) << UNIT_BITS;
    return this.#slabs[place >>> PLACE_BITS]!.subarray(start, start + count);
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
    // Only at these counts a list may be full. Without a branch on its size, which would have the function compiled anew.
    const top = 1 << (31 - Math.clz32(count));
    const half = (top >>> 1) & ((MAX_SHARED_ROOM - top) >> 31);
    const rest = count ^ top;
    if ((rest === 0 || rest === half) && count !== 2) this.#enlarge(list, count);
    const place = this.#places[list]!;
    const items = this.#slabs[place >>> PLACE_BITS]!;
    const end = ((place & PLACE_MASK) << UNIT_BITS) + count;
    if (items[end - 1]! < ref) {
      items[end] = ref;
      return;
    }
    // A series whose first sample came late.
    const at = firstAbove(items, (place & PLACE_MASK) << UNIT_BITS, end, ref);
    items.copyWithin(at + 1, at, end);
    items[at] = ref;
  }

  /** Moves a full list to where there is room for more. */
  #enlarge(list: number, count: number): void {
    const old = this.#places[list]!;
    const place = this.#allocate(roomAbove(count));
    const target = this.#slabs[place >>> PLACE_BITS]!;
    const to = (place & PLACE_MASK) << UNIT_BITS;
    this.#places[list] = place;
    if (count === 1) {
      target[to] = old;
      return;
    }
    const source = this.#slabs[old >>> PLACE_BITS]!;
    const from = (old & PLACE_MASK) << UNIT_BITS;
    // A loop here is hot before the rest of this function was ever run, and is compiled four times for it.
    target.set(source.subarray(from, from + count), to);
    if (count <= MAX_SHARED_ROOM) this.#release(old, count);
    else {
      this.#slabs[old >>> PLACE_BITS] = NO_ITEMS;
      this.#freeSlabs.push(old >>> PLACE_BITS);
    }
  }

  #allocate(room: number): number {
    if (room > MAX_SHARED_ROOM) return (this.#addSlab(room) << PLACE_BITS) >>> 0;
    const reused = this.#free.get(room)?.pop();
    if (reused !== undefined) return reused;
    if (this.#slab === 0) this.#growFirst(this.#slabUsed + room);
    if (this.#slabUsed + room > this.#slabItems) {
      // The rest of the last slab, in the largest pieces that fit.
      for (let rest = MAX_SHARED_ROOM; rest >= MIN_ROOM; rest /= 2) {
        while (this.#slabUsed + rest <= this.#slabItems) this.#release(this.#take(rest), rest);
      }
      this.#slab = this.#addSlab(SLAB_ITEMS);
      this.#slabItems = SLAB_ITEMS;
      this.#slabUsed = 0;
    }
    return this.#take(room);
  }

  #growFirst(needed: number): void {
    const before = this.#slabItems;
    while (this.#slabItems < needed && this.#slabItems < SLAB_ITEMS) this.#slabItems *= 2;
    if (this.#slabItems > before) this.#slabs[0] = enlarge(this.#slabs[0]!, this.#slabItems);
  }

  #take(room: number): number {
    this.#slabUsed += room;
    return ((this.#slab << PLACE_BITS) | ((this.#slabUsed - room) >>> UNIT_BITS)) >>> 0;
  }

  #release(place: number, room: number): void {
    const free = this.#free.get(room);
    if (free === undefined) this.#free.set(room, [place]);
    else free.push(place);
  }

  #addSlab(items: number): number {
    const slab = this.#freeSlabs.pop() ?? this.#slabs.length;
    assert(slab < MAX_SLABS, 'more references than places can name');
    this.#slabs[slab] = new Uint32Array(items);
    return slab;
  }

  #growColumns(needed: number): void {
    const size = Math.max(needed, this.#counts.length * 2);
    this.#counts = enlarge(this.#counts, size);
    this.#places = enlarge(this.#places, size);
  }
}

/** Room is a power of two; that of large lists, where what is not used yet counts, also one and a half of one. */
function roomAbove(count: number): number {
  if (count <= MAX_SHARED_ROOM) return Math.max(MIN_ROOM, count * 2);
  const isPower = (count & (count - 1)) === 0;
  return isPower ? count + (count >>> 1) : (count / 3) * 4;
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
