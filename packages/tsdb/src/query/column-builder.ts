import { XOR_MALFORMED, xorCount, xorDecode } from '@pollux/kernels';
import type { Labels } from '@pollux/model';
import type { MemoryBudget, SeriesColumns, TimeRange } from '@pollux/storage';
import { CorruptionError } from '../errors.ts';
import type { Interval } from '../head/intervals.ts';

/** Bytes of a sample in a query's columns. */
const SAMPLE_BYTES = 16;

/**
 * Collects the samples of one series from its chunks, oldest source first, into columns that the receiver will own. The
 * working memory is used again for the next series.
 */
export class ColumnBuilder {
  readonly #range: TimeRange;
  readonly #budget: MemoryBudget;
  #timestampsMs = new Float64Array(1024);
  #words = new Uint32Array(2048);
  #count = 0;

  constructor(range: TimeRange, budget: MemoryBudget) {
    this.#range = range;
    this.#budget = budget;
  }

  get count(): number {
    return this.#count;
  }

  /** True when a chunk of these bounds may hold samples of the range. */
  overlaps(minMs: number, maxMs: number): boolean {
    return maxMs >= this.#range.minMs && minMs <= this.#range.maxMs;
  }

  /**
   * Adds the XOR chunk at `bytes[offset]`, without its newest `hidden` samples, those outside the range, and those in
   * `deleted`. `place` names the chunk in errors.
   */
  addXorChunk(
    chunk: {
      readonly bytes: Uint8Array;
      readonly offset: number;
      readonly length: number;
      readonly hidden: number;
    },
    deleted: readonly Interval[],
    place: () => string,
  ): void {
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

  /** The collected columns, and a fresh start. */
  take(labels: Labels): SeriesColumns {
    const count = this.#count;
    this.#count = 0;
    const values = new Float64Array(count);
    new Uint32Array(values.buffer).set(this.#words.subarray(0, count * 2));
    return {
      labels,
      count,
      timestampsMs: this.#timestampsMs.slice(0, count),
      values,
      histograms: null,
      startTimestampsMs: null,
      replica: '',
    };
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
   * Samples from `start` on must come after those before it. Sources overlap only while a block has been written and the
   * head not yet truncated, or where blocks overlap: then the two runs are merged, the earlier source winning a tie.
   */
  #join(start: number): void {
    const times = this.#timestampsMs;
    if (start === 0 || this.#count === start || times[start]! > times[start - 1]!) return;
    const words = this.#words;
    const size = this.#count;
    const mergedTimes = new Float64Array(size);
    const mergedWords = new Uint32Array(size * 2);
    let count = 0;
    let i = 0;
    let j = start;
    while (i < start || j < size) {
      const takeFirst = j >= size || (i < start && times[i]! <= times[j]!);
      const from = takeFirst ? i : j;
      if (takeFirst) {
        if (j < size && times[j] === times[i]) j++;
        i++;
      } else j++;
      mergedTimes[count] = times[from]!;
      mergedWords[count * 2] = words[from * 2]!;
      mergedWords[count * 2 + 1] = words[from * 2 + 1]!;
      count++;
    }
    this.#budget.give((size - count) * SAMPLE_BYTES);
    times.set(mergedTimes.subarray(0, count));
    words.set(mergedWords.subarray(0, count * 2));
    this.#count = count;
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
  }
}
