import { ByteReader, type ByteWriter, DecodeError } from '@pollux/base';
import { crc32c } from '@pollux/kernels';
import { Labels, wordsOf } from '@pollux/model';
import { type FieldKind, KIND_CODES, kindOf } from '../field-kind.ts';
import type { PointColumns } from '../point-columns.ts';

/** Boxes in shards.md. */
const RECORD_ROWS = 1;
export const RECORD_HEADER_BYTES = 8;
/** A longer record is taken for damage. */
export const MAX_RECORD_BYTES = 256 * 1024 * 1024;
const FLAG_NANOS = 1;

export type ColumnDefinition = {
  readonly measurement: string;
  readonly tags: Labels;
  readonly field: string;
  readonly kind: FieldKind;
  readonly replica: string;
};

/** Rows of a batch that go to one segment: row number in the batch and the column's number in the segment. */
export type SegmentRows = {
  readonly count: number;
  readonly rows: Uint32Array;
  readonly columns: Uint32Array;
};

/** Appends one record to `target`: the columns that are new in the segment, then the rows. */
export function encodeRecord(
  target: ByteWriter,
  definitions: readonly ColumnDefinition[],
  batch: PointColumns,
  rows: SegmentRows,
): void {
  const start = target.size;
  target.u32(0);
  target.u32(0);
  target.u8(RECORD_ROWS);
  target.uvarint(definitions.length);
  for (const definition of definitions) encodeDefinition(target, definition);
  encodeRows(target, batch, rows);
  const data = target.bytes();
  const from = start + RECORD_HEADER_BYTES;
  target.patchU32(start, data.length - from);
  target.patchU32(start + 4, crc32c(data, from, data.length));
}

function encodeDefinition(target: ByteWriter, definition: ColumnDefinition): void {
  target.u8(KIND_CODES[definition.kind]);
  target.uvarintText(definition.measurement);
  target.uvarint(definition.tags.size);
  for (const [name, value] of definition.tags) {
    target.uvarintText(name);
    target.uvarintText(value);
  }
  target.uvarintText(definition.field);
  target.uvarintText(definition.replica);
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

/** Takes what a record holds; `define` is called in order of the columns' numbers in the segment. */
export interface RecordSink {
  define(definition: ColumnDefinition): void;
  /** The kind of a column defined before; null when there is none of this number. */
  kindOf(column: number): FieldKind | null;
  number(column: number, ms: number, nanos: number, low: number, high: number): void;
  text(column: number, ms: number, nanos: number, text: string): void;
}

/**
 * Reads the record at `offset` and returns the offset behind it, or −1 when no whole, undamaged record stands there: the torn
 * end of a segment. Throws DecodeError when the checksum holds but the content does not.
 */
export function decodeRecord(data: Uint8Array, offset: number, sink: RecordSink): number {
  if (offset + RECORD_HEADER_BYTES > data.length) return -1;
  const head = new ByteReader(data, offset);
  const length = head.u32();
  const checksum = head.u32();
  const from = offset + RECORD_HEADER_BYTES;
  if (length === 0 || length > MAX_RECORD_BYTES || from + length > data.length) return -1;
  if (crc32c(data, from, from + length) !== checksum) return -1;
  const reader = new ByteReader(data, from, from + length);
  const type = reader.u8();
  if (type !== RECORD_ROWS) throw new DecodeError(`unknown record type ${type}`, from);
  const definitions = reader.uvarint();
  for (let i = 0; i < definitions; i++) sink.define(decodeDefinition(reader));
  decodeRows(reader, sink);
  return from + length;
}

function decodeDefinition(reader: ByteReader): ColumnDefinition {
  const kind = kindOf(reader.u8());
  if (kind === null) throw new DecodeError('unknown field type', reader.offset);
  const measurement = reader.uvarintText();
  const pairs = reader.uvarint();
  const flat: string[] = [];
  for (let i = 0; i < pairs * 2; i++) flat.push(reader.uvarintText());
  const field = reader.uvarintText();
  return {
    measurement,
    tags: Labels.fromSortedFlat(flat),
    field,
    kind,
    replica: reader.uvarintText(),
  };
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
