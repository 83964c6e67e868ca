import { wordsOf } from '@pollux/model';
import type { ColumnData, FieldKind } from '@pollux/storage';
import { mergeColumns } from './column-data.ts';
import { type ColumnSpace, OWN_ARRAYS } from './column-space.ts';

/**
 * A slab is one buffer of 160 KiB: above the size from which the allocator maps memory of its own and gives it back when the
 * memtable goes, and touched page by page as rows come. Slabs of smaller buffers left holes between longer-lived ones: measured
 * on a store under 1 s scrapes, its resident memory grew by 1 to 2 % with each flush.
 */
const SLAB_ROWS = 8_192;
const ROW_BYTES = 20;
const NANOS_BYTES = 4;

type Slab = {
  readonly timesMs: Float64Array;
  readonly words: Uint32Array;
  /** Row number + 1 of the column's previous row; 0 ends the chain. */
  readonly previous: Uint32Array;
  /** Null while every time in the slab is a whole millisecond. */
  nanos: Int32Array | null;
};

/** A column whose cells are no texts. */
export type NumberColumn = { readonly column: number; readonly kind: Exclude<FieldKind, 'string'> };

/**
 * What was written since the last flush: rows in order of arrival in slabs, chained backwards per column. A column costs four
 * bytes however few rows it has, which matters because scrapes write one row to each of very many columns.
 */
export class Memtable {
  readonly #slabs: Slab[] = [];
  #rows = 0;
  #visibleRows = 0;
  #heads = new Uint32Array(256);
  readonly #texts: string[] = [];
  #textBytes = 0;
  #nanosSlabs = 0;

  get rows(): number {
    return this.#rows;
  }

  /** Rows that readers may see: those appended before the last {@link publish}. */
  get visibleRows(): number {
    return this.#visibleRows;
  }

  /** Lets readers see what was appended so far. */
  publish(): void {
    this.#visibleRows = this.#rows;
  }

  /** Estimated bytes held. */
  get bytes(): number {
    const nanosBytes = this.#nanosSlabs * SLAB_ROWS * NANOS_BYTES;
    return this.#rows * ROW_BYTES + nanosBytes + this.#textBytes + this.#heads.length * 4;
  }

  has(column: number): boolean {
    return column < this.#heads.length && this.#heads[column] !== 0;
  }

  /** `low` and `high` are the 32-bit halves of the cell; for a string the cell comes from {@link addText}. */
  append(column: number, ms: number, nanos: number, low: number, high: number): void {
    const index = this.#rows % SLAB_ROWS;
    if (index === 0) this.#slabs.push(newSlab());
    const slab = this.#slabs[this.#slabs.length - 1]!;
    slab.timesMs[index] = ms;
    slab.words[index * 2] = low;
    slab.words[index * 2 + 1] = high;
    if (nanos !== 0) {
      if (slab.nanos === null) {
        slab.nanos = new Int32Array(SLAB_ROWS);
        this.#nanosSlabs++;
      }
      slab.nanos[index] = nanos;
    }
    if (column >= this.#heads.length) this.#grow(column);
    slab.previous[index] = this.#heads[column]!;
    this.#rows++;
    this.#heads[column] = this.#rows;
  }

  /** Keeps a text; the returned index, as a double, is the cell. */
  addText(text: string): number {
    this.#textBytes += text.length * 2 + 16;
    return this.#texts.push(text) - 1;
  }

  /** Whether the column has one of the first `limit` rows in these milliseconds. */
  touches(column: number, limit: number, minMs: number, maxMs: number): boolean {
    if (!this.has(column)) return false;
    for (let row = this.#heads[column]!; row !== 0; row = this.#previous(row)) {
      if (row > limit) continue;
      const ms = this.#slabs[Math.floor((row - 1) / SLAB_ROWS)]!.timesMs[(row - 1) % SLAB_ROWS]!;
      if (ms >= minMs && ms <= maxMs) return true;
    }
    return false;
  }

  /** The column's rows among the first `limit`, sorted, last write winning; null when it has none. */
  read(
    column: number,
    kind: FieldKind,
    limit: number,
    space: ColumnSpace = OWN_ARRAYS,
  ): ColumnData | null {
    if (!this.has(column)) return null;
    let newest = this.#heads[column]!;
    // Row numbers + 1 fall along the chain.
    while (newest > limit) newest = this.#previous(newest);
    if (newest === 0) return null;
    let count = 0;
    for (let row = newest; row !== 0; row = this.#previous(row)) count++;
    const timesMs = space.floats(count);
    const cells = space.floats(count);
    const words = wordsOf(cells);
    let nanos: Int32Array | null = null;
    let at = count - 1;
    for (let row = newest; row !== 0; at--) {
      const slab = this.#slabs[Math.floor((row - 1) / SLAB_ROWS)]!;
      const index = (row - 1) % SLAB_ROWS;
      timesMs[at] = slab.timesMs[index]!;
      words[at * 2] = slab.words[index * 2]!;
      words[at * 2 + 1] = slab.words[index * 2 + 1]!;
      const rest = slab.nanos === null ? 0 : slab.nanos[index]!;
      if (rest !== 0) {
        nanos ??= space.integers(count);
        nanos[at] = rest;
      }
      row = slab.previous[index]!;
    }
    const texts = kind === 'string' ? this.#pickTexts(cells) : null;
    return mergeColumns(kind, [{ kind, count, timesMs, nanos, cells, texts }], space);
  }

  /**
   * As {@link read}, of many columns of numbers in one pass from the newest slab to the oldest: their rows lie between each other, so one
   * column after the other fetches the same memory again and again (163 ns a row, in one pass 22, by the benchmark beside this).
   * Columns without rows are null; those behind the first that would make it more than `mostRows` are left out.
   */
  readMany(
    columns: readonly NumberColumn[],
    limit: number,
    mostRows: number,
  ): Map<number, ColumnData | null> {
    const newest = this.#newestRows(columns, limit);
    const { counts, rows, taken } = this.#countRows(newest, mostRows);
    const timesMs = new Float64Array(rows);
    const words = new Uint32Array(rows * 2);
    const nanos = this.#nanosSlabs > 0 ? new Int32Array(rows) : null;
    const hasNanos = new Uint8Array(taken);
    // Rows come newest first, so each column is filled from its end.
    const ends = new Uint32Array(taken);
    let end = 0;
    for (let i = 0; i < taken; i++) {
      end += counts[i]!;
      ends[i] = end;
    }
    const next = ends.slice();
    for (let number = this.#slabs.length - 1; number >= 0; number--) {
      const slab = this.#slabs[number]!;
      const first = number * SLAB_ROWS;
      for (let i = 0; i < taken; i++) {
        let row = newest[i]!;
        if (row <= first) continue;
        let at = next[i]!;
        while (row > first) {
          const index = row - 1 - first;
          at--;
          timesMs[at] = slab.timesMs[index]!;
          words[at * 2] = slab.words[index * 2]!;
          words[at * 2 + 1] = slab.words[index * 2 + 1]!;
          const rest = slab.nanos === null ? 0 : slab.nanos[index]!;
          if (rest !== 0) {
            nanos![at] = rest;
            hasNanos[i] = 1;
          }
          row = slab.previous[index]!;
        }
        next[i] = at;
        newest[i] = row;
      }
    }
    const cells = new Float64Array(words.buffer);
    const found = new Map<number, ColumnData | null>();
    for (let i = 0; i < taken; i++) {
      const { column, kind } = columns[i]!;
      if (counts[i] === 0) {
        found.set(column, null);
        continue;
      }
      const from = ends[i]! - counts[i]!;
      const part: ColumnData = {
        kind,
        count: counts[i]!,
        timesMs: timesMs.subarray(from, ends[i]!),
        nanos: hasNanos[i] === 0 ? null : nanos!.subarray(from, ends[i]!),
        cells: cells.subarray(from, ends[i]!),
        texts: null,
      };
      found.set(column, mergeColumns(kind, [part]));
    }
    return found;
  }

  /** Of each column the newest of the first `limit` rows, as row number + 1. */
  #newestRows(columns: readonly NumberColumn[], limit: number): Uint32Array {
    return Uint32Array.from(columns, ({ column }) => {
      let row = this.has(column) ? this.#heads[column]! : 0;
      while (row > limit) row = this.#previous(row);
      return row;
    });
  }

  /** Rows of the first `taken` columns, together not more than `mostRows`. */
  #countRows(
    newest: Uint32Array,
    mostRows: number,
  ): { readonly counts: Uint32Array; readonly rows: number; readonly taken: number } {
    const counts = new Uint32Array(newest.length);
    const at = newest.slice();
    for (let number = this.#slabs.length - 1; number >= 0; number--) {
      const { previous } = this.#slabs[number]!;
      const first = number * SLAB_ROWS;
      for (let i = 0; i < at.length; i++) {
        let row = at[i]!;
        let count = 0;
        for (; row > first; count++) row = previous[row - 1 - first]!;
        at[i] = row;
        counts[i]! += count;
      }
    }
    let rows = 0;
    let taken = 0;
    while (taken < counts.length && rows + counts[taken]! <= mostRows) rows += counts[taken++]!;
    return { counts, rows, taken };
  }

  #pickTexts(cells: Float64Array): string[] {
    const texts: string[] = [];
    for (let i = 0; i < cells.length; i++) {
      texts.push(this.#texts[cells[i]!]!);
      cells[i] = i;
    }
    return texts;
  }

  #previous(row: number): number {
    return this.#slabs[Math.floor((row - 1) / SLAB_ROWS)]!.previous[(row - 1) % SLAB_ROWS]!;
  }

  #grow(column: number): void {
    const grown = new Uint32Array(Math.max(column + 1, this.#heads.length * 2));
    grown.set(this.#heads);
    this.#heads = grown;
  }
}

function newSlab(): Slab {
  const buffer = new ArrayBuffer(SLAB_ROWS * ROW_BYTES);
  return {
    timesMs: new Float64Array(buffer, 0, SLAB_ROWS),
    words: new Uint32Array(buffer, SLAB_ROWS * 8, SLAB_ROWS * 2),
    previous: new Uint32Array(buffer, SLAB_ROWS * 16, SLAB_ROWS),
    nanos: null,
  };
}
