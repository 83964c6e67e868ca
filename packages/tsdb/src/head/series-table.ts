import {
  createXorAppendState,
  growXorAppendState,
  resetXorAppend,
  type XorAppendState,
} from '@pollux/kernels';
import { Labels } from '@pollux/model';
import type { Slices } from '../slices.ts';
import { enlarge, HeadPostings } from './head-postings.ts';
import { RefTable } from './ref-table.ts';
import { Symbols } from './symbols.ts';

/** Entries of the hash table that are no slot. */
const NONE = 0xffffffff;
const REMOVED = 0xfffffffe;

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
  /** Starts of label ranges of removed series, by length. */
  readonly #freeLabels = new Map<number, number[]>();
  /** The postings that are being rebuilt. */
  #nextPostings: HeadPostings | null = null;
  #next = 0;
  readonly #free: Slot[] = [];
  #count = 0;
  #lastRef = 0;
  /** Slots by hash of their labels. */
  #table = new Uint32Array(256).fill(NONE);
  /** Entries of the table that are not NONE. */
  #tableUsed = 0;
  /** Slot + 1 by reference. */
  readonly #slots = new RefTable();
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

  /** References up to this one are not given out any more: the log may name them. */
  reserveRef(ref: number): void {
    if (ref > this.#lastRef) this.#lastRef = ref;
  }

  /** The slot of a live series, or −1. */
  slotOf(ref: number): Slot {
    return this.#slots.get(ref) - 1;
  }

  /** The slot of the series with these labels, or −1. */
  find(labels: Labels): Slot {
    const size = this.#findSymbols(labels);
    return size < 0 ? -1 : this.findSymbols(this.#scratch, size);
  }

  /** As {@link find}, by labels in UTF-8 as {@link Appender.seriesOfUtf8} takes them. */
  findUtf8(data: Uint8Array, spans: Uint32Array, count: number): Slot {
    const size = count * 2;
    this.#growScratch(size);
    for (let i = 0; i < size; i++) {
      const symbol = this.symbols.findBytes(data, spans[i * 2]!, spans[i * 2 + 1]!);
      if (symbol < 0) return -1;
      this.#scratch[i] = symbol;
    }
    return this.findSymbols(this.#scratch, size);
  }

  /** As {@link find}, by `size` symbols: name, value, name, value … in the order of the names. */
  findSymbols(symbols: Uint32Array, size: number): Slot {
    const slot = this.#table[this.#probe(symbols, 0, size)]!;
    return slot === NONE ? -1 : slot;
  }

  /** Adds a series that is not there yet. `ref` is given when replaying, else the next one is taken. */
  create(labels: Labels, ref = this.#lastRef + 1): Slot {
    const size = labels.size * 2;
    this.#growScratch(size);
    for (let i = 0; i < labels.size; i++) {
      this.#scratch[i * 2] = this.symbols.idOf(labels.nameAt(i));
      this.#scratch[i * 2 + 1] = this.symbols.idOf(labels.valueAt(i));
    }
    return this.createFromSymbols(this.#scratch, size, ref);
  }

  /** As {@link create}, by the symbols that {@link findSymbols} takes. */
  createFromSymbols(symbols: Uint32Array, size: number, ref = this.#lastRef + 1): Slot {
    const slot = this.#free.pop() ?? this.#next++;
    if (slot >= this.refs.length) this.#growSlots();
    const start = this.#allocateLabels(size);
    for (let i = 0; i < size; i++) {
      this.#labels[start + i] = symbols[i]!;
      this.symbols.retain(symbols[i]!);
    }
    this.#labelStart[slot] = start;
    this.#labelEnd[slot] = start + size;
    if ((this.#tableUsed + 1) * 2 > this.#table.length) this.#rehash();
    this.#table[this.#probe(this.#labels, start, start + size)] = slot;
    this.#tableUsed++;
    this.#clear(slot);
    this.refs[slot] = ref;
    if (ref > this.#lastRef) this.#lastRef = ref;
    this.#slots.set(ref, slot + 1);
    this.#count++;
    return slot;
  }

  /** Puts the series into the postings: from now on it is found. */
  index(slot: Slot): void {
    this.isIndexed[slot] = 1;
    this.#addTo(this.postings, slot);
    if (this.#nextPostings !== null) this.#addTo(this.#nextPostings, slot);
  }

  labelsOf(slot: Slot): Labels {
    const flat: string[] = [];
    const end = this.#labelEnd[slot]!;
    for (let i = this.#labelStart[slot]!; i < end; i++) {
      flat.push(this.symbols.text(this.#labels[i]!));
    }
    return Labels.fromSortedFlat(flat);
  }

  /** Symbols of the labels, name, value, name, value …; lent until the next change. */
  labelSymbols(slot: Slot): Uint32Array {
    return this.#labels.subarray(this.#labelStart[slot]!, this.#labelEnd[slot]!);
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

  /** Frees the row, whose chunks have been released. Postings name the reference until {@link rebuildPostings}. */
  remove(slot: Slot): void {
    const start = this.#labelStart[slot]!;
    const end = this.#labelEnd[slot]!;
    this.#table[this.#probe(this.#labels, start, end)] = REMOVED;
    for (let i = start; i < end; i++) this.symbols.drop(this.#labels[i]!);
    const free = this.#freeLabels.get(end - start);
    if (free === undefined) this.#freeLabels.set(end - start, [start]);
    else free.push(start);
    this.#slots.delete(this.refs[slot]!);
    this.refs[slot] = 0;
    this.#free.push(slot);
    this.#count--;
  }

  /** Leaves the removed series out of the postings. Yields between slices; the old ones answer until the new are ready. */
  async rebuildPostings(slices: Slices): Promise<void> {
    const next = new HeadPostings(this.postings.pairCount);
    const refs = this.postings.all().slice();
    this.#nextPostings = next;
    for (let i = 0; i < refs.length; i++) {
      const slot = this.slotOf(refs[i]!);
      if (slot >= 0) this.#addTo(next, slot);
      if (i % 256 === 0 && slices.isOver) await slices.pause();
    }
    this.postings = next;
    this.#nextPostings = null;
    // The old postings named symbols of removed series; nothing does any more.
    await this.symbols.releaseUnused(slices);
  }

  #addTo(postings: HeadPostings, slot: Slot): void {
    const start = this.#labelStart[slot]!;
    postings.add(this.refs[slot]!, this.#labels, start, this.#labelEnd[slot]!);
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

  /** Writes the labels' symbols into the scratch; −1 when one is unknown. */
  #findSymbols(labels: Labels): number {
    const size = labels.size * 2;
    this.#growScratch(size);
    for (let i = 0; i < labels.size; i++) {
      const name = this.symbols.find(labels.nameAt(i));
      const value = this.symbols.find(labels.valueAt(i));
      if (name < 0 || value < 0) return -1;
      this.#scratch[i * 2] = name;
      this.#scratch[i * 2 + 1] = value;
    }
    return size;
  }

  #growScratch(size: number): void {
    if (size > this.#scratch.length) this.#scratch = new Uint32Array(size * 2);
  }

  #allocateLabels(size: number): number {
    const reused = this.#freeLabels.get(size)?.pop();
    if (reused !== undefined) return reused;
    const start = this.#labelsUsed;
    if (start + size > this.#labels.length) {
      this.#labels = enlarge(this.#labels, Math.max(this.#labels.length * 2, start + size));
    }
    this.#labelsUsed = start + size;
    return start;
  }

  /** The table's place of the series with these symbols, or the free place where it belongs. */
  #probe(symbols: Uint32Array, start: number, end: number): number {
    const mask = this.#table.length - 1;
    let hash = 0x811c9dc5;
    for (let i = start; i < end; i++) {
      hash = Math.imul(hash ^ symbols[i]!, 0x9e3779b1) ^ (hash >>> 15);
    }
    let at = (hash ^ (hash >>> 13)) & mask;
    for (;;) {
      const slot = this.#table[at]!;
      if (slot === NONE) return at;
      if (slot !== REMOVED && this.#hasSymbols(slot, symbols, start, end)) return at;
      at = (at + 1) & mask;
    }
  }

  #hasSymbols(slot: Slot, symbols: Uint32Array, start: number, end: number): boolean {
    const from = this.#labelStart[slot]!;
    if (this.#labelEnd[slot]! - from !== end - start) return false;
    for (let i = 0; i < end - start; i++) {
      if (this.#labels[from + i] !== symbols[start + i]) return false;
    }
    return true;
  }

  /** Makes room, at most a quarter full, and drops the marks of removed series. */
  #rehash(): void {
    const old = this.#table;
    let size = 256;
    while (size < (this.#count + 1) * 4) size *= 2;
    this.#table = new Uint32Array(size).fill(NONE);
    this.#tableUsed = 0;
    for (const slot of old) {
      if (slot === NONE || slot === REMOVED) continue;
      this.#table[this.#probe(this.#labels, this.#labelStart[slot]!, this.#labelEnd[slot]!)] = slot;
      this.#tableUsed++;
    }
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
