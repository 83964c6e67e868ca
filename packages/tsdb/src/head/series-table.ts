import { isUtf8 } from 'node:buffer';
import {
  enlarge,
  type HashKey,
  hashWords,
  KeyTable,
  LabelPostings,
  NumberMap,
  Symbols,
} from '@pollux/index';
import {
  createXor2AppendState,
  createXorAppendState,
  growXor2AppendState,
  growXorAppendState,
  resetXorAppend,
  type Xor2AppendState,
  type XorAppendState,
} from '@pollux/kernels';
import { Labels } from '@pollux/model';
import type { Slices } from '../slices.ts';
import { LabelBytes } from './label-bytes.ts';

/** In place of the number of a text that has none. */
const UNKNOWN = 0xffffffff;

/** Some milliseconds of work. */
const INDEXED_AT_ONCE = 65_536;

/** A row of the table; below its capacity. Rows of removed series are used again. */
export type Slot = number;

/**
 * The series of the head as columns, one row ("slot") a series; no object per series. A reference is never given out
 * twice; a slot is.
 */
export class SeriesTable {
  readonly symbols: Symbols;
  /** Labels by slot. */
  readonly keys: KeyTable;
  /** For callers that have label sets as strings. */
  readonly labelBytes = new LabelBytes();
  postings = new LabelPostings({ keepsAll: true });
  /** 0 where the slot is free. */
  refs = new Uint32Array(64);
  /** Time of the newest sample, −Infinity when there is none. */
  maxMs = new Float64Array(64);
  /** Open chunk's append state. The time of its last sample, where it has one, is that of the series' newest. */
  xor: XorAppendState = createXorAppendState(64, this.maxMs);
  /** What open chunks of floats that keep start timestamps have besides; null where none are kept. */
  starts: Xor2AppendState | null;
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

  /** The postings that are being rebuilt. */
  #nextPostings: LabelPostings | null = null;
  #next = 0;
  readonly #free: Slot[] = [];
  /** Changes when a series is removed, and before numbers of texts become others'. */
  removals = 0;
  #count = 0;
  #lastRef = 0;
  /** Slot + 1 by reference. */
  readonly #slots = new NumberMap();
  /** Symbols of the labels that were looked for last. */
  #scratch = new Uint32Array(64);
  /** Their hash, if all had one. */
  #hash = 0;
  #isHashed = false;
  readonly #key: HashKey;

  constructor(key: HashKey, hasStartTimes = false) {
    this.#key = key;
    this.starts = hasStartTimes ? createXor2AppendState(64) : null;
    this.symbols = new Symbols(key);
    this.keys = new KeyTable(key);
  }

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

  /** Makes room for so many series and texts at once: growing by and by would move them several times. */
  expect(seriesCount: number, symbolCount: number): void {
    this.symbols.expect(symbolCount);
    this.keys.expect(seriesCount);
    if (seriesCount > this.refs.length) this.#growSlots(seriesCount);
  }

  /** The slot of a live series, or −1. */
  slotOf(ref: number): Slot {
    return this.#slots.get(ref) - 1;
  }

  /** The slot of the series with these labels, or −1. */
  find(labels: Labels): Slot {
    this.labelBytes.set(labels);
    return this.findUtf8(this.labelBytes.data, this.labelBytes.spans, labels.size);
  }

  /** As {@link find}, by labels in UTF-8 as `Appender.seriesOfUtf8` takes them. */
  findUtf8(data: Uint8Array, spans: Uint32Array, count: number): Slot {
    const { symbols } = this;
    const size = count * 2;
    this.#growScratch(size);
    const scratch = this.#scratch;
    let isKnown = true;
    for (let i = 0; i < size; i++) {
      const start = spans[i * 2]!;
      const end = spans[i * 2 + 1]!;
      // Series that come together mostly share names and some values, at the same place.
      let symbol = scratch[i]!;
      if (symbol === UNKNOWN || !symbols.isText(symbol, data, start, end)) {
        symbol = symbols.findBytes(data, start, end);
        if (symbol < 0) isKnown = false;
        scratch[i] = symbol < 0 ? UNKNOWN : symbol;
      }
    }
    this.#isHashed = isKnown;
    if (!isKnown) return -1;
    this.#hash = hashWords(scratch, 0, size, this.#key);
    return this.keys.findHashed(scratch, size, this.#hash);
  }

  /** Adds the series that the {@link findUtf8} just before has not found. */
  createUtf8(data: Uint8Array, spans: Uint32Array, count: number): Slot {
    const size = count * 2;
    const scratch = this.#scratch;
    if (!this.#isHashed) {
      for (let i = 0; i < size; i++) {
        if (scratch[i] !== UNKNOWN) continue;
        scratch[i] = this.symbols.idOfBytes(data, spans[i * 2]!, spans[i * 2 + 1]!);
      }
      this.#hash = hashWords(scratch, 0, size, this.#key);
    }
    return this.#create(scratch, size, this.#hash, this.#lastRef + 1);
  }

  /** Whether the texts that {@link findUtf8} has just not found are UTF-8; what was found is. */
  isSoughtUtf8(data: Uint8Array, spans: Uint32Array, count: number): boolean {
    for (let i = 0; i < count * 2; i++) {
      if (this.#scratch[i] !== UNKNOWN) continue;
      if (!isUtf8(data.subarray(spans[i * 2]!, spans[i * 2 + 1]!))) return false;
    }
    return true;
  }

  /**
   * Of the labels that {@link findUtf8} has looked for: the value of the name as a symbol, 0 when absent, −1 when no series
   * has the value.
   */
  soughtValue(name: number, count: number): number {
    const scratch = this.#scratch;
    for (let i = 0; i < count * 2; i += 2) {
      if (scratch[i] === name) return scratch[i + 1] === UNKNOWN ? -1 : scratch[i + 1]!;
    }
    return 0;
  }

  /**
   * The slot of the series with these `size` symbols, name, value, name, value … in the order of the names; it is added when it is
   * not there, with `ref` when replaying, else with the next reference.
   */
  slotOfSymbols(symbols: Uint32Array, size: number, ref = this.#lastRef + 1): Slot {
    const hash = hashWords(symbols, 0, size, this.#key);
    const known = this.keys.findHashed(symbols, size, hash);
    return known >= 0 ? known : this.#create(symbols, size, hash, ref);
  }

  #create(symbols: Uint32Array, size: number, hash: number, ref: number): Slot {
    const slot = this.#free.pop() ?? this.#next++;
    this.keys.add(slot, symbols, size, hash);
    this.#occupy(slot, symbols, size, ref);
    return slot;
  }

  /**
   * Adds a series that is not there, by the symbols that {@link slotOfSymbols} takes, to a head that no series was removed from.
   * It is only found by its labels after {@link indexRestored}.
   */
  restore(symbols: Uint32Array, size: number, ref: number): Slot {
    const slot = this.#next++;
    this.keys.put(slot, symbols, size);
    this.#occupy(slot, symbols, size, ref);
    return slot;
  }

  /** To be called behind the last {@link restore}. Yields between slices. */
  async indexRestored(from: Slot, slices: Slices): Promise<void> {
    for (let slot = from; slot < this.#next; slot += INDEXED_AT_ONCE) {
      this.keys.indexRows(slot, Math.min(this.#next, slot + INDEXED_AT_ONCE));
      if (slices.isOver) await slices.pause();
    }
  }

  #occupy(slot: Slot, symbols: Uint32Array, size: number, ref: number): void {
    if (slot >= this.refs.length) this.#growSlots(this.refs.length * 2);
    for (let i = 0; i < size; i++) this.symbols.retain(symbols[i]!);
    this.#clear(slot);
    this.refs[slot] = ref;
    if (ref > this.#lastRef) this.#lastRef = ref;
    this.#slots.set(ref, slot + 1);
    this.#count++;
  }

  /** Puts the series into the postings: from now on it is found. */
  index(slot: Slot): void {
    this.isIndexed[slot] = 1;
    this.#addTo(this.postings, slot);
    if (this.#nextPostings !== null) this.#addTo(this.#nextPostings, slot);
  }

  labelsOf(slot: Slot): Labels {
    const start = this.keys.startOf(slot);
    const size = this.keys.sizeOf(slot);
    const items = this.keys.itemsOf(slot);
    const flat = new Array<string>(size);
    for (let i = 0; i < size; i++) flat[i] = this.symbols.text(items[start + i]!);
    return Labels.fromSortedFlat(flat);
  }

  /** Symbols of the labels, name, value, name, value …; lent until the next change. */
  labelSymbols(slot: Slot): Uint32Array {
    return this.keys.keyOf(slot);
  }

  /** The value of one label as a symbol, 0 when absent. */
  valueOf(slot: Slot, name: number): number {
    const items = this.keys.itemsOf(slot);
    const start = this.keys.startOf(slot);
    const end = start + this.keys.sizeOf(slot);
    for (let i = start; i < end; i += 2) if (items[i] === name) return items[i + 1]!;
    return 0;
  }

  /** Order of two series by their labels. */
  compare(a: Slot, b: Slot): number {
    const keyA = this.keys.keyOf(a);
    const keyB = this.keys.keyOf(b);
    const shared = Math.min(keyA.length, keyB.length);
    for (let i = 0; i < shared; i++) {
      if (keyA[i] !== keyB[i]) return this.symbols.compare(keyA[i]!, keyB[i]!);
    }
    return keyA.length - keyB.length;
  }

  /** Frees the row, whose chunks have been released. Postings name the reference until {@link rebuildPostings}. */
  remove(slot: Slot): void {
    for (const symbol of this.labelSymbols(slot)) this.symbols.drop(symbol);
    this.keys.remove(slot);
    this.#slots.delete(this.refs[slot]!);
    this.refs[slot] = 0;
    this.#free.push(slot);
    this.#count--;
    this.removals++;
  }

  /** Leaves the removed series out of the postings. Yields between slices; the old ones answer until the new are ready. */
  async rebuildPostings(slices: Slices): Promise<void> {
    const next = new LabelPostings({ keepsAll: true, expectedPairs: this.postings.pairCount });
    const refs = this.postings.all().slice();
    this.#nextPostings = next;
    for (let i = 0; i < refs.length; i++) {
      const slot = this.slotOf(refs[i]!);
      if (slot >= 0) this.#addTo(next, slot);
      if (i % 256 === 0 && slices.isOver) await slices.pause();
    }
    this.postings = next;
    this.#nextPostings = null;
    this.removals++;
    // The old postings named symbols of removed series; nothing does any more.
    await this.symbols.releaseUnused(slices);
  }

  #addTo(postings: LabelPostings, slot: Slot): void {
    const start = this.keys.startOf(slot);
    const end = start + this.keys.sizeOf(slot);
    postings.add(this.refs[slot]!, this.keys.itemsOf(slot), start, end);
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

  #growScratch(size: number): void {
    if (size > this.#scratch.length) this.#scratch = new Uint32Array(size * 2);
  }

  #growSlots(size: number): void {
    this.refs = enlarge(this.refs, size);
    this.openRef = enlarge(this.openRef, size);
    this.sealed = enlarge(this.sealed, size);
    this.appended = enlarge(this.appended, size);
    this.maxMs = enlargeDoubles(this.maxMs, size);
    this.xor = growXorAppendState(this.xor, size, this.maxMs);
    if (this.starts !== null) this.starts = growXor2AppendState(this.starts, size);
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
