import { assert, ByteReader, ByteWriter, DecodeError } from '@pollux/base';
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
import { type BucketTable, TABLE_COLUMNS, type TableColumn, type Unfit } from './bucket-table.ts';

/** Layout in `bucket-chunk.md`. */
const VERSION = 1;
const STATES: readonly (Unfit | null)[] = [null, 'histograms', 'overflow'];
/** Stored relative to the end of their buckets, in which they lie. */
const TIME_COLUMNS: ReadonlySet<TableColumn> = new Set(['lastTimesMs', 'firstTimesMs']);

/** A slice never holds more of one series. */
export const MAX_BUCKETS = 1024;

/** Encodes tables; its working memory serves one after the other. */
export class BucketEncoder {
  readonly #dense: DenseEncoder = createDenseEncoder();
  readonly #bytes = new Uint8Array(denseMaxBytes(MAX_BUCKETS));
  readonly #whole = new Float64Array(MAX_BUCKETS);
  readonly #target = new ByteWriter(16 * 1024);

  /** The chunk; its memory is used again by the next call. An unfit table leaves only that it was unfit. */
  encode(table: BucketTable): { readonly bytes: Uint8Array; readonly end: number } {
    const target = this.#target;
    target.reset();
    const count = table.unfit === null ? table.count : 0;
    assert(count <= MAX_BUCKETS, 'a slice is no longer than so many buckets');
    target.u16(count);
    target.u8(VERSION);
    target.u8(STATES.indexOf(table.unfit));
    target.uvarint(table.resolutionMs);
    if (count > 0) for (const name of TABLE_COLUMNS) this.#column(table, name);
    return { bytes: target.bytes(), end: target.size };
  }

  #column({ columns, count, resolutionMs }: BucketTable, name: TableColumn): void {
    const bytes = this.#bytes;
    const whole = this.#whole;
    const column = columns[name];
    let end: number;
    if (name === 'endsMs') {
      for (let i = 0; i < count; i++) whole[i] = column[i]! / resolutionMs;
      end = denseEncodeWhole(this.#dense, whole, 0, count, bytes, 0);
    } else if (TIME_COLUMNS.has(name)) {
      for (let i = 0; i < count; i++) whole[i] = columns.endsMs[i]! - column[i]!;
      end = denseEncodeWhole(this.#dense, whole, 0, count, bytes, 0);
    } else if (name === 'counts') {
      end = denseEncodeWhole(this.#dense, column, 0, count, bytes, 0);
    } else end = denseEncodeValues(this.#dense, 'float', column, 0, count, bytes, 0);
    assert(end !== DENSE_UNFIT, 'times and counts are whole numbers');
    this.#target.uvarint(end);
    this.#target.raw(bytes, 0, end);
  }
}

type ChunkBytes = { readonly bytes: Uint8Array; readonly offset: number; readonly length: number };

/** Of which resolution the chunk says to be. Throws DecodeError. */
export function bucketResolutionMs({ bytes, offset, length }: ChunkBytes): number {
  return new ByteReader(bytes, offset + 4, offset + length).uvarint();
}

/**
 * Adds the buckets of the chunk in `bytes[offset, offset + length)` to the table: ends and last samples, and the columns in
 * `wanted`; what stands in the others is undefined. An unfit chunk makes the table unfit. Throws DecodeError.
 */
export function decodeBuckets(
  chunk: ChunkBytes,
  table: BucketTable,
  wanted: ReadonlySet<TableColumn>,
): void {
  const reader = new ByteReader(chunk.bytes, chunk.offset, chunk.offset + chunk.length);
  const count = reader.u16();
  const version = reader.u8();
  if (version !== VERSION)
    throw new DecodeError(`version ${version} of buckets is not known`, reader.offset);
  const state = reader.u8();
  const unfit = STATES[state];
  if (unfit === undefined) throw new DecodeError(`unknown state ${state}`, reader.offset);
  const resolutionMs = reader.uvarint();
  if (resolutionMs !== table.resolutionMs) {
    throw new DecodeError(
      `buckets of ${resolutionMs} ms among those of ${table.resolutionMs} ms`,
      reader.offset,
    );
  }
  if (unfit !== null) {
    table.unfit = unfit;
    return;
  }
  if (count > DENSE_MAX_SAMPLES) throw new DecodeError('too many buckets', reader.offset);
  if (count === 0) return;
  table.reserve(count);
  const first = table.count;
  for (const name of TABLE_COLUMNS) {
    const length = reader.uvarint();
    const from = reader.offset;
    if (length > reader.remaining) throw new DecodeError('column beyond the end', from);
    if (wanted.has(name) || ALWAYS.has(name)) {
      decodeColumn(chunk.bytes.subarray(0, from + length), from, table, { name, count });
    }
    reader.offset = from + length;
  }
  const { endsMs } = table.columns;
  let last = first > 0 ? endsMs[first - 1]! : Number.NEGATIVE_INFINITY;
  for (let i = first; i < first + count; i++) {
    if (!(endsMs[i]! > last)) throw new DecodeError('buckets do not ascend', chunk.offset);
    last = endsMs[i]!;
  }
  table.count += count;
}

const ALWAYS: ReadonlySet<TableColumn> = new Set(['endsMs', 'lastTimesMs', 'lastValues']);
const WHOLE_COLUMNS: ReadonlySet<TableColumn> = new Set([
  'endsMs',
  'lastTimesMs',
  'firstTimesMs',
  'counts',
]);

/** The column reaches from `from` to the end of `bytes`. */
function decodeColumn(
  bytes: Uint8Array,
  from: number,
  table: BucketTable,
  column: { readonly name: TableColumn; readonly count: number },
): void {
  const { name, count } = column;
  const end = bytes.length;
  const first = table.count;
  const { endsMs } = table.columns;
  const target = table.columns[name].subarray(first, first + count);
  const read = WHOLE_COLUMNS.has(name)
    ? denseDecodeWhole(bytes, from, end, target, count)
    : denseDecodeValues(bytes, from, end, wordsOf(target), count);
  if (read === DENSE_MALFORMED || read !== end)
    throw new DecodeError(`malformed column ${name}`, from);
  if (name === 'endsMs') for (let i = 0; i < count; i++) target[i]! *= table.resolutionMs;
  else if (TIME_COLUMNS.has(name)) {
    for (let i = 0; i < count; i++) target[i] = endsMs[first + i]! - target[i]!;
  }
}
