import { assert } from '@pollux/base';
import { type HashKey, hashBytes } from './hash-bytes.ts';
import { HashIndex } from './hash-index.ts';

/** A place is slab << 18 | offset. Place 0 holds the empty text, also for numbers that stand for nothing now. */
const SLAB_BITS = 18;
const SLAB_BYTES = 2 ** SLAB_BITS;
const MAX_SLABS = 2 ** (32 - SLAB_BITS);
/** The first slab grows up to {@link SLAB_BYTES}: there are heads of a few series. */
const FIRST_SLAB_BYTES = 4096;
/** Texts that were asked for are kept as strings, one for each remainder: as many as there are texts, up to the second. */
const FIRST_KEPT_TEXTS = 256;
const KEPT_TEXTS = 8192;
/** In place of the uses of a number that is free. */
const FREE = 0xffffffff;
const NO_TEXT = -1;
/** A view of other bytes that were seen last is kept, unless it would hold so much memory. */
const MAX_KEPT_SEEN = 8 * 1024 * 1024;

const encoder = new TextEncoder();

/** Lets others run when a slice of time is over. */
type Pauses = { readonly isOver: boolean; pause(): Promise<void> };

/**
 * The texts of labels, each once, by number, with the number of places that use it. Number 0 is "". They lie in slabs as UTF-8
 * behind their lengths (as uvarints: as log records have them) and are found by their bytes; strings are made when one
 * asks for them. Bytes are read and written four at a time: loops over them are most of what a new series costs.
 */
export class Symbols {
  readonly #slabs: Buffer[] = [];
  readonly #views: DataView[] = [];
  /** Bytes taken of the last slab. */
  #slabUsed = 1;
  #places = new Uint32Array(256);
  #uses = new Uint32Array(256);
  readonly #index = new HashIndex();
  readonly #key: HashKey;
  #mostBytes = 1;
  #limit = 1;
  #count = 1;
  readonly #free: number[] = [];
  /** Places of forgotten texts by the bytes they take. */
  readonly #freePlaces = new Map<number, number[]>();
  /** Symbols that nobody used at some time since the last {@link releaseUnused}. */
  #unused: number[] = [];
  #keptIds = new Int32Array(FIRST_KEPT_TEXTS).fill(NO_TEXT);
  #keptTexts: string[] = [];
  #scratch = new Uint8Array(256);
  /** The bytes that were looked at last, and a view of them. */
  #seen: Uint8Array = new Uint8Array(0);
  #seenView = viewOf(this.#seen);

  constructor(key: HashKey) {
    this.#key = key;
    this.#setSlab(0, Buffer.alloc(FIRST_SLAB_BYTES));
  }

  get count(): number {
    return this.#count;
  }

  /** Numbers are below it. */
  get limit(): number {
    return this.#limit;
  }

  /** Memory held, without what is kept as strings. */
  get bytes(): number {
    let bytes = this.#places.byteLength + this.#uses.byteLength + this.#index.bytes;
    for (const slab of this.#slabs) bytes += slab.byteLength;
    return bytes;
  }

  /** Makes room for so many texts in all. */
  expect(count: number): void {
    this.#index.expect(count);
  }

  /** The number of `text`, given one when it has none; counts a use. */
  use(text: string): number {
    const id = this.idOf(text);
    this.retain(id);
    return id;
  }

  /** As {@link use} for a number that the caller was given just now. */
  retain(id: number): void {
    this.#uses[id] = this.#uses[id]! + 1;
  }

  /** The number of `text`, given one when it has none. Unused until {@link retain}. */
  idOf(text: string): number {
    const size = this.#encode(text);
    return this.#idOf(this.#scratch, 0, size);
  }

  /** {@link idOf} of the text in `bytes[start, end)`; what is no UTF-8 in it counts as U+FFFD. */
  idOfBytes(bytes: Uint8Array, start: number, end: number): number {
    if (start === end) return 0;
    const view = this.#viewOf(bytes);
    const hash = hashBytes(view, start, end, this.#key);
    const id = this.#find(view, start, end, hash);
    if (id >= 0) return id;
    if (isAscii(view, start, end)) return this.#add(view, start, end, hash);
    return this.idOf(Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString());
  }

  /** Takes a use back. The symbol keeps its number until {@link releaseUnused}. */
  drop(id: number): void {
    this.#uses[id] = this.#uses[id]! - 1;
    if (this.#uses[id] === 0) this.#unused.push(id);
  }

  /** The number of `text`, or −1. */
  find(text: string): number {
    const size = this.#encode(text);
    return this.findBytes(this.#scratch, 0, size);
  }

  /** {@link find} of the UTF-8 text in `bytes[start, end)`. */
  findBytes(bytes: Uint8Array, start: number, end: number): number {
    if (start === end) return 0;
    const view = this.#viewOf(bytes);
    return this.#find(view, start, end, hashBytes(view, start, end, this.#key));
  }

  #find(view: DataView, start: number, end: number, hash: number): number {
    let id = this.#index.first(hash);
    while (id >= 0 && !this.#isText(id, view, start, end)) id = this.#index.next(hash);
    return id;
  }

  /** Whether the number, which may have been taken back since it was given, stands for the text in `bytes[start, end)`. */
  isText(id: number, bytes: Uint8Array, start: number, end: number): boolean {
    return this.#isText(id, this.#viewOf(bytes), start, end);
  }

  /** {@link isText} of a string. */
  isString(id: number, text: string): boolean {
    const kept = id & (this.#keptIds.length - 1);
    if (this.#keptIds[kept] === id) return this.#keptTexts[kept] === text;
    // Where nothing is kept yet the text will be from now on: two strings are compared faster.
    if (this.#keptIds[kept] === NO_TEXT) return this.text(id) === text;
    const place = this.#places[id]!;
    const slab = this.#slabs[place >>> SLAB_BITS]!;
    const start = (place & (SLAB_BYTES - 1)) + 1;
    const bytes = slab[start - 1]!;
    const { length } = text;
    // Beyond ASCII a text has more bytes than units; lengths of more than one byte are above 127 too.
    if (bytes > length || bytes >= 0x80) return this.text(id) === text;
    if (bytes < length) return false;
    for (let i = 0; i < length; i++) if (slab[start + i] !== text.charCodeAt(i)) return false;
    return true;
  }

  #isText(id: number, view: DataView, start: number, end: number): boolean {
    const place = this.#places[id]!;
    const slab = this.#views[place >>> SLAB_BITS]!;
    let at = place & (SLAB_BYTES - 1);
    let length = end - start;
    for (; length >= 0x80; length = Math.floor(length / 128)) {
      if (slab.getUint8(at++) !== (length % 128) + 128) return false;
    }
    if (slab.getUint8(at++) !== length) return false;
    let i = start;
    for (; i + 4 <= end; i += 4, at += 4) if (slab.getInt32(at) !== view.getInt32(i)) return false;
    for (; i < end; i++) if (slab.getUint8(at++) !== view.getUint8(i)) return false;
    return true;
  }

  text(id: number): string {
    const kept = id & (this.#keptIds.length - 1);
    if (this.#keptIds[kept] === id) return this.#keptTexts[kept]!;
    const { slab, start, end } = this.#rangeOf(id);
    const text = slab.toString('utf8', start, end);
    this.#keptIds[kept] = id;
    this.#keptTexts[kept] = text;
    return text;
  }

  /** Order of two numbers by their texts, bytewise. */
  compare(a: number, b: number): number {
    const x = this.#rangeOf(a);
    const y = this.#rangeOf(b);
    const shared = Math.min(x.end - x.start, y.end - y.start);
    for (let i = 0; i < shared; i++) {
      const difference = x.slab[x.start + i]! - y.slab[y.start + i]!;
      if (difference !== 0) return difference;
    }
    return x.end - x.start - (y.end - y.start);
  }

  /** As many bytes as {@link write} writes of any symbol, or more. */
  get mostWrittenBytes(): number {
    return this.#mostBytes;
  }

  /** Bytes that {@link write} writes. */
  writtenBytes(id: number): number {
    return this.#entryEnd(id) - (this.#places[id]! & (SLAB_BYTES - 1));
  }

  /** Writes the text behind its length as a uvarint; returns where it ends. The caller has made room. */
  write(id: number, target: DataView, start: number): number {
    const place = this.#places[id]!;
    const slab = this.#views[place >>> SLAB_BITS]!;
    const at = place & (SLAB_BYTES - 1);
    // A loop, since the texts are short, and calls of `set` cost more than what they copy.
    return copyBytes(slab, at, this.#entryEnd(id), target, start);
  }

  /** Forgets symbols without uses; their numbers are given out again. Yields between slices. */
  async releaseUnused(pauses: Pauses): Promise<void> {
    const unused = this.#unused;
    this.#unused = [];
    for (const [i, id] of unused.entries()) {
      if (i % 256 === 0 && pauses.isOver) await pauses.pause();
      // A symbol may be listed twice, or be in use again.
      if (this.#uses[id] === 0 && id !== 0) this.#forget(id);
    }
  }

  #forget(id: number): void {
    const { slab, start, end } = this.#rangeOf(id);
    this.#index.remove(hashBytes(viewOf(slab), start, end, this.#key), id);
    const size = this.writtenBytes(id);
    const free = this.#freePlaces.get(size);
    if (free === undefined) this.#freePlaces.set(size, [this.#places[id]!]);
    else free.push(this.#places[id]!);
    this.#places[id] = 0;
    this.#uses[id] = FREE;
    this.#free.push(id);
    this.#count--;
    const kept = id & (this.#keptIds.length - 1);
    if (this.#keptIds[kept] === id) this.#keptIds[kept] = NO_TEXT;
  }

  #idOf(bytes: Uint8Array, start: number, end: number): number {
    if (start === end) return 0;
    const view = this.#viewOf(bytes);
    const hash = hashBytes(view, start, end, this.#key);
    const id = this.#find(view, start, end, hash);
    return id < 0 ? this.#add(view, start, end, hash) : id;
  }

  #viewOf(bytes: Uint8Array): DataView {
    if (bytes === this.#seen) return this.#seenView;
    const view = viewOf(bytes);
    if (bytes.length <= MAX_KEPT_SEEN) {
      this.#seen = bytes;
      this.#seenView = view;
    }
    return view;
  }

  #setSlab(index: number, slab: Buffer): void {
    this.#slabs[index] = slab;
    this.#views[index] = viewOf(slab);
  }

  /** Gives a number to a text that has none. */
  #add(source: DataView, start: number, end: number, hash: number): number {
    const id = this.#free.pop() ?? this.#limit++;
    if (id >= this.#uses.length) {
      this.#uses = doubled(this.#uses);
      this.#places = doubled(this.#places);
      if (this.#keptIds.length < KEPT_TEXTS) {
        this.#keptIds = new Int32Array(this.#keptIds.length * 2).fill(NO_TEXT);
        this.#keptTexts = [];
      }
    }
    const size = lengthBytes(end - start) + end - start;
    if (size > this.#mostBytes) this.#mostBytes = size;
    const place = this.#allocate(size);
    const slab = this.#views[place >>> SLAB_BITS]!;
    let at = place & (SLAB_BYTES - 1);
    let length = end - start;
    for (; length >= 0x80; length = Math.floor(length / 128)) {
      slab.setUint8(at++, (length % 128) + 128);
    }
    slab.setUint8(at++, length);
    copyBytes(source, start, end, slab, at);
    this.#places[id] = place;
    this.#uses[id] = 0;
    this.#index.add(hash, id);
    this.#count++;
    return id;
  }

  /** A place of so many bytes. A text larger than a slab gets one of its own. */
  #allocate(size: number): number {
    const reused = this.#freePlaces.get(size)?.pop();
    if (reused !== undefined) return reused;
    const last = this.#slabs.length - 1;
    const room = this.#slabs[last]!.length;
    if (this.#slabUsed + size <= room) {
      this.#slabUsed += size;
      return ((last << SLAB_BITS) | (this.#slabUsed - size)) >>> 0;
    }
    if (last === 0 && room < SLAB_BYTES && size < SLAB_BYTES / 2) {
      const grown = Buffer.alloc(Math.min(SLAB_BYTES, Math.max(room * 2, size * 2)));
      grown.set(this.#slabs[0]!);
      this.#setSlab(0, grown);
      return this.#allocate(size);
    }
    assert(this.#slabs.length < MAX_SLABS, 'more label text than places can name');
    this.#setSlab(this.#slabs.length, Buffer.alloc(Math.max(size, SLAB_BYTES)));
    this.#slabUsed = size;
    return ((this.#slabs.length - 1) << SLAB_BITS) >>> 0;
  }

  #rangeOf(id: number): { readonly slab: Buffer; readonly start: number; readonly end: number } {
    const place = this.#places[id]!;
    const slab = this.#slabs[place >>> SLAB_BITS]!;
    let at = place & (SLAB_BYTES - 1);
    let length = 0;
    let scale = 1;
    while (slab[at]! >= 0x80) {
      length += (slab[at++]! - 128) * scale;
      scale *= 128;
    }
    length += slab[at++]! * scale;
    return { slab, start: at, end: at + length };
  }

  #entryEnd(id: number): number {
    const place = this.#places[id]!;
    const at = place & (SLAB_BYTES - 1);
    const first = this.#slabs[place >>> SLAB_BITS]![at]!;
    return first < 0x80 ? at + 1 + first : this.#rangeOf(id).end;
  }

  /** Writes the text's UTF-8 into the scratch; returns its bytes. */
  #encode(text: string): number {
    if (text.length * 3 > this.#scratch.length) this.#scratch = new Uint8Array(text.length * 6);
    const scratch = this.#scratch;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      if (unit >= 0x80) return encoder.encodeInto(text, scratch).written;
      scratch[i] = unit;
    }
    return text.length;
  }
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

/** Copies `source[from, end)` to `target[to …]`; returns where it ends. */
function copyBytes(
  source: DataView,
  from: number,
  end: number,
  target: DataView,
  to: number,
): number {
  let at = from;
  let next = to;
  for (; at + 4 <= end; at += 4, next += 4) target.setInt32(next, source.getInt32(at));
  for (; at < end; at++) target.setUint8(next++, source.getUint8(at));
  return next;
}

function isAscii(view: DataView, start: number, end: number): boolean {
  let all = 0;
  let i = start;
  for (; i + 4 <= end; i += 4) all |= view.getInt32(i);
  for (; i < end; i++) all |= view.getUint8(i);
  return (all & 0x80808080) === 0;
}

function lengthBytes(length: number): number {
  let bytes = 1;
  for (let rest = length; rest >= 0x80; rest = Math.floor(rest / 128)) bytes++;
  return bytes;
}

function doubled(source: Uint32Array): Uint32Array<ArrayBuffer> {
  const grown = new Uint32Array(source.length * 2);
  grown.set(source);
  return grown;
}
