import { NumberMap, U32List } from '@pollux/index';
import type { ColumnRef } from '../catalogue.ts';

/** Where a chunk lies, and the times of its rows. */
export type ChunkPlace = {
  readonly page: number;
  readonly offset: number;
  readonly length: number;
  readonly rows: number;
  readonly minMs: number;
  readonly maxMs: number;
};

const MAX_U32 = 0xffffffff;

/**
 * Which chunks of a data file hold which columns, in typed arrays: 12 bytes a column and 24 a chunk. Times are whole seconds
 * from a base, rounded outwards, and without end where they do not fit: they only tell which chunks need not be read.
 */
export class FileIndex {
  readonly #baseMs: number;
  /** Column → its place in the two lists below + 1. */
  readonly #entries = new NumberMap();
  readonly #columns = new U32List();
  readonly #firstChunk = new U32List();
  readonly #pages = new U32List();
  readonly #offsets = new U32List();
  readonly #lengths = new U32List();
  readonly #rows = new U32List();
  readonly #minSeconds = new U32List();
  readonly #maxSeconds = new U32List();

  #oldestMs = Number.POSITIVE_INFINITY;
  #newestMs = Number.NEGATIVE_INFINITY;

  constructor(baseMs: number) {
    this.#baseMs = baseMs;
  }

  /** Time of the first row; infinite when there is none. */
  get oldestMs(): number {
    return this.#oldestMs;
  }

  /** Time of the last row, in whole milliseconds; −∞ when there is none. */
  get newestMs(): number {
    return this.#newestMs;
  }

  get columnCount(): number {
    return this.#columns.length;
  }

  /** The columns in the order of the file. */
  columnAt(index: number): ColumnRef {
    return this.#columns.at(index);
  }

  has(column: ColumnRef): boolean {
    return this.#entries.get(column) !== 0;
  }

  /** Begins a column; its chunks follow. */
  addColumn(column: ColumnRef): void {
    this.#entries.set(column, this.#columns.push(column) + 1);
    this.#firstChunk.push(this.#pages.length);
  }

  addChunk({ page, offset, length, rows, minMs, maxMs }: ChunkPlace): void {
    this.#oldestMs = Math.min(this.#oldestMs, minMs);
    this.#newestMs = Math.max(this.#newestMs, maxMs);
    this.#pages.push(page);
    this.#offsets.push(offset);
    this.#lengths.push(length);
    this.#rows.push(rows);
    this.#minSeconds.push(clamped(Math.floor((minMs - this.#baseMs) / 1000)));
    this.#maxSeconds.push(clamped(Math.ceil((maxMs - this.#baseMs) / 1000)));
  }

  /** First chunk of the column and the one behind its last; both 0 when it has none. */
  chunksOf(column: ColumnRef): readonly [first: number, end: number] {
    const entry = this.#entries.get(column);
    if (entry === 0) return [0, 0];
    const isLast = entry === this.#columns.length;
    return [
      this.#firstChunk.at(entry - 1),
      isLast ? this.#pages.length : this.#firstChunk.at(entry),
    ];
  }

  touches(chunk: number, minMs: number, maxMs: number): boolean {
    const from = this.#minSeconds.at(chunk);
    const to = this.#maxSeconds.at(chunk);
    if (from !== 0 && this.#baseMs + from * 1000 > maxMs) return false;
    return to === MAX_U32 || this.#baseMs + to * 1000 >= minMs;
  }

  pageOf(chunk: number): number {
    return this.#pages.at(chunk);
  }

  offsetOf(chunk: number): number {
    return this.#offsets.at(chunk);
  }

  lengthOf(chunk: number): number {
    return this.#lengths.at(chunk);
  }

  rowsOf(chunk: number): number {
    return this.#rows.at(chunk);
  }
}

function clamped(seconds: number): number {
  return Math.min(MAX_U32, Math.max(0, seconds));
}
