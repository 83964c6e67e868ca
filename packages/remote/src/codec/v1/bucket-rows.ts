import { DecodeError } from '@pollux/base';
import { isStaleAt, wordsOf } from '@pollux/model';
import type { SeriesColumns, TimeRange } from '@pollux/storage';

/** What a client that only looks at windows can do with in place of the samples between their edges. */
export type BucketWish = {
  /** Ascending: no bucket has samples at or before such a time and behind it. */
  readonly edgesMs: readonly number[];
  /** A value lower than the one before begins a bucket, so that all that a counter lost stands between two of them. */
  readonly isCounter: boolean;
};

/**
 * Chunk.Encoding of buckets, which only who asks for them is given. The data of such a chunk, little endian:
 *
 *     ┌─────────────────┬────────────────┬─────────────────┬────────────────┬────────────┐
 *     │ first times f64 │ last times f64 │ first value f64 │ last value f64 │ counts f64 │  each of as many as there are buckets
 *     └─────────────────┴────────────────┴─────────────────┴────────────────┴────────────┘
 */
export const BUCKET_ENCODING = 0x70;

const COLUMNS = 5;
const ROW_BYTES = COLUMNS * 8;
/** A sample of a chunk takes a byte or two, but costs the client more to decode than a bucket. */
const PAYING_SAMPLES = 3;

/** The buckets of any number of series, one behind the other: of each the first and the last sample, and how many there are. */
export class BucketRows {
  count = 0;
  firstTimesMs = new Float64Array(0);
  lastTimesMs = new Float64Array(0);
  firstValues = new Float64Array(0);
  lastValues = new Float64Array(0);
  counts = new Float64Array(0);
  #data = new DataView(new ArrayBuffer(0));
  #bytes = new Uint8Array(0);
  /** Of the answer that is being read. */
  #view: DataView = this.#data;
  #live = { timestampsMs: new Float64Array(0), values: new Float64Array(0) };

  /** What was taken of the columns stays as it is only where {@link reserve} was not called since. */
  clear(): void {
    this.count = 0;
  }

  get heldBytes(): number {
    return this.counts.length * ROW_BYTES;
  }

  /** Adds the buckets of floats, stale markers left out. */
  addSamples(series: SeriesColumns, wish: BucketWish): void {
    const { timestampsMs, values, count } = this.#withoutStale(series);
    const { edgesMs, isCounter } = wish;
    let edge = 0;
    let at = 0;
    while (at < count) {
      while (edge < edgesMs.length && edgesMs[edge]! < timestampsMs[at]!) edge++;
      const end =
        edge === edgesMs.length ? count : firstBehind(timestampsMs, at, count, edgesMs[edge]!);
      while (at < end) {
        const next = isCounter ? nextReset(values, at + 1, end) : end;
        this.#add(timestampsMs, values, at, next);
        at = next;
      }
    }
  }

  /** Adds the buckets of a chunk that lie in the range. Throws DecodeError. */
  addChunk(chunk: Uint8Array, offset: number, length: number, range: TimeRange): void {
    const rows = length / ROW_BYTES;
    if (!Number.isInteger(rows) || rows === 0) throw malformed('of a wrong length', offset);
    if (this.#view.buffer !== chunk.buffer) this.#view = new DataView(chunk.buffer);
    const view = this.#view;
    const start = chunk.byteOffset + offset;
    const column = rows * 8;
    this.reserve(rows);
    let before = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < rows; i++) {
      const at = start + i * 8;
      const firstMs = view.getFloat64(at, true);
      const lastMs = view.getFloat64(column + at, true);
      const samples = view.getFloat64(4 * column + at, true);
      // Not the other way round: NaN is nothing of this.
      if (!(firstMs > before && lastMs >= firstMs && samples >= 1))
        throw malformed('not in order of time', offset);
      before = lastMs;
      if (lastMs < range.minMs || firstMs > range.maxMs) continue;
      if (firstMs < range.minMs || lastMs > range.maxMs)
        throw malformed('across an edge of what was asked for', offset);
      const to = this.count++;
      this.firstTimesMs[to] = firstMs;
      this.lastTimesMs[to] = lastMs;
      this.firstValues[to] = view.getFloat64(2 * column + at, true);
      this.lastValues[to] = view.getFloat64(3 * column + at, true);
      this.counts[to] = samples;
    }
  }

  /** Whether these stand for enough samples to be sent in their place. */
  paysFor(samples: number): boolean {
    return this.count * PAYING_SAMPLES <= samples;
  }

  /** As the data of a chunk, good until the next call. */
  bytes(): Uint8Array {
    const { count } = this;
    // Mostly as many as of the series before: a buffer for each would cost more than what lies in it.
    if (this.#data.byteLength !== count * ROW_BYTES) {
      this.#data = new DataView(new ArrayBuffer(count * ROW_BYTES));
      this.#bytes = new Uint8Array(this.#data.buffer);
    }
    this.#write(this.firstTimesMs, 0);
    this.#write(this.lastTimesMs, 1);
    this.#write(this.firstValues, 2);
    this.#write(this.lastValues, 3);
    this.#write(this.counts, 4);
    return this.#bytes;
  }

  /** Room for so many more. Columns that become too short are left to who has parts of them, and others take their place. */
  reserve(rows: number): void {
    const needed = this.count + rows;
    if (needed <= this.counts.length) return;
    const size = Math.max(needed, 2 * this.counts.length, 16);
    this.firstTimesMs = grown(this.firstTimesMs, size);
    this.lastTimesMs = grown(this.lastTimesMs, size);
    this.firstValues = grown(this.firstValues, size);
    this.lastValues = grown(this.lastValues, size);
    this.counts = grown(this.counts, size);
  }

  #write(column: Float64Array, index: number): void {
    let at = index * this.count * 8;
    for (let i = 0; i < this.count; i++, at += 8) this.#data.setFloat64(at, column[i]!, true);
  }

  #add(timestampsMs: Float64Array, values: Float64Array, from: number, to: number): void {
    this.reserve(1);
    const row = this.count++;
    this.firstTimesMs[row] = timestampsMs[from]!;
    this.lastTimesMs[row] = timestampsMs[to - 1]!;
    this.firstValues[row] = values[from]!;
    this.lastValues[row] = values[to - 1]!;
    this.counts[row] = to - from;
  }

  #withoutStale({
    timestampsMs,
    values,
    count,
  }: SeriesColumns): Pick<SeriesColumns, 'timestampsMs' | 'values' | 'count'> {
    let i = 0;
    while (i < count && !Number.isNaN(values[i])) i++;
    if (i === count) return { timestampsMs, values, count };
    if (this.#live.values.length < count) {
      this.#live = { timestampsMs: new Float64Array(count), values: new Float64Array(count) };
    }
    const words = wordsOf(values);
    const live = this.#live;
    let kept = 0;
    for (let j = 0; j < count; j++) {
      if (isStaleAt(words, j)) continue;
      live.timestampsMs[kept] = timestampsMs[j]!;
      live.values[kept] = values[j]!;
      kept++;
    }
    return { ...live, count: kept };
  }
}

/** Index in [from, count) of the first sample behind `timeMs`; count when there is none. */
function firstBehind(
  timestampsMs: Float64Array,
  from: number,
  count: number,
  timeMs: number,
): number {
  let low = from;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (timestampsMs[middle]! <= timeMs) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The first index in [from, to) of a value that is lower than the one before; `to` when there is none. */
function nextReset(values: Float64Array, from: number, to: number): number {
  let previous = values[from - 1]!;
  for (let i = from; i < to; i++) {
    const value = values[i]!;
    if (value < previous) return i;
    previous = value;
  }
  return to;
}

function grown(column: Float64Array, size: number): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(size);
  larger.set(column);
  return larger;
}

function malformed(why: string, offset: number): DecodeError {
  return new DecodeError(`buckets ${why}`, offset);
}
