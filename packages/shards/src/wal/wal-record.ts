import { ByteReader, type ByteWriter, DecodeError } from '@pollux/base';
import { crc32c } from '@pollux/kernels';
import { wordsOf } from '@pollux/model';
import type { FieldKind, PointColumns } from '@pollux/storage';
import { KIND_CODES, kindOf } from '../field-kind.ts';
import type { SampleRows } from '../samples/sample-rows.ts';

/** Boxes in shards.md. Written is the second; the first, whose definitions hold their texts, is of version 1. */
const RECORD_ROWS_WITH_TEXTS = 1;
const RECORD_ROWS = 2;
export const RECORD_HEADER_BYTES = 8;
/** A longer record is taken for damage. */
export const MAX_RECORD_BYTES = 256 * 1024 * 1024;
const FLAG_NANOS = 1;

/** A column by symbols: `series` holds measurement, name, value, name, value … */
export type ColumnSymbols = {
  readonly series: Uint32Array;
  readonly field: number;
  readonly kind: FieldKind;
  readonly replica: number;
};

/** What a record tells before its rows: texts and columns that are new in the segment. */
export type NewNames = {
  readonly textCount: number;
  readonly texts: ByteWriter;
  readonly columnCount: number;
  readonly columns: ByteWriter;
};

/** Rows of a batch that go to one segment: row number in the batch and the column's number in the segment. */
export type SegmentRows = {
  readonly count: number;
  readonly rows: Uint32Array;
  readonly columns: Uint32Array;
};

/** Appends the definition of a column; its symbols are numbers of texts in the segment. */
export function encodeColumn(target: ByteWriter, column: ColumnSymbols): void {
  const { series } = column;
  target.u8(KIND_CODES[column.kind]);
  target.uvarint(series[0]!);
  target.uvarint((series.length - 1) / 2);
  for (let i = 1; i < series.length; i++) target.uvarint(series[i]!);
  target.uvarint(column.field);
  target.uvarint(column.replica);
}

/** Floats at whole milliseconds, `[from, to)` of `rows`, and their columns' numbers in the segment, from 0 on. */
export type SegmentSamples = {
  readonly rows: SampleRows;
  readonly from: number;
  readonly to: number;
  readonly columns: Uint32Array;
};

/** Appends one record to `target`. */
export function encodeRecord(
  target: ByteWriter,
  names: NewNames,
  batch: PointColumns,
  rows: SegmentRows,
): void {
  const start = beginRecord(target, names);
  encodeRows(target, batch, rows);
  endRecord(target, start);
}

/** As {@link encodeRecord}. */
export function encodeSamples(target: ByteWriter, names: NewNames, samples: SegmentSamples): void {
  const start = beginRecord(target, names);
  const { rows, from, to, columns } = samples;
  const { timesMs, words } = rows;
  target.u8(0);
  target.uvarint(to - from);
  let lastColumn = 0;
  let lastMs = 0;
  for (let row = from; row < to; row++) {
    const column = columns[row - from]!;
    const ms = timesMs[row]!;
    target.varint(column - lastColumn);
    target.varint(ms - lastMs);
    target.u32le(words[row * 2]!);
    target.u32le(words[row * 2 + 1]!);
    lastColumn = column;
    lastMs = ms;
  }
  endRecord(target, start);
}

/** Returns where the record begins. */
function beginRecord(target: ByteWriter, names: NewNames): number {
  const start = target.size;
  target.u32(0);
  target.u32(0);
  target.u8(RECORD_ROWS);
  target.uvarint(names.textCount);
  target.raw(names.texts.bytes());
  target.uvarint(names.columnCount);
  target.raw(names.columns.bytes());
  return start;
}

function endRecord(target: ByteWriter, start: number): void {
  const data = target.bytes();
  const from = start + RECORD_HEADER_BYTES;
  target.patchU32(start, data.length - from);
  target.patchU32(start + 4, crc32c(data, from, data.length));
}

function encodeRows(
  target: ByteWriter,
  batch: PointColumns,
  { count, rows, columns }: SegmentRows,
): void {
  const words = wordsOf(batch.cells);
  const { nanos, timesMs, fields, fieldOf, texts, cells } = batch;
  target.u8(nanos === null ? 0 : FLAG_NANOS);
  target.uvarint(count);
  let lastColumn = 0;
  let lastMs = 0;
  for (let i = 0; i < count; i++) {
    const row = rows[i]!;
    target.varint(columns[i]! - lastColumn);
    lastColumn = columns[i]!;
    target.varint(timesMs[row]! - lastMs);
    lastMs = timesMs[row]!;
    if (nanos !== null) target.uvarint(nanos[row]!);
    if (fields[fieldOf[row]!]!.kind === 'string') {
      target.uvarintText(texts[cells[row]!]!);
      continue;
    }
    target.u32le(words[row * 2]!);
    target.u32le(words[row * 2 + 1]!);
  }
}

/** Takes what a segment holds; `define` is called in order of the columns' numbers in the segment. */
export interface RecordSink {
  /** The sink's symbol of a text. */
  symbol(text: string): number;
  /** The column's symbols are the sink's, lent. */
  define(column: ColumnSymbols): void;
  /** The kind of a column defined before; null when there is none of this number. */
  kindOf(column: number): FieldKind | null;
  number(column: number, ms: number, nanos: number, low: number, high: number): void;
  text(column: number, ms: number, nanos: number, text: string): void;
}

/** Reads the records of one segment. */
export class RecordDecoder {
  readonly #sink: RecordSink;
  /** The sink's symbol of each text that the segment has told. */
  readonly #symbols: number[] = [];
  #series = new Uint32Array(65);

  constructor(sink: RecordSink) {
    this.#sink = sink;
  }

  /**
   * Reads the record at `offset` and returns the offset behind it, or −1 when no whole, undamaged record stands there: the
   * torn end of a segment. Throws DecodeError when the checksum holds but the content does not.
   */
  decode(data: Uint8Array, offset: number): number {
    if (offset + RECORD_HEADER_BYTES > data.length) return -1;
    const head = new ByteReader(data, offset);
    const length = head.u32();
    const checksum = head.u32();
    const from = offset + RECORD_HEADER_BYTES;
    if (length === 0 || length > MAX_RECORD_BYTES || from + length > data.length) return -1;
    if (crc32c(data, from, from + length) !== checksum) return -1;
    const reader = new ByteReader(data, from, from + length);
    const type = reader.u8();
    if (type !== RECORD_ROWS && type !== RECORD_ROWS_WITH_TEXTS) {
      throw new DecodeError(`unknown record type ${type}`, from);
    }
    const isOld = type === RECORD_ROWS_WITH_TEXTS;
    if (!isOld) this.#decodeTexts(reader);
    for (let left = reader.uvarint(); left > 0; left--) {
      this.#decodeColumn(reader, () => (isOld ? this.#textOf(reader) : this.#symbolOf(reader)));
    }
    decodeRows(reader, this.#sink);
    return from + length;
  }

  #decodeTexts(reader: ByteReader): void {
    for (let left = reader.uvarint(); left > 0; left--) this.#symbols.push(this.#textOf(reader));
  }

  #textOf(reader: ByteReader): number {
    return this.#sink.symbol(reader.uvarintText());
  }

  #symbolOf(reader: ByteReader): number {
    const number = reader.uvarint();
    const symbol = this.#symbols[number];
    if (symbol === undefined) throw new DecodeError(`text ${number} was not told`, reader.offset);
    return symbol;
  }

  #decodeColumn(reader: ByteReader, nextSymbol: () => number): void {
    const kind = kindOf(reader.u8());
    if (kind === null) throw new DecodeError('unknown field type', reader.offset);
    const measurement = nextSymbol();
    const pairs = reader.uvarint();
    if (pairs > reader.end - reader.offset) throw new DecodeError('too many tags', reader.offset);
    const count = pairs * 2 + 1;
    if (this.#series.length < count) this.#series = new Uint32Array(count * 2);
    this.#series[0] = measurement;
    for (let i = 1; i < count; i++) this.#series[i] = nextSymbol();
    const series = this.#series.subarray(0, count);
    this.#sink.define({ series, kind, field: nextSymbol(), replica: nextSymbol() });
  }
}

function decodeRows(reader: ByteReader, sink: RecordSink): void {
  const hasNanos = (reader.u8() & FLAG_NANOS) !== 0;
  const count = reader.uvarint();
  let column = 0;
  let ms = 0;
  for (let i = 0; i < count; i++) {
    column += reader.varint();
    ms += reader.varint();
    const nanos = hasNanos ? reader.uvarint() : 0;
    const kind = sink.kindOf(column);
    if (kind === null) throw new DecodeError(`column ${column} was not defined`, reader.offset);
    if (kind === 'string') sink.text(column, ms, nanos, reader.uvarintText());
    else sink.number(column, ms, nanos, reader.u32le(), reader.u32le());
  }
}
