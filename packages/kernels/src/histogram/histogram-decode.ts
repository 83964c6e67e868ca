import { DecodeError } from '@pollux/base';
import { BitReader } from '../bits/bit-reader.ts';
import { readStartTime, type StartTimeState, startTimeState } from '../bits/start-time.ts';
import { createXorValues, readXorValue, type XorValues } from '../bits/xor-value.ts';
import {
  bucketsOf,
  EMPTY_HISTOGRAM_LAYOUT,
  type HistogramLayout,
  readLayout,
} from './histogram-layout.ts';

/** Encodings of Prometheus' chunks that hold native histograms; layout in `histogram-chunk.md`. */
export const HISTOGRAM_ENCODING = {
  integer: 2,
  float: 3,
  integerWithStart: 5,
  floatWithStart: 6,
} as const;

const INTEGER_ENCODINGS: ReadonlySet<number> = new Set([
  HISTOGRAM_ENCODING.integer,
  HISTOGRAM_ENCODING.integerWithStart,
]);

/** What a chunk's header says of the change from the chunk before. */
export type CounterResetHeader = 'unknown' | 'reset' | 'not-reset' | 'gauge';

/** Position in this list is the number on disk. */
export const COUNTER_RESET_HEADERS: readonly CounterResetHeader[] = [
  'unknown',
  'not-reset',
  'reset',
  'gauge',
];

export const HISTOGRAM_HEADER_BYTES = 3;

/** The histograms of one chunk as columns. */
export type HistogramColumns = {
  readonly isInteger: boolean;
  readonly counterReset: CounterResetHeader;
  readonly layout: HistogramLayout;
  readonly count: number;
  readonly timestampsMs: Float64Array;
  /** Null for encodings without; 0 where it is not known. */
  readonly startTimestampsMs: Float64Array | null;
  /**
   * Of sample i from `starts[i]` on: count, count of the zero bucket, sum, then the absolute counts of the positive and of
   * the negative buckets. A stale marker has the first three only, and none but its sum means anything.
   */
  readonly values: Float64Array;
  readonly starts: Uint32Array;
};

/** Half of Prometheus' stale marker; the other half is 2. */
const STALE_HIGH = 0x7ff00000;

/** True when the bits are those of the stale marker. */
export function isStaleSum(high: number, low: number): boolean {
  return high === STALE_HIGH && low === 2;
}

/** Number of histograms in the chunk at `bytes[offset]`. */
export function histogramCount(bytes: Uint8Array, offset: number, encoding: number): number {
  const count = (bytes[offset]! << 8) | bytes[offset + 1]!;
  return hasStartTimes(encoding) ? count & 0x3fff : count;
}

/**
 * Decodes the chunk of `encoding` in `bytes[offset, offset + length)`. Throws DecodeError when it is malformed, and for
 * integers beyond 2^53. Memory is proportional to the bits that are there, whatever the header claims.
 */
export function decodeHistograms(
  bytes: Uint8Array,
  offset: number,
  length: number,
  encoding: number,
): HistogramColumns {
  if (length < HISTOGRAM_HEADER_BYTES || offset + length > bytes.length) {
    throw new DecodeError('histogram chunk too short', offset);
  }
  const claimed = histogramCount(bytes, offset, encoding);
  // A sample takes at least four bits.
  if (claimed > length * 2) throw new DecodeError('more samples than bits', offset);
  const reader = new BitReader(bytes, offset + HISTOGRAM_HEADER_BYTES, offset + length);
  const isInteger = INTEGER_ENCODINGS.has(encoding);
  const timestampsMs = new Float64Array(claimed);
  const startTimestampsMs = hasStartTimes(encoding) ? new Float64Array(claimed) : null;
  const rows = new Rows(claimed);
  let layout: HistogramLayout | null = null;
  if (claimed > 0) {
    layout = readLayout(reader);
    const positive = bucketsOf(layout.positiveSpans);
    const buckets = positive + bucketsOf(layout.negativeSpans);
    const start = startTimestampsMs === null ? null : startTimeState(bytes[offset + 2]!);
    const times = { timestampsMs, startTimestampsMs, start };
    if (isInteger) readIntegers(reader, rows, times, { positive, buckets });
    else readFloats(reader, rows, times, buckets);
  }
  return {
    isInteger,
    counterReset: counterResetOf(bytes, offset, encoding),
    layout: layout ?? EMPTY_HISTOGRAM_LAYOUT,
    count: claimed,
    timestampsMs,
    startTimestampsMs,
    values: rows.values,
    starts: rows.starts,
  };
}

function counterResetOf(bytes: Uint8Array, offset: number, encoding: number): CounterResetHeader {
  return COUNTER_RESET_HEADERS[bytes[hasStartTimes(encoding) ? offset : offset + 2]! >>> 6]!;
}

function hasStartTimes(encoding: number): boolean {
  return encoding >= HISTOGRAM_ENCODING.integerWithStart;
}

/** Rows of values that grow as they are read. */
class Rows {
  readonly starts: Uint32Array;
  values = new Float64Array(64);
  words = new Uint32Array(this.values.buffer);
  used = 0;

  constructor(count: number) {
    this.starts = new Uint32Array(count);
  }

  /** Begins row `index` with room for `size` values; returns its start. */
  begin(index: number, size: number): number {
    const start = this.used;
    this.starts[index] = start;
    this.used += size;
    if (this.used > this.values.length) {
      const grown = new Float64Array(Math.max(this.used, this.values.length * 2));
      new Uint32Array(grown.buffer).set(this.words);
      this.values = grown;
      this.words = new Uint32Array(grown.buffer);
    }
    return start;
  }
}

type Times = {
  readonly timestampsMs: Float64Array;
  readonly startTimestampsMs: Float64Array | null;
  readonly start: StartTimeState | null;
};

function readIntegers(
  reader: BitReader,
  rows: Rows,
  times: Times,
  shape: { readonly positive: number; readonly buckets: number },
): void {
  const { positive, buckets } = shape;
  const { timestampsMs } = times;
  const sum = createXorValues(1, false);
  // Count, zero count, then each bucket's difference to its neighbour; and how these last changed.
  const last = new Float64Array(2 + buckets);
  const delta = new Float64Array(2 + buckets);
  let timeDelta = 0;
  for (let i = 0; i < timestampsMs.length; i++) {
    if (i === 0) {
      timestampsMs[0] = reader.varbitInt();
      last[0] = reader.varbitUint();
      last[1] = reader.varbitUint();
      sum.words[1] = reader.words();
      sum.words[0] = reader.low;
    } else {
      timeDelta += reader.varbitInt();
      timestampsMs[i] = timestampsMs[i - 1]! + timeDelta;
      for (let k = 0; k < 2; k++) {
        delta[k] = delta[k]! + reader.varbitInt();
        last[k] = last[k]! + delta[k]!;
      }
      readXorValue(reader, sum, 0);
    }
    const isStale = isStaleSum(sum.words[1]!, sum.words[0]!);
    const start = rows.begin(i, isStale ? 3 : 3 + buckets);
    rows.values[start] = last[0]!;
    rows.values[start + 1] = last[1]!;
    rows.words[(start + 2) * 2] = sum.words[0]!;
    rows.words[(start + 2) * 2 + 1] = sum.words[1]!;
    if (!isStale) {
      let absolute = 0;
      for (let k = 0; k < buckets; k++) {
        const read = reader.varbitInt();
        if (i === 0) last[2 + k] = read;
        else {
          delta[2 + k] = delta[2 + k]! + read;
          last[2 + k] = last[2 + k]! + delta[2 + k]!;
        }
        absolute = (k === positive ? 0 : absolute) + last[2 + k]!;
        rows.values[start + 3 + k] = absolute;
      }
    }
    readStart(reader, times, i);
  }
}

function readFloats(reader: BitReader, rows: Rows, times: Times, buckets: number): void {
  const { timestampsMs } = times;
  const state = createXorValues(3 + buckets, false);
  let timeDelta = 0;
  for (let i = 0; i < timestampsMs.length; i++) {
    const read = i === 0 ? readWholeValue : readXorValue;
    if (i === 0) timestampsMs[0] = reader.varbitInt();
    else {
      timeDelta += reader.varbitInt();
      timestampsMs[i] = timestampsMs[i - 1]! + timeDelta;
    }
    for (let k = 0; k < 3; k++) read(reader, state, k);
    const isStale = isStaleSum(state.words[5]!, state.words[4]!);
    const size = isStale ? 3 : 3 + buckets;
    for (let k = 3; k < size; k++) read(reader, state, k);
    const start = rows.begin(i, size);
    rows.words.set(state.words.subarray(0, size * 2), start * 2);
    readStart(reader, times, i);
  }
}

function readWholeValue(reader: BitReader, state: XorValues, index: number): void {
  state.words[index * 2 + 1] = reader.words();
  state.words[index * 2] = reader.low;
}

function readStart(reader: BitReader, times: Times, index: number): void {
  if (times.start === null || times.startTimestampsMs === null) return;
  const before = index === 0 ? 0 : times.timestampsMs[index - 1]!;
  const now = times.timestampsMs[index]!;
  times.startTimestampsMs[index] = readStartTime(reader, times.start, index, now, before);
}
