import { assert, DecodeError } from '@pollux/base';
import {
  DENSE_MALFORMED,
  denseCount,
  denseDecode,
  firstNotBefore,
  XOR_MALFORMED,
  type XorPart,
  xor2Decode,
  xorCount,
  xorDecodePart,
} from '@pollux/kernels';
import { type FloatHistogram, type Labels, wordsOf } from '@pollux/model';
import type { MemoryBudget, SeriesColumns, TimeRange } from '@pollux/storage';
import { bucketResolutionMs, decodeBuckets } from '../downsample/bucket-chunk.ts';
import { BucketTable, type TableColumn } from '../downsample/bucket-table.ts';
import { CorruptionError, NotSupportedError } from '../errors.ts';
import { BUCKETS_ENCODING, CHUNK_ENCODING } from '../format/chunk-file.ts';
import { hasFloatStartTimes } from '../format/float-chunk.ts';
import type { Interval } from '../head/intervals.ts';
import { ColumnPool, grownColumns, type SampleColumns } from './column-pool.ts';
import { HistogramRun, type TimedHistogram } from './histogram-run.ts';
import type { LentChunk, SampleTarget } from './sample-target.ts';

const LAST_SAMPLES: ReadonlySet<TableColumn> = new Set();
/** Bytes of a sample in a query's columns. */
const SAMPLE_BYTES = 16;

type ChunkBytes = {
  readonly bytes: Uint8Array;
  readonly offset: number;
  readonly length: number;
  readonly hidden: number;
};

export type ColumnBuilderOptions = {
  readonly isNewestOnly?: boolean;
  readonly pool?: ColumnPool | undefined;
};

/** A series whose floats lie in the builder's columns, or that has columns of its own. */
type Held =
  | { readonly labels: Labels; readonly from: number; readonly to: number }
  | { readonly columns: SeriesColumns };

/**
 * Collects the samples of one series after another from its chunks, oldest source first. Of two samples at one time, floats or
 * histograms, the earlier source's is shown. The series of a batch lie behind each other in the same columns:
 *
 *   | held | held | … | being collected | free |
 *                     ^base             ^count
 */
export class ColumnBuilder implements SampleTarget {
  readonly #range: TimeRange;
  /** Of a chunk that has no hidden samples. */
  readonly #part: XorPart;
  readonly #budget: MemoryBudget;
  readonly #isNewestOnly: boolean;
  readonly #pool: ColumnPool;
  #columns: SampleColumns | null;
  /** Of the columns. */
  #timestampsMs: Float64Array;
  #words: Uint32Array;
  #values: Float64Array;
  /** Start timestamps of the floats, 0 = unknown; null while the batch has shown none. */
  #startsMs: Float64Array | null = null;
  /** Where the samples of the series begin that is being collected. */
  #base = 0;
  #count = 0;
  #held: Held[] = [];
  /** Null while the series has shown none. */
  #histograms: HistogramRun | null = null;

  /** `isNewestOnly`: who takes the series looks at no other sample of each. */
  constructor(
    range: TimeRange,
    budget: MemoryBudget,
    { isNewestOnly = false, pool = new ColumnPool() }: ColumnBuilderOptions = {},
  ) {
    this.#range = range;
    this.#isNewestOnly = isNewestOnly;
    this.#pool = pool;
    const columns = pool.take();
    this.#columns = columns;
    this.#timestampsMs = columns.timestampsMs;
    this.#words = columns.words;
    this.#values = columns.values;
    this.#part = { minMs: range.minMs, maxMs: range.maxMs, hidden: 0 };
    this.#budget = budget;
  }

  get count(): number {
    return this.#count - this.#base + (this.#histograms?.count ?? 0);
  }

  /** True when a chunk of these bounds may hold samples of the range. */
  overlaps(minMs: number, maxMs: number): boolean {
    return maxMs >= this.#range.minMs && minMs <= this.#range.maxMs;
  }

  /**
   * Adds the chunk of any encoding at `bytes[offset]`, without its newest `hidden` samples, those outside the range, and
   * those in `deleted`. `place` names the chunk in errors. Throws CorruptionError and NotSupportedError.
   */
  addChunk(chunk: LentChunk, deleted: readonly Interval[], place: () => string): void {
    try {
      switch (chunk.encoding) {
        case CHUNK_ENCODING.xor:
          this.addXorChunk(chunk, deleted, place);
          return;
        case CHUNK_ENCODING.xor2:
          this.#addXor2Chunk(chunk, deleted);
          return;
        case CHUNK_ENCODING.dense:
          this.#addDenseChunk(chunk, deleted, place);
          return;
        case BUCKETS_ENCODING:
          this.#addBuckets(chunk, deleted);
          return;
        case CHUNK_ENCODING.histogram:
        case CHUNK_ENCODING.floatHistogram:
        case CHUNK_ENCODING.histogramWithStart:
        case CHUNK_ENCODING.floatHistogramWithStart:
          this.#histograms ??= new HistogramRun(this.#range, this.#budget);
          this.#histograms.addChunk(chunk, deleted, (timestampMs) => this.#hasFloat(timestampMs));
          return;
        default:
          throw new NotSupportedError(`reading chunks of encoding ${chunk.encoding} (${place()})`);
      }
    } catch (cause) {
      if (!(cause instanceof DecodeError)) throw cause;
      throw new CorruptionError(place(), `malformed chunk: ${cause.message}`, { cause });
    }
  }

  /**
   * Adds the XOR chunk at `bytes[offset]`, without its newest `hidden` samples, those outside the range, and those in
   * `deleted`. `place` names the chunk in errors.
   */
  addXorChunk(chunk: ChunkBytes, deleted: readonly Interval[], place: () => string): void {
    const claimed = chunk.length < 2 ? 0 : xorCount(chunk.bytes, chunk.offset);
    // Each sample after the first takes at least two bits, so a lying count is found before memory is taken for it.
    if (claimed > chunk.length * 8) throw new CorruptionError(place(), 'malformed chunk');
    this.#budget.take(claimed * SAMPLE_BYTES);
    this.#reserve(claimed);
    const start = this.#count;
    const kept = xorDecodePart(
      chunk,
      chunk.hidden === 0 ? this.#part : { ...this.#part, hidden: chunk.hidden },
      this.#timestampsMs,
      this.#words,
      start,
    );
    if (kept === XOR_MALFORMED) throw new CorruptionError(place(), 'malformed chunk');
    this.#count = start + kept;
    for (const interval of deleted) this.#remove(start, interval);
    this.#join(start);
    this.#budget.give((claimed - (this.#count - start)) * SAMPLE_BYTES);
  }

  /** Adds samples in ascending order of time, without those outside the range. The columns are copied. */
  addSamples(
    timestampsMs: Float64Array,
    words: Uint32Array,
    count: number,
    startTimestampsMs: Float64Array | null = null,
  ): void {
    this.#budget.take(count * SAMPLE_BYTES);
    this.#reserve(count);
    const start = this.#count;
    this.#timestampsMs.set(timestampsMs.subarray(0, count), start);
    this.#words.set(words.subarray(0, count * 2), start * 2);
    if (startTimestampsMs !== null) this.#setStarts(startTimestampsMs.subarray(0, count), start);
    this.#trim(start, start + count, []);
    this.#join(start);
    this.#budget.give((count - (this.#count - start)) * SAMPLE_BYTES);
  }

  addNewest(timestampMs: number, valueLow: number, valueHigh: number): boolean {
    if (!this.#isNewestOnly) return false;
    this.#budget.take(SAMPLE_BYTES);
    this.#reserve(1);
    const at = this.#count;
    this.#timestampsMs[at] = timestampMs;
    this.#words[at * 2] = valueLow;
    this.#words[at * 2 + 1] = valueHigh;
    this.#count = at + 1;
    this.#join(at);
    this.#budget.give((1 - (this.#count - at)) * SAMPLE_BYTES);
    return true;
  }

  /** As {@link addSamples}, for histograms that stood in no chunk. */
  addHistograms(samples: readonly TimedHistogram[]): void {
    this.#histograms ??= new HistogramRun(this.#range, this.#budget);
    this.#histograms.addEach(samples.filter(({ timestampMs }) => !this.#hasFloat(timestampMs)));
  }

  /** Forgets what was collected of the series and gives its memory back; returns how many samples that was. */
  discard(): number {
    const count = this.#count - this.#base;
    this.#budget.give(count * SAMPLE_BYTES);
    this.#count = this.#base;
    return count + (this.#histograms?.discard() ?? 0);
  }

  /** The collected columns, which the receiver owns, and a fresh start. */
  take(labels: Labels): SeriesColumns {
    if ((this.#histograms?.count ?? 0) > 0) return this.#takeMixed(labels);
    const { from, to } = this.#nextSeries();
    this.#count = from;
    this.#base = from;
    const starts = someStarts(this.#startsMs?.slice(from, to) ?? null);
    const times = this.#timestampsMs.slice(from, to);
    return floatColumns(labels, times, this.#values.slice(from, to), starts);
  }

  /** Keeps the series until {@link release}, of its floats only the newest if so wanted, and starts the next. */
  hold(labels: Labels, isNewestOnly: boolean): void {
    if ((this.#histograms?.count ?? 0) > 0) {
      this.#held.push({ columns: this.#takeMixed(labels) });
      return;
    }
    if (isNewestOnly && this.#count > this.#base + 1) this.#keepNewest();
    this.#held.push({ labels, ...this.#nextSeries() });
  }

  /**
   * The series held since the last call. They are lent until the next call of this or {@link hold}, or, without `isLent`,
   * copied: all at once, since a buffer for each column of each series would cost more than the samples.
   */
  release(isLent: boolean): SeriesColumns[] {
    const held = this.#held;
    const times = isLent ? this.#timestampsMs : this.#timestampsMs.slice(0, this.#base);
    const values = isLent ? this.#values : this.#values.slice(0, this.#base);
    const starts = isLent ? this.#startsMs : (this.#startsMs?.slice(0, this.#base) ?? null);
    this.#held = [];
    this.#startsMs = null;
    this.#base = 0;
    this.#count = 0;
    return held.map((series) =>
      'columns' in series
        ? series.columns
        : floatColumns(
            series.labels,
            times.subarray(series.from, series.to),
            values.subarray(series.from, series.to),
            someStarts(starts?.subarray(series.from, series.to) ?? null),
          ),
    );
  }

  /** Lets another builder have the columns, and with them what is lent. Nothing may be collected any more; idempotent. */
  close(): void {
    if (this.#columns !== null) this.#pool.give(this.#columns);
    this.#columns = null;
  }

  #nextSeries(): { readonly from: number; readonly to: number } {
    const from = this.#base;
    this.#base = this.#count;
    return { from, to: this.#count };
  }

  #keepNewest(): void {
    const newest = this.#count - 1;
    const base = this.#base;
    this.#timestampsMs[base] = this.#timestampsMs[newest]!;
    this.#words[base * 2] = this.#words[newest * 2]!;
    this.#words[base * 2 + 1] = this.#words[newest * 2 + 1]!;
    if (this.#startsMs !== null) this.#startsMs[base] = this.#startsMs[newest]!;
    this.#budget.give((newest - base) * SAMPLE_BYTES);
    this.#count = base + 1;
  }

  /** Floats and histograms by time, of which no two have the same. */
  #takeMixed(labels: Labels): SeriesColumns {
    const entries = this.#histograms?.take() ?? [];
    const base = this.#base;
    const floats = this.#count - base;
    this.#count = base;
    const timestampsMs = new Float64Array(floats + entries.length);
    const values = new Float64Array(floats + entries.length);
    const words = new Uint32Array(values.buffer);
    const startsMs = new Float64Array(floats + entries.length);
    const histograms: (FloatHistogram | null)[] = [];
    let i = 0;
    let j = 0;
    while (i < floats || j < entries.length) {
      const at = histograms.length;
      const floatMs = i < floats ? this.#timestampsMs[base + i]! : Number.POSITIVE_INFINITY;
      const entry = entries[j];
      if (entry !== undefined && entry.timestampMs < floatMs) {
        timestampsMs[at] = entry.timestampMs;
        startsMs[at] = entry.startTimestampMs;
        histograms.push(entry.histogram);
        j++;
      } else {
        timestampsMs[at] = floatMs;
        words[at * 2] = this.#words[(base + i) * 2]!;
        words[at * 2 + 1] = this.#words[(base + i) * 2 + 1]!;
        startsMs[at] = this.#startsMs?.[base + i] ?? 0;
        histograms.push(null);
        i++;
      }
    }
    const count = histograms.length;
    return {
      labels,
      count,
      timestampsMs,
      values,
      histograms,
      startTimestampsMs: someStarts(startsMs),
      replica: '',
    };
  }

  #addDenseChunk(chunk: ChunkBytes, deleted: readonly Interval[], place: () => string): void {
    const { bytes, offset, length, hidden } = chunk;
    // The format's limit on the count bounds what a lying chunk may take.
    const claimed = denseCount(bytes, offset, length);
    if (claimed === DENSE_MALFORMED) throw new CorruptionError(place(), 'malformed chunk');
    this.#budget.take(claimed * SAMPLE_BYTES);
    this.#reserve(claimed);
    const start = this.#count;
    const decoded = denseDecode(bytes, offset, length, this.#timestampsMs, this.#words, start);
    if (decoded === DENSE_MALFORMED) throw new CorruptionError(place(), 'malformed chunk');
    this.#trim(start, start + decoded - hidden, deleted);
    this.#join(start);
    this.#budget.give((claimed - (this.#count - start)) * SAMPLE_BYTES);
  }

  #addXor2Chunk(chunk: ChunkBytes, deleted: readonly Interval[]): void {
    const columns = xor2Decode(chunk.bytes, chunk.offset, chunk.length);
    const hasStarts = hasFloatStartTimes(CHUNK_ENCODING.xor2, chunk.bytes, chunk.offset);
    this.#budget.take(columns.count * SAMPLE_BYTES);
    this.#reserve(columns.count);
    const start = this.#count;
    this.#timestampsMs.set(columns.timestampsMs, start);
    this.#words.set(columns.valueWords, start * 2);
    if (hasStarts) this.#setStarts(columns.startTimestampsMs, start);
    this.#trim(start, start + columns.count - chunk.hidden, deleted);
    this.#join(start);
    this.#budget.give((columns.count - (this.#count - start)) * SAMPLE_BYTES);
  }

  /** The last sample of each bucket. */
  #addBuckets(chunk: ChunkBytes, deleted: readonly Interval[]): void {
    const table = new BucketTable(bucketResolutionMs(chunk));
    decodeBuckets(chunk, table, LAST_SAMPLES);
    table.remove(0, deleted);
    const { lastTimesMs, lastValues } = table.columns;
    this.addSamples(lastTimesMs, wordsOf(lastValues), table.count);
  }

  /** Keeps what is in the range and not deleted of the samples from `start` to `end`. */
  #trim(start: number, end: number, deleted: readonly Interval[]): void {
    const { minMs, maxMs } = this.#range;
    const times = this.#timestampsMs;
    let from = start;
    let to = end;
    while (from < to && times[from]! < minMs) from++;
    while (to > from && times[to - 1]! > maxMs) to--;
    if (from > start) {
      times.copyWithin(start, from, to);
      this.#words.copyWithin(start * 2, from * 2, to * 2);
      this.#startsMs?.copyWithin(start, from, to);
    }
    this.#count = start + to - from;
    for (const interval of deleted) this.#remove(start, interval);
  }

  #remove(start: number, interval: Interval): void {
    const times = this.#timestampsMs;
    let from = start;
    while (from < this.#count && times[from]! < interval.minMs) from++;
    let to = from;
    while (to < this.#count && times[to]! <= interval.maxMs) to++;
    if (to === from) return;
    times.copyWithin(from, to, this.#count);
    this.#words.copyWithin(from * 2, to * 2, this.#count * 2);
    this.#startsMs?.copyWithin(from, to, this.#count);
    this.#count -= to - from;
  }

  /**
   * Samples from `start` on must come after those before it. Sources overlap while a block has been written and the head
   * not yet truncated, where blocks overlap, and where samples came out of order: then the two runs are merged, the
   * earlier source winning a tie. What is older than the second run stays where it is, so that many overlapping blocks
   * cost no more than what they overlap.
   */
  #join(start: number): void {
    if ((this.#histograms?.count ?? 0) > 0) this.#dropShown(start);
    const times = this.#timestampsMs;
    if (start === this.#base || this.#count === start || times[start]! > times[start - 1]!) return;
    const words = this.#words;
    const end = this.#count;
    const from = firstNotBefore(times, this.#base, start, times[start]!);
    const mergedTimes = new Float64Array(end - from);
    const mergedWords = new Uint32Array((end - from) * 2);
    const starts = this.#startsMs;
    const mergedStarts = starts === null ? null : new Float64Array(end - from);
    let count = 0;
    let i = from;
    let j = start;
    while (i < start || j < end) {
      const takeFirst = j >= end || (i < start && times[i]! <= times[j]!);
      const taken = takeFirst ? i : j;
      if (takeFirst) {
        if (j < end && times[j] === times[i]) j++;
        i++;
      } else j++;
      mergedTimes[count] = times[taken]!;
      mergedWords[count * 2] = words[taken * 2]!;
      mergedWords[count * 2 + 1] = words[taken * 2 + 1]!;
      if (mergedStarts !== null) mergedStarts[count] = starts?.[taken] ?? 0;
      count++;
    }
    times.set(mergedTimes.subarray(0, count), from);
    words.set(mergedWords.subarray(0, count * 2), from * 2);
    if (mergedStarts !== null) starts?.set(mergedStarts.subarray(0, count), from);
    this.#count = from + count;
  }

  /** Drops those of the samples from `start` on whose times have histograms: an earlier source gave them. */
  #dropShown(start: number): void {
    const times = this.#timestampsMs;
    let count = start;
    for (let i = start; i < this.#count; i++) {
      if (this.#histograms?.has(times[i]!) === true) continue;
      times[count] = times[i]!;
      this.#words[count * 2] = this.#words[i * 2]!;
      this.#words[count * 2 + 1] = this.#words[i * 2 + 1]!;
      if (this.#startsMs !== null) this.#startsMs[count] = this.#startsMs[i]!;
      count++;
    }
    this.#count = count;
  }

  #hasFloat(timestampMs: number): boolean {
    const at = firstNotBefore(this.#timestampsMs, this.#base, this.#count, timestampMs);
    return at < this.#count && this.#timestampsMs[at] === timestampMs;
  }

  /** Start timestamps of the samples from `start` on, which are in the columns already. */
  #setStarts(startTimestampsMs: Float64Array, start: number): void {
    this.#startsMs ??= new Float64Array(this.#timestampsMs.length);
    this.#startsMs.set(startTimestampsMs, start);
  }

  #reserve(more: number): void {
    const needed = this.#count + more;
    // Samples without start timestamps leave theirs as they were: unknown.
    this.#startsMs?.fill(0, this.#count, needed);
    if (needed <= this.#timestampsMs.length) return;
    assert(this.#columns !== null, 'a builder collects until it is closed');
    const size = Math.max(needed, this.#timestampsMs.length * 2);
    const columns = grownColumns(this.#columns, this.#count, size);
    this.#columns = columns;
    this.#timestampsMs = columns.timestampsMs;
    this.#words = columns.words;
    this.#values = columns.values;
    if (this.#startsMs === null) return;
    const starts = new Float64Array(size);
    starts.set(this.#startsMs.subarray(0, this.#count));
    this.#startsMs = starts;
  }
}

/** Null when all are unknown. */
function someStarts(startsMs: Float64Array | null): Float64Array | null {
  return startsMs?.some((startMs) => startMs !== 0) === true ? startsMs : null;
}

function floatColumns(
  labels: Labels,
  timestampsMs: Float64Array,
  values: Float64Array,
  startTimestampsMs: Float64Array | null,
): SeriesColumns {
  return {
    labels,
    count: timestampsMs.length,
    timestampsMs,
    values,
    histograms: null,
    startTimestampsMs,
    replica: '',
  };
}
