import { assert, type ByteReader, type ByteWriter, DecodeError } from '@pollux/base';
import {
  createDenseEncoder,
  DENSE_MALFORMED,
  DENSE_MAX_SAMPLES,
  DENSE_UNFIT,
  type DenseEncoder,
  denseDecodeValues,
  denseDecodeWhole,
  denseEncodeValues,
  denseEncodeWhole,
  denseMaxBytes,
} from '@pollux/kernels';
import { wordsOf } from '@pollux/model';
import type { ColumnData, FieldKind } from '@pollux/storage';
import type { ColumnSpace } from '../column-space.ts';
import { isWhole } from '../field-kind.ts';

/** Rows that are encoded together at most. */
export const MAX_ROWS = DENSE_MAX_SAMPLES;

/** Codes in shards.md. Those without DENSE are of version 1: read, and texts written. */
const TIMES_REGULAR = 0;
const TIMES_SECOND_DELTA = 1;
const TIMES_DENSE = 2;
const NANOS_NONE = 0;
const NANOS_VARINTS = 1;
const NANOS_DENSE = 2;
const CELLS_PLANES = 0;
const CELLS_WHOLE = 1;
const CELLS_CONSTANT = 2;
const CELLS_INT64 = 3;
const CELLS_TEXTS = 4;
const CELLS_DENSE = 5;

/** Encodes columns; its working memory serves one after the other. */
export class ColumnEncoder {
  readonly #dense: DenseEncoder = createDenseEncoder();
  #bytes = new Uint8Array(0);

  /** Appends rows [from, to), at most {@link MAX_ROWS}. The caller may compress the page that they end up in. */
  encode(target: ByteWriter, data: ColumnData, from: number, to: number): void {
    const most = denseMaxBytes(to - from);
    if (this.#bytes.length < most) this.#bytes = new Uint8Array(most);
    const bytes = this.#bytes;
    target.u8(TIMES_DENSE);
    target.raw(bytes, 0, checked(denseEncodeWhole(this.#dense, data.timesMs, from, to, bytes, 0)));
    if (data.nanos === null) {
      target.u8(NANOS_NONE);
    } else {
      target.u8(NANOS_DENSE);
      target.raw(bytes, 0, checked(denseEncodeWhole(this.#dense, data.nanos, from, to, bytes, 0)));
    }
    if (data.kind === 'string') {
      encodeTexts(target, data, from, to);
      return;
    }
    // Differences wrap at 64 bits, so an unsigned number goes the way of the int64 of the same bits.
    const kind = isWhole(data.kind) ? 'integer' : 'float';
    target.u8(CELLS_DENSE);
    const end = denseEncodeValues(this.#dense, kind, data.cells, from, to, bytes, 0);
    target.raw(bytes, 0, checked(end));
  }
}

/** Times are whole milliseconds within the nanoseconds of an int64, so a column always fits. */
function checked(end: number): number {
  assert(end !== DENSE_UNFIT, 'a column has rows, not too many, and whole milliseconds');
  return end;
}

function encodeTexts(target: ByteWriter, data: ColumnData, from: number, to: number): void {
  target.u8(CELLS_TEXTS);
  for (let i = from; i < to; i++) target.uvarintText(data.texts![data.cells[i]!]!);
}

/**
 * Reads back what {@link ColumnEncoder} wrote, and the codings of version 1; throws DecodeError. `count` comes from the
 * checked index.
 */
export function decodeColumn(
  reader: ByteReader,
  kind: FieldKind,
  count: number,
  space: ColumnSpace,
): ColumnData {
  const timesMs = decodeTimes(reader, space.floats(count));
  const nanos = decodeNanos(reader, count, space);
  const cells = space.floats(count);
  const texts: string[] | null = kind === 'string' ? [] : null;
  const coding = reader.u8();
  if ((kind === 'string') !== (coding === CELLS_TEXTS)) {
    throw new DecodeError(`coding ${coding} is none of a ${kind}`, reader.offset);
  }
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
        texts!.push(reader.uvarintText());
        cells[i] = i;
      }
      break;
    case CELLS_DENSE:
      advance(
        reader,
        denseDecodeValues(reader.data, reader.offset, reader.end, wordsOf(cells), count),
      );
      break;
    default:
      throw new DecodeError(`unknown coding ${coding}`, reader.offset);
  }
  return { kind, count, timesMs, nanos, cells, texts };
}

function decodeTimes(reader: ByteReader, timesMs: Float64Array): Float64Array {
  const count = timesMs.length;
  const coding = reader.u8();
  if (coding === TIMES_DENSE) {
    advance(reader, denseDecodeWhole(reader.data, reader.offset, reader.end, timesMs, count));
    return timesMs;
  }
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

function decodeNanos(reader: ByteReader, count: number, space: ColumnSpace): Int32Array | null {
  const coding = reader.u8();
  if (coding === NANOS_NONE) return null;
  const nanos = space.integers(count);
  if (coding === NANOS_DENSE) {
    advance(reader, denseDecodeWhole(reader.data, reader.offset, reader.end, nanos, count));
  } else if (coding === NANOS_VARINTS) {
    for (let i = 0; i < count; i++) nanos[i] = reader.uvarint();
  } else throw new DecodeError(`unknown coding ${coding} of nanoseconds`, reader.offset);
  return nanos;
}

/** Goes on behind a dense column. */
function advance(reader: ByteReader, end: number): void {
  if (end === DENSE_MALFORMED) throw new DecodeError('malformed column', reader.offset);
  reader.offset = end;
}

function decodePlanes(reader: ByteReader, cells: Float64Array): void {
  const bytes = new Uint8Array(cells.buffer, cells.byteOffset, cells.byteLength);
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
  const integers = new BigInt64Array(cells.buffer, cells.byteOffset, cells.length);
  let last = 0n;
  for (let i = 0; i < cells.length; i++) {
    last = BigInt.asIntN(64, last + reader.varint64());
    integers[i] = last;
  }
}
