import { DecodeError } from '@pollux/base';
import {
  DENSE_MALFORMED,
  denseCount,
  denseDecode,
  XOR_MALFORMED,
  xor2Decode,
  xorCount,
  xorDecode,
} from '@pollux/kernels';
import { type FloatHistogram, type Labels, wordsOf } from '@pollux/model';
import type { MemoryBudget, SeriesColumns, TimeRange } from '@pollux/storage';
import { bucketResolutionMs, decodeBuckets } from '../downsample/bucket-chunk.ts';
import { BucketTable, type TableColumn } from '../downsample/bucket-table.ts';
import { CorruptionError, NotSupportedError } from '../errors.ts';
import { BUCKETS_ENCODING, CHUNK_ENCODING } from '../format/chunk-file.ts';
import type { Interval } from '../head/intervals.ts';
import { HistogramRun, type TimedHistogram } from './histogram-run.ts';

const LAST_SAMPLES: ReadonlySet<TableColumn> = new Set();
/** Bytes of a sample in a query's columns. */
const SAMPLE_BYTES = 16;

type ChunkBytes = {
  readonly bytes: Uint8Array;
  readonly offset: number;
  readonly length: number;
  readonly hidden: number;
};

/**
 * Collects the samples of one series from its chunks, oldest source first, into columns that the receiver will own. Of two
 * samples at one time, floats or histograms, the earlier source's is shown. The working memory is used again for the next
 * series.
 */
export class ColumnBuilder {
  readonly #range: TimeRange;
  readonly #budget: MemoryBudget;
  #timestampsMs = new Float64Array(1024);
  #words = new Uint32Array(2048);
  /** The words as values. */
  #values = new Float64Array(this.#words.buffer);
  #count = 0;
  /** Null while the series has shown none. */
  #histograms: HistogramRun | null = null;

  constructor(range: TimeRange, budget: MemoryBudget) {
    this.#range = range;
    this.#budget = budget;
  }

  get count(): number {
    return this.#count + (this.#histograms?.count ?? 0);
  }

  /** True when a chunk of these bounds may hold samples of the range. */
  overlaps(minMs: number, maxMs: number): boolean {
    return maxMs >= this.#range.minMs && minMs <= this.#range.maxMs;
  }

  /**
   * Adds the chunk of any encoding at `bytes[offset]`, without its newest `hidden` samples, those outside the range, and
   * those in `deleted`. `place` names the chunk in errors. Throws CorruptionError and NotSupportedError.
   */
  addChunk(
    chunk: ChunkBytes & { readonly encoding: number },
    deleted: readonly Interval[],
    place: () => string,
  ): void {
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
    const decoded = xorDecode(
      chunk.bytes,
      chunk.offset,
      chunk.length,
      this.#timestampsMs,
      this.#words,
      start,
    );
    if (decoded === XOR_MALFORMED) throw new CorruptionError(place(), 'malformed chunk');
    this.#trim(start, start + decoded - chunk.hidden, deleted);
    this.#join(start);
    this.#budget.give((claimed - (this.#count - start)) * SAMPLE_BYTES);
  }

  /** Adds samples in ascending order of time, without those outside the range. The columns are copied. */
  addSamples(timestampsMs: Float64Array, words: Uint32Array, count: number): void {
    this.#budget.take(count * SAMPLE_BYTES);
    this.#reserve(count);
    const start = this.#count;
    this.#timestampsMs.set(timestampsMs.subarray(0, count), start);
    this.#words.set(words.subarray(0, count * 2), start * 2);
    this.#trim(start, start + count, []);
    this.#join(start);
    this.#budget.give((count - (this.#count - start)) * SAMPLE_BYTES);
  }

  /** As {@link addSamples}, for histograms that stood in no chunk. */
  addHistograms(samples: readonly TimedHistogram[]): void {
    this.#histograms ??= new HistogramRun(this.#range, this.#budget);
    this.#histograms.addEach(samples.filter(({ timestampMs }) => !this.#hasFloat(timestampMs)));
  }

  /** Forgets what was collected and gives its memory back; returns how many samples that was. */
  discard(): number {
    const count = this.#count;
    this.#budget.give(count * SAMPLE_BYTES);
    this.#count = 0;
    return count + (this.#histograms?.discard() ?? 0);
  }

  /** The collected columns, and a fresh start. */
  take(labels: Labels): SeriesColumns {
    if ((this.#histograms?.count ?? 0) > 0) return this.#takeMixed(labels);
    const count = this.#count;
    this.#count = 0;
    // Slices of columns of one kind are copied as bytes, and short ones need no buffer of their own.
    return {
      labels,
      count,
      timestampsMs: this.#timestampsMs.slice(0, count),
      values: this.#values.slice(0, count),
      histograms: null,
      startTimestampsMs: null,
      replica: '',
    };
  }

  /** Floats and histograms by time, of which no two have the same. */
  #takeMixed(labels: Labels): SeriesColumns {
    const entries = this.#histograms?.take() ?? [];
    const floats = this.#count;
    this.#count = 0;
    const timestampsMs = new Float64Array(floats + entries.length);
    const values = new Float64Array(floats + entries.length);
    const words = new Uint32Array(values.buffer);
    const startsMs = new Float64Array(floats + entries.length);
    const histograms: (FloatHistogram | null)[] = [];
    let i = 0;
    let j = 0;
    while (i < floats || j < entries.length) {
      const at = histograms.length;
      const floatMs = i < floats ? this.#timestampsMs[i]! : Number.POSITIVE_INFINITY;
      const entry = entries[j];
      if (entry !== undefined && entry.timestampMs < floatMs) {
        timestampsMs[at] = entry.timestampMs;
        startsMs[at] = entry.startTimestampMs;
        histograms.push(entry.histogram);
        j++;
      } else {
        timestampsMs[at] = floatMs;
        words[at * 2] = this.#words[i * 2]!;
        words[at * 2 + 1] = this.#words[i * 2 + 1]!;
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
      startTimestampsMs: startsMs.some((startMs) => startMs !== 0) ? startsMs : null,
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
    this.#budget.take(columns.count * SAMPLE_BYTES);
    this.#reserve(columns.count);
    const start = this.#count;
    this.#timestampsMs.set(columns.timestampsMs, start);
    this.#words.set(columns.valueWords, start * 2);
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
    if (start === 0 || this.#count === start || times[start]! > times[start - 1]!) return;
    const words = this.#words;
    const end = this.#count;
    const from = lowerBound(times, start, times[start]!);
    const mergedTimes = new Float64Array(end - from);
    const mergedWords = new Uint32Array((end - from) * 2);
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
      count++;
    }
    times.set(mergedTimes.subarray(0, count), from);
    words.set(mergedWords.subarray(0, count * 2), from * 2);
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
      count++;
    }
    this.#count = count;
  }

  #hasFloat(timestampMs: number): boolean {
    const at = lowerBound(this.#timestampsMs, this.#count, timestampMs);
    return at < this.#count && this.#timestampsMs[at] === timestampMs;
  }

  #reserve(more: number): void {
    const needed = this.#count + more;
    if (needed <= this.#timestampsMs.length) return;
    const size = Math.max(needed, this.#timestampsMs.length * 2);
    const times = new Float64Array(size);
    times.set(this.#timestampsMs.subarray(0, this.#count));
    const words = new Uint32Array(size * 2);
    words.set(this.#words.subarray(0, this.#count * 2));
    this.#timestampsMs = times;
    this.#words = words;
    this.#values = new Float64Array(words.buffer);
  }
}

/** The first of the ascending `times[0, end)` that is not before `timeMs`, or `end`. */
function lowerBound(times: Float64Array, end: number, timeMs: number): number {
  let low = 0;
  let high = end;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (times[middle]! < timeMs) low = middle + 1;
    else high = middle;
  }
  return low;
}
