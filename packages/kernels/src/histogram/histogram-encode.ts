import { assert } from '@pollux/base';
import { BitWriter } from '../bits/bit-writer.ts';
import {
  type StartTimeState,
  startTimeHeader,
  startTimeState,
  writeStartTime,
} from '../bits/start-time.ts';
import { createXorValues, writeXorValue, type XorValues } from '../bits/xor-value.ts';
import {
  COUNTER_RESET_HEADERS,
  type CounterResetHeader,
  HISTOGRAM_HEADER_BYTES,
  isStaleSum,
} from './histogram-decode.ts';
import {
  bucketsOf,
  EMPTY_HISTOGRAM_LAYOUT,
  type HistogramLayout,
  writeLayout,
} from './histogram-layout.ts';

/** Counts of integer chunks are at most this, so that the second differences of bucket differences stay exact. */
export const MAX_INTEGER_COUNT = 2 ** 50;

const MAX_SAMPLES = 0xffff;
const MAX_SAMPLES_WITH_START = 0x3fff;

export type HistogramChunkOptions = {
  /** Encoding 2 or 5, else 3 or 6. All counts are whole then, and at most {@link MAX_INTEGER_COUNT}. */
  readonly isInteger: boolean;
  /** Encoding 5 or 6. */
  readonly hasStartTimes: boolean;
  readonly counterReset: CounterResetHeader;
  /** Left aside when the first sample is a stale marker. */
  readonly layout: HistogramLayout;
};

/** A chunk of native histograms that grows; byte for byte what Prometheus writes. Layout in `histogram-chunk.md`. */
export class HistogramChunk {
  readonly isInteger: boolean;
  readonly hasStartTimes: boolean;
  readonly counterReset: CounterResetHeader;
  readonly #writer = new BitWriter();
  readonly #start: StartTimeState = startTimeState(0);
  #layout: HistogramLayout;
  #positive = 0;
  #buckets = 0;
  #count = 0;
  #lastMs = 0;
  #timeDelta = 0;
  /** Of an integer chunk the sum, of a float chunk all values. */
  #xor: XorValues;
  /** Of an integer chunk count, zero count and each bucket's difference to its neighbour; and how these last changed. */
  #last = new Float64Array(0);
  #delta = new Float64Array(0);

  constructor(options: HistogramChunkOptions) {
    this.isInteger = options.isInteger;
    this.hasStartTimes = options.hasStartTimes;
    this.counterReset = options.counterReset;
    this.#layout = options.layout;
    this.#xor = createXorValues(0, true);
  }

  get layout(): HistogramLayout {
    return this.#layout;
  }

  get encoding(): number {
    return (this.isInteger ? 2 : 3) + (this.hasStartTimes ? 3 : 0);
  }

  get count(): number {
    return this.#count;
  }

  get isFull(): boolean {
    return this.#count === (this.hasStartTimes ? MAX_SAMPLES_WITH_START : MAX_SAMPLES);
  }

  get byteLength(): number {
    return this.#writer.byteLength;
  }

  /** The chunk is in `[0, byteLength)`; lent until the next append. */
  get bytes(): Uint8Array {
    return this.#writer.buffer;
  }

  get isLastStale(): boolean {
    const at = this.isInteger ? 0 : 2;
    const { words } = this.#xor;
    return this.#count > 0 && isStaleSum(words[at * 2 + 1]!, words[at * 2]!);
  }

  get lastTimestampMs(): number {
    return this.#lastMs;
  }

  /** The last histogram's values, as {@link append} took them; lent until the next append. Not for a stale marker. */
  lastValues(): Float64Array {
    if (!this.isInteger) return new Float64Array(this.#xor.words.buffer);
    const values = new Float64Array(3 + this.#buckets);
    const words = new Uint32Array(values.buffer);
    values[0] = this.#last[0]!;
    values[1] = this.#last[1]!;
    words.set(this.#xor.words.subarray(0, 2), 4);
    let absolute = 0;
    for (let k = 0; k < this.#buckets; k++) {
      absolute = (k === this.#positive ? 0 : absolute) + this.#last[2 + k]!;
      values[3 + k] = absolute;
    }
    return values;
  }

  /**
   * Appends the histogram whose values are in `values` from `start` on (as in HistogramColumns, of this chunk's layout),
   * later than the last one. One whose sum is the stale marker needs only the sum; after it only such may follow.
   */
  append(timestampMs: number, values: Float64Array, start: number, startTimestampMs: number): void {
    assert(!this.isFull, 'a histogram chunk got too many samples');
    const words = new Uint32Array(values.buffer, values.byteOffset, values.length * 2);
    const isStale = isStaleSum(words[(start + 2) * 2 + 1]!, words[(start + 2) * 2]!);
    const beforeMs = this.#lastMs;
    if (this.#count === 0) this.#begin(isStale);
    this.#writeTime(timestampMs);
    if (this.isInteger) this.#writeIntegers(values, words, start, isStale);
    else this.#writeFloats(words, start, isStale);
    if (this.hasStartTimes) {
      const sample = { index: this.#count, nowMs: timestampMs, beforeMs };
      writeStartTime(this.#writer, this.#start, sample, startTimestampMs);
    }
    this.#count++;
    this.#writeHeader();
  }

  #begin(isStale: boolean): void {
    if (isStale) this.#layout = EMPTY_HISTOGRAM_LAYOUT;
    const { positiveSpans, negativeSpans } = this.#layout;
    this.#positive = bucketsOf(positiveSpans);
    this.#buckets = this.#positive + bucketsOf(negativeSpans);
    this.#xor = createXorValues(this.isInteger ? 1 : 3 + this.#buckets, true);
    if (this.isInteger) {
      this.#last = new Float64Array(2 + this.#buckets);
      this.#delta = new Float64Array(2 + this.#buckets);
    }
    this.#writer.bits(0, HISTOGRAM_HEADER_BYTES * 8);
    writeLayout(this.#writer, this.#layout);
  }

  #writeHeader(): void {
    const flag = COUNTER_RESET_HEADERS.indexOf(this.counterReset) << 6;
    const count = this.#count;
    const writer = this.#writer;
    writer.patch(0, this.hasStartTimes ? flag | (count >>> 8) : count >>> 8);
    writer.patch(1, count & 0xff);
    writer.patch(2, this.hasStartTimes ? startTimeHeader(this.#start) : flag);
  }

  #writeTime(timestampMs: number): void {
    if (this.#count === 0) this.#writer.varbitInt(timestampMs);
    else {
      const delta = timestampMs - this.#lastMs;
      this.#writer.varbitInt(delta - this.#timeDelta);
      this.#timeDelta = delta;
    }
    this.#lastMs = timestampMs;
  }

  #writeIntegers(values: Float64Array, words: Uint32Array, start: number, isStale: boolean): void {
    const writer = this.#writer;
    const sumLow = words[(start + 2) * 2]!;
    const sumHigh = words[(start + 2) * 2 + 1]!;
    if (this.#count === 0) {
      writer.varbitUint(isStale ? 0 : values[start]!);
      writer.varbitUint(isStale ? 0 : values[start + 1]!);
      writer.words(sumHigh, sumLow);
      this.#xor.words[0] = sumLow;
      this.#xor.words[1] = sumHigh;
      if (isStale) return;
      this.#last[0] = values[start]!;
      this.#last[1] = values[start + 1]!;
    } else {
      writer.varbitInt(isStale ? 0 : this.#change(0, values[start]!));
      writer.varbitInt(isStale ? 0 : this.#change(1, values[start + 1]!));
      writeXorValue(writer, this.#xor, 0, sumLow, sumHigh);
      if (isStale) return;
    }
    let previous = 0;
    for (let k = 0; k < this.#buckets; k++) {
      if (k === this.#positive) previous = 0;
      const absolute = values[start + 3 + k]!;
      const difference = absolute - previous;
      previous = absolute;
      if (this.#count === 0) {
        this.#last[2 + k] = difference;
        writer.varbitInt(difference);
      } else writer.varbitInt(this.#change(2 + k, difference));
    }
  }

  /** The second difference of element `index`, which takes the value. */
  #change(index: number, value: number): number {
    const delta = value - this.#last[index]!;
    const second = delta - this.#delta[index]!;
    this.#last[index] = value;
    this.#delta[index] = delta;
    return second;
  }

  #writeFloats(words: Uint32Array, start: number, isStale: boolean): void {
    const writer = this.#writer;
    const size = isStale ? 3 : 3 + this.#buckets;
    for (let k = 0; k < size; k++) {
      const isLeftOut = isStale && k < 2;
      const low = isLeftOut ? 0 : words[(start + k) * 2]!;
      const high = isLeftOut ? 0 : words[(start + k) * 2 + 1]!;
      if (this.#count > 0) writeXorValue(writer, this.#xor, k, low, high);
      else {
        writer.words(high, low);
        this.#xor.words[k * 2] = low;
        this.#xor.words[k * 2 + 1] = high;
      }
    }
  }
}
