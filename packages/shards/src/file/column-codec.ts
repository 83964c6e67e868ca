import { type ByteReader, type ByteWriter, DecodeError } from '@pollux/base';
import { wordsOf } from '@pollux/model';
import type { ColumnData } from '../column-data.ts';
import type { FieldKind } from '../field-kind.ts';

/** Codes in shards.md. */
const TIMES_REGULAR = 0;
const TIMES_SECOND_DELTA = 1;
const CELLS_PLANES = 0;
const CELLS_WHOLE = 1;
const CELLS_CONSTANT = 2;
const CELLS_INT64 = 3;
const CELLS_TEXTS = 4;
/** Differences of two such numbers still fit the varint writer. */
const MAX_WHOLE = 2 ** 50;

/** Appends rows [from, to) of the column. The caller compresses the page that they end up in. */
export function encodeColumn(target: ByteWriter, data: ColumnData, from: number, to: number): void {
  encodeTimes(target, data.timesMs, from, to);
  if (data.nanos === null) {
    target.u8(0);
  } else {
    target.u8(1);
    for (let i = from; i < to; i++) target.uvarint(data.nanos[i]!);
  }
  if (data.kind === 'string') encodeTexts(target, data, from, to);
  else if (data.kind === 'integer') encodeIntegers(target, data.cells, from, to);
  else encodeFloats(target, data.cells, from, to);
}

function encodeTimes(target: ByteWriter, timesMs: Float64Array, from: number, to: number): void {
  const step = to - from > 1 ? timesMs[from + 1]! - timesMs[from]! : 0;
  let isRegular = true;
  for (let i = from + 1; i < to && isRegular; i++)
    isRegular = timesMs[i]! - timesMs[i - 1]! === step;
  target.u8(isRegular ? TIMES_REGULAR : TIMES_SECOND_DELTA);
  target.varint(timesMs[from]!);
  if (isRegular) {
    target.varint(step);
    return;
  }
  let last = 0;
  for (let i = from + 1; i < to; i++) {
    const delta = timesMs[i]! - timesMs[i - 1]!;
    target.varint(delta - last);
    last = delta;
  }
}

function encodeFloats(target: ByteWriter, cells: Float64Array, from: number, to: number): void {
  const words = wordsOf(cells);
  if (isConstant(words, from, to)) {
    target.u8(CELLS_CONSTANT);
    target.u32le(words[from * 2]!);
    target.u32le(words[from * 2 + 1]!);
    return;
  }
  if (isWhole(cells, from, to)) {
    target.u8(CELLS_WHOLE);
    let last = 0;
    for (let i = from; i < to; i++) {
      target.varint(cells[i]! - last);
      last = cells[i]!;
    }
    return;
  }
  target.u8(CELLS_PLANES);
  encodePlanes(target, cells, from, to);
}

/** Byte k of all cells, then byte k+1: neighbours alike, which the page's compression needs. */
function encodePlanes(target: ByteWriter, cells: Float64Array, from: number, to: number): void {
  const bytes = new Uint8Array(cells.buffer, cells.byteOffset, cells.length * 8);
  for (let plane = 7; plane >= 0; plane--) {
    for (let i = from; i < to; i++) target.u8(bytes[i * 8 + plane]!);
  }
}

function isConstant(words: Uint32Array, from: number, to: number): boolean {
  for (let i = from + 1; i < to; i++) {
    if (words[i * 2] !== words[from * 2] || words[i * 2 + 1] !== words[from * 2 + 1]) return false;
  }
  return true;
}

function isWhole(cells: Float64Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) {
    const value = cells[i]!;
    if (!Number.isInteger(value) || Math.abs(value) > MAX_WHOLE || Object.is(value, -0))
      return false;
  }
  return true;
}

function encodeIntegers(target: ByteWriter, cells: Float64Array, from: number, to: number): void {
  const integers = new BigInt64Array(cells.buffer, cells.byteOffset, cells.length);
  target.u8(CELLS_INT64);
  let last = 0n;
  for (let i = from; i < to; i++) {
    const value = integers[i]!;
    const delta = BigInt.asIntN(64, value - last);
    target.uvarint64(BigInt.asUintN(64, (delta << 1n) ^ (delta >> 63n)));
    last = value;
  }
}

function encodeTexts(target: ByteWriter, data: ColumnData, from: number, to: number): void {
  target.u8(CELLS_TEXTS);
  for (let i = from; i < to; i++) target.uvarintText(data.texts![data.cells[i]!]!);
}

/** Reads back what {@link encodeColumn} wrote; throws DecodeError. `count` comes from the checked index. */
export function decodeColumn(reader: ByteReader, kind: FieldKind, count: number): ColumnData {
  const timesMs = decodeTimes(reader, count);
  let nanos: Int32Array | null = null;
  if (reader.u8() === 1) {
    nanos = new Int32Array(count);
    for (let i = 0; i < count; i++) nanos[i] = reader.uvarint();
  }
  const cells = new Float64Array(count);
  const texts: string[] | null = kind === 'string' ? [] : null;
  const coding = reader.u8();
  switch (coding) {
    case CELLS_PLANES:
      decodePlanes(reader, cells);
      break;
    case CELLS_WHOLE:
      decodeWhole(reader, cells);
      break;
    case CELLS_CONSTANT:
      fillConstant(cells, reader.u32le(), reader.u32le());
      break;
    case CELLS_INT64:
      decodeIntegers(reader, cells);
      break;
    case CELLS_TEXTS:
      for (let i = 0; i < count; i++) {
        texts?.push(reader.uvarintText());
        cells[i] = i;
      }
      break;
    default:
      throw new DecodeError(`unknown coding ${coding}`, reader.offset);
  }
  return { kind, count, timesMs, nanos, cells, texts };
}

function decodeTimes(reader: ByteReader, count: number): Float64Array {
  const timesMs = new Float64Array(count);
  const coding = reader.u8();
  timesMs[0] = reader.varint();
  if (coding === TIMES_REGULAR) {
    const step = reader.varint();
    for (let i = 1; i < count; i++) timesMs[i] = timesMs[i - 1]! + step;
    return timesMs;
  }
  if (coding !== TIMES_SECOND_DELTA)
    throw new DecodeError(`unknown time coding ${coding}`, reader.offset);
  let delta = 0;
  for (let i = 1; i < count; i++) {
    delta += reader.varint();
    timesMs[i] = timesMs[i - 1]! + delta;
  }
  return timesMs;
}

function decodePlanes(reader: ByteReader, cells: Float64Array): void {
  const bytes = new Uint8Array(cells.buffer);
  const source = reader.raw(cells.length * 8);
  let at = 0;
  for (let plane = 7; plane >= 0; plane--) {
    for (let i = 0; i < cells.length; i++) bytes[i * 8 + plane] = source[at++]!;
  }
}

function decodeWhole(reader: ByteReader, cells: Float64Array): void {
  let last = 0;
  for (let i = 0; i < cells.length; i++) {
    last += reader.varint();
    cells[i] = last;
  }
}

function fillConstant(cells: Float64Array, low: number, high: number): void {
  const words = wordsOf(cells);
  for (let i = 0; i < cells.length; i++) {
    words[i * 2] = low;
    words[i * 2 + 1] = high;
  }
}

function decodeIntegers(reader: ByteReader, cells: Float64Array): void {
  const integers = new BigInt64Array(cells.buffer);
  let last = 0n;
  for (let i = 0; i < cells.length; i++) {
    last = BigInt.asIntN(64, last + reader.varint64());
    integers[i] = last;
  }
}
