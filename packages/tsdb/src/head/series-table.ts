import {
  createXorAppendState,
  growXorAppendState,
  resetXorAppend,
  type XorAppendState,
} from '@pollux/kernels';
import { Labels } from '@pollux/model';
import { enlarge, HeadPostings } from './head-postings.ts';
import { Symbols } from './symbols.ts';

const NONE = 0xffffffff;
const REF_PAGE_BITS = 12;
const REF_PAGE_SIZE = 2 ** REF_PAGE_BITS;

/** A row of the table; below its capacity. Rows of removed series are used again. */
export type Slot = number;

/**
 * The series of the head as columns, one row ("slot") a series; no object per series. A reference is never given out
 * twice; a slot is.
 */
export class SeriesTable {
  readonly symbols = new Symbols();
  postings = new HeadPostings();
  /** Open chunk's append state. */
  xor: XorAppendState = createXorAppendState(64);
  /** 0 where the slot is free. */
  refs = new Uint32Array(64);
  /** Time of the newest sample, −Infinity when there is none. */
  maxMs = new Float64Array(64);
  /** Time of the open chunk's first sample, and the time at which it is cut. */
  openMinMs = new Float64Array(64);
  openCutMs = new Float64Array(64);
  openRef = new Uint32Array(64);
  openClass = new Uint8Array(64);
  /** Newest sealed chunk, 0 for none. */
  sealed = new Uint32Array(64);
  /** Samples ever appended, modulo 2^32; what came after a reader's beginning is told by the difference. */
  appended = new Uint32Array(64);
  /** 1 once a series record is in the log. */
  isLogged = new Uint8Array(64);
  /** 1 once a sample was committed and the series is in the postings. */
  isIndexed = new Uint8Array(64);
  /** The newest appender that has a stake in the series; see Head. */
  touchedBy = new Float64Array(64);

  #labelStart = new Uint32Array(64);
  #labelEnd = new Uint32Array(64);
  #labels: Uint32Array = new Uint32Array(1024);
  #labelsUsed = 0;
  #next = 0;
  readonly #free: Slot[] = [];
  #count = 0;
  #lastRef = 0;
  /** Slots by hash of their labels. */
  #table = new Uint32Array(256).fill(NONE);
  #refPages: (Uint32Array | null)[] = [];
  #scratch = new Uint32Array(64);

  /** Live series. */
  get count(): number {
    return this.#count;
  }

  /** Slots are below it. */
  get slotLimit(): number {
    return this.#next;
  }

  get lastRef(): number {
    return this.#lastRef;
  }

  /** The slot of a live series, or −1. */
  slotOf(ref: number): Slot {
    const page = this.#refPages[ref >>> REF_PAGE_BITS];
    if (page === null || page === undefined) return -1;
    return page[ref & (REF_PAGE_SIZE - 1)]! - 1;
  }

  /** The slot of the series with these labels, or −1. */
  find(labels: Labels): Slot {
    const size = this.#intern(labels, false);
    if (size < 0) return -1;
    const slot = this.#table[this.#probe(this.#scratch, 0, size)]!;
    return slot === NONE ? -1 : slot;
  }

  /** Adds a series that is not there yet. `ref` is given when replaying, else the next one is taken. */
  create(labels: Labels, ref = this.#lastRef + 1): Slot {
    const size = this.#intern(labels, true);
    const slot = this.#free.pop() ?? this.#next++;
    if (slot >= this.refs.length) this.#growSlots();
    if ((this.#count + 1) * 2 > this.#table.length) this.#rehash(this.#table.length * 2);
    if (this.#labelsUsed + size > this.#labels.length) {
      this.#labels = enlarge(
        this.#labels,
        Math.max(this.#labels.length * 2, this.#labelsUsed + size),
      );
    }
    this.#labels.set(this.#scratch.subarray(0, size), this.#labelsUsed);
    this.#labelStart[slot] = this.#labelsUsed;
    this.#labelsUsed += size;
    this.#labelEnd[slot] = this.#labelsUsed;
    this.#table[this.#probe(this.#labels, this.#labelStart[slot]!, this.#labelsUsed)] = slot;
    this.#clear(slot);
    this.refs[slot] = ref;
    if (ref > this.#lastRef) this.#lastRef = ref;
    this.#setRef(ref, slot + 1);
    this.#count++;
    return slot;
  }

  /** Puts the series into the postings: from now on it is found. */
  index(slot: Slot): void {
    this.isIndexed[slot] = 1;
    this.postings.add(
      this.refs[slot]!,
      this.#labels,
      this.#labelStart[slot]!,
      this.#labelEnd[slot]!,
    );
  }

  labelsOf(slot: Slot): Labels {
    const flat: string[] = [];
    const end = this.#labelEnd[slot]!;
    for (let i = this.#labelStart[slot]!; i < end; i++) {
      flat.push(this.symbols.text(this.#labels[i]!));
    }
    return Labels.fromSortedFlat(flat);
  }

  /** The value of one label as a symbol, 0 when absent. */
  valueOf(slot: Slot, name: number): number {
    const end = this.#labelEnd[slot]!;
    for (let i = this.#labelStart[slot]!; i < end; i += 2) {
      if (this.#labels[i] === name) return this.#labels[i + 1]!;
    }
    return 0;
  }

  /** Order of two series by their labels; `compare` orders symbol texts. */
  compare(a: Slot, b: Slot, compare: (a: string, b: string) => number): number {
    let i = this.#labelStart[a]!;
    let j = this.#labelStart[b]!;
    const endA = this.#labelEnd[a]!;
    const endB = this.#labelEnd[b]!;
    while (i < endA && j < endB) {
      const x = this.#labels[i++]!;
      const y = this.#labels[j++]!;
      if (x !== y) return compare(this.symbols.text(x), this.symbols.text(y));
    }
    return endA - i - (endB - j);
  }

  /** Frees the row; its chunks have been released. The postings still name it until {@link rebuild}. */
  remove(slot: Slot): void {
    this.#setRef(this.refs[slot]!, 0);
    this.refs[slot] = 0;
    this.#free.push(slot);
    this.#count--;
  }

  /**
   * Rebuilds the label index without the removed series. Runs to its end in one go after `prepare` (see Head): the parts
   * are replaced together.
   */
  rebuild(): void {
    const isUsed = new Uint8Array(this.symbols.limit);
    const labels = new Uint32Array(this.#labels.length);
    let used = 0;
    const order: Slot[] = [];
    for (let slot = 0; slot < this.#next; slot++) if (this.refs[slot] !== 0) order.push(slot);
    order.sort((a, b) => this.refs[a]! - this.refs[b]!);
    this.postings = new HeadPostings();
    this.#table.fill(NONE);
    for (const slot of order) {
      const start = used;
      for (let i = this.#labelStart[slot]!; i < this.#labelEnd[slot]!; i++) {
        isUsed[this.#labels[i]!] = 1;
        labels[used++] = this.#labels[i]!;
      }
      this.#labelStart[slot] = start;
      this.#labelEnd[slot] = used;
    }
    this.#labels = labels;
    this.#labelsUsed = used;
    for (const slot of order) {
      this.#table[this.#probe(labels, this.#labelStart[slot]!, this.#labelEnd[slot]!)] = slot;
      if (this.isIndexed[slot] === 1) this.index(slot);
    }
    this.symbols.retain((id) => isUsed[id] === 1);
    for (const [index, page] of this.#refPages.entries()) {
      if (page?.every((entry) => entry === 0)) this.#refPages[index] = null;
    }
  }

  #clear(slot: Slot): void {
    resetXorAppend(this.xor, slot);
    this.maxMs[slot] = Number.NEGATIVE_INFINITY;
    this.openRef[slot] = 0;
    this.sealed[slot] = 0;
    this.appended[slot] = 0;
    this.isLogged[slot] = 0;
    this.isIndexed[slot] = 0;
    this.touchedBy[slot] = 0;
  }

  /** Writes the labels' symbols into the scratch; −1 when one is unknown and `create` is false. */
  #intern(labels: Labels, create: boolean): number {
    const size = labels.size * 2;
    if (size > this.#scratch.length) this.#scratch = new Uint32Array(size * 2);
    for (let i = 0; i < labels.size; i++) {
      const name = create
        ? this.symbols.intern(labels.nameAt(i))
        : this.symbols.find(labels.nameAt(i));
      const value = create
        ? this.symbols.intern(labels.valueAt(i))
        : this.symbols.find(labels.valueAt(i));
      if (name < 0 || value < 0) return -1;
      this.#scratch[i * 2] = name;
      this.#scratch[i * 2 + 1] = value;
    }
    return size;
  }

  /** The table's place of the series with these symbols, or the free place where it belongs. */
  #probe(symbols: Uint32Array, start: number, end: number): number {
    const mask = this.#table.length - 1;
    let hash = 0x811c9dc5;
    for (let i = start; i < end; i++)
      hash = Math.imul(hash ^ symbols[i]!, 0x9e3779b1) ^ (hash >>> 15);
    let at = (hash ^ (hash >>> 13)) & mask;
    for (;;) {
      const slot = this.#table[at]!;
      if (slot === NONE) return at;
      if (this.#hasSymbols(slot, symbols, start, end)) return at;
      at = (at + 1) & mask;
    }
  }

  /** A removed series stays in the table until the rebuild, but matches nothing. */
  #hasSymbols(slot: Slot, symbols: Uint32Array, start: number, end: number): boolean {
    if (this.refs[slot] === 0) return false;
    const from = this.#labelStart[slot]!;
    if (this.#labelEnd[slot]! - from !== end - start) return false;
    for (let i = 0; i < end - start; i++) {
      if (this.#labels[from + i] !== symbols[start + i]) return false;
    }
    return true;
  }

  #rehash(size: number): void {
    const old = this.#table;
    this.#table = new Uint32Array(size).fill(NONE);
    for (const slot of old) {
      if (slot === NONE || this.refs[slot] === 0) continue;
      this.#table[this.#probe(this.#labels, this.#labelStart[slot]!, this.#labelEnd[slot]!)] = slot;
    }
  }

  #setRef(ref: number, entry: number): void {
    const index = ref >>> REF_PAGE_BITS;
    let page = this.#refPages[index];
    if (page === undefined || page === null) {
      page = new Uint32Array(REF_PAGE_SIZE);
      while (this.#refPages.length < index) this.#refPages.push(null);
      this.#refPages[index] = page;
    }
    page[ref & (REF_PAGE_SIZE - 1)] = entry;
  }

  #growSlots(): void {
    const size = this.refs.length * 2;
    this.xor = growXorAppendState(this.xor, size);
    this.refs = enlarge(this.refs, size);
    this.openRef = enlarge(this.openRef, size);
    this.sealed = enlarge(this.sealed, size);
    this.appended = enlarge(this.appended, size);
    this.#labelStart = enlarge(this.#labelStart, size);
    this.#labelEnd = enlarge(this.#labelEnd, size);
    this.maxMs = enlargeDoubles(this.maxMs, size);
    this.openMinMs = enlargeDoubles(this.openMinMs, size);
    this.openCutMs = enlargeDoubles(this.openCutMs, size);
    this.touchedBy = enlargeDoubles(this.touchedBy, size);
    this.openClass = enlargeBytes(this.openClass, size);
    this.isLogged = enlargeBytes(this.isLogged, size);
    this.isIndexed = enlargeBytes(this.isIndexed, size);
  }
}

function enlargeDoubles(source: Float64Array, size: number): Float64Array<ArrayBuffer> {
  const grown = new Float64Array(size);
  grown.set(source);
  return grown;
}

function enlargeBytes(source: Uint8Array, size: number): Uint8Array<ArrayBuffer> {
  const grown = new Uint8Array(size);
  grown.set(source);
  return grown;
}
