import { RECORD } from '../format/wal-record.ts';
import type { SeriesTable, Slot } from './series-table.ts';

/** In `SeriesTable.isLogged` of a series whose record is being written. */
const BEING_LOGGED = 2;
/** Reference, number of labels (a uvarint below 2^35). */
const FIXED_BYTES = 13;

/**
 * Makes the log record of the series of one batch that have none yet, straight from the bytes of their symbols. Begin,
 * add, write the record, then tell by {@link settle} whether the log has it; nothing else may happen between.
 */
export class SeriesRecords {
  readonly #table: SeriesTable;
  #bytes = new Uint8Array(64 * 1024);
  #view = new DataView(this.#bytes.buffer);
  #size = 0;
  readonly #slots: Slot[] = [];

  constructor(table: SeriesTable) {
    this.#table = table;
  }

  get count(): number {
    return this.#slots.length;
  }

  begin(): void {
    this.#slots.length = 0;
    this.#bytes[0] = RECORD.series;
    this.#size = 1;
  }

  /** Adds the series unless the log has it or it was added already. */
  add(slot: Slot): void {
    const { isLogged, refs, symbols, keys } = this.#table;
    if (isLogged[slot] !== 0) return;
    isLogged[slot] = BEING_LOGGED;
    this.#slots.push(slot);
    const items = keys.itemsOf(slot);
    const start = keys.startOf(slot);
    const end = start + keys.sizeOf(slot);
    // Bytes are counted only where the longest texts would not fit.
    if (this.#size + FIXED_BYTES + (end - start) * symbols.mostWrittenBytes > this.#bytes.length) {
      let bytes = FIXED_BYTES;
      for (let i = start; i < end; i++) bytes += symbols.writtenBytes(items[i]!);
      this.#reserve(bytes);
    }
    const target = this.#bytes;
    let at = writeRef(target, this.#size, refs[slot]!);
    at = writeUvarint(target, at, keys.sizeOf(slot) / 2);
    const view = this.#view;
    for (let i = start; i < end; i++) at = symbols.write(items[i]!, view, at);
    this.#size = at;
  }

  /** The record; lent until the next {@link begin}. */
  record(): Uint8Array {
    return this.#bytes.subarray(0, this.#size);
  }

  settle(isWritten: boolean): void {
    const { isLogged } = this.#table;
    for (const slot of this.#slots) isLogged[slot] = isWritten ? 1 : 0;
    this.#slots.length = 0;
  }

  #reserve(bytes: number): void {
    const needed = this.#size + bytes;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#size));
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}

/** 64 bits, big-endian; the reference is below 2^32. */
function writeRef(target: Uint8Array, start: number, ref: number): number {
  for (let i = 0; i < 4; i++) target[start + i] = 0;
  target[start + 4] = ref >>> 24;
  target[start + 5] = ref >>> 16;
  target[start + 6] = ref >>> 8;
  target[start + 7] = ref;
  return start + 8;
}

function writeUvarint(target: Uint8Array, start: number, value: number): number {
  let at = start;
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) target[at++] = (rest % 128) + 128;
  target[at++] = rest;
  return at;
}
