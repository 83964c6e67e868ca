import { type ByteReader, type ByteWriter, DecodeError } from '@pollux/base';
import {
  type CounterResetHint,
  CUSTOM_BUCKETS_SCHEMA,
  type FloatHistogram,
  isStaleAt,
  type Span,
  STALE_NAN_HIGH,
  STALE_NAN_LOW,
  wordsOf,
} from '@pollux/model';
import { isIntegral, staleHistogram, withKnownSchema } from '@pollux/storage';
import { readStart, writeStart } from './wal-start-time.ts';

/** First bytes of the records that hold histograms; layout in `wal-record.md`. */
export const HISTOGRAM_RECORD = {
  integer: 7,
  float: 8,
  customInteger: 9,
  customFloat: 10,
  integerWithStart: 12,
  floatWithStart: 13,
} as const;

export type HistogramRecord = {
  readonly ref: number;
  readonly timestampMs: number;
  /** 0 = unknown. */
  readonly startTimestampMs: number;
  readonly histogram: FloatHistogram;
};

/** Position in this list is the number on disk. */
const HINTS: readonly CounterResetHint[] = ['unknown', 'reset', 'not-reset', 'gauge'];

export function isHistogramRecord(type: number): boolean {
  return Object.values<number>(HISTOGRAM_RECORD).includes(type);
}

/** The type of the record that holds the histogram. One record holds one type. */
export function histogramRecordType(histogram: FloatHistogram, hasStart: boolean): number {
  const isInteger = isIntegral(histogram);
  if (hasStart) {
    return isInteger ? HISTOGRAM_RECORD.integerWithStart : HISTOGRAM_RECORD.floatWithStart;
  }
  const isCustom = !histogram.isStale && histogram.schema === CUSTOM_BUCKETS_SCHEMA;
  if (isCustom) return isInteger ? HISTOGRAM_RECORD.customInteger : HISTOGRAM_RECORD.customFloat;
  return isInteger ? HISTOGRAM_RECORD.integer : HISTOGRAM_RECORD.float;
}

/** Histograms of one log record; a large one takes some hundred bytes. */
const HISTOGRAMS_PER_RECORD = 10_000;

/** The histograms in records of one type each, in their order. */
export function histogramRecordsOf(
  histograms: readonly HistogramRecord[],
): { readonly type: number; readonly histograms: readonly HistogramRecord[] }[] {
  const records: { readonly type: number; readonly histograms: HistogramRecord[] }[] = [];
  for (const entry of histograms) {
    const type = histogramRecordType(entry.histogram, entry.startTimestampMs !== 0);
    const last = records.at(-1);
    const isFull = (last?.histograms.length ?? 0) >= HISTOGRAMS_PER_RECORD;
    if (last === undefined || last.type !== type || isFull) {
      records.push({ type, histograms: [entry] });
    } else last.histograms.push(entry);
  }
  return records;
}

/** Encodes one record; every histogram has this type. */
export function encodeHistograms(
  target: ByteWriter,
  type: number,
  records: readonly HistogramRecord[],
): void {
  target.u8(type);
  const first = records[0];
  if (first === undefined) return;
  const hasStart = hasStartTimes(type);
  const isInteger = holdsIntegers(type);
  if (!hasStart) {
    target.i64(first.ref);
    target.i64(first.timestampMs);
  }
  let previous: HistogramRecord | null = null;
  for (const record of records) {
    const { ref, timestampMs, startTimestampMs, histogram } = record;
    if (!hasStart) {
      target.varint(ref - first.ref);
      target.varint(timestampMs - first.timestampMs);
    } else if (previous === null) {
      target.varint(ref);
      target.varint(timestampMs);
      target.varint(startTimestampMs);
    } else {
      target.varint(ref - previous.ref);
      target.varint(timestampMs - first.timestampMs);
      writeStart(target, startTimestampMs, first.startTimestampMs, previous.startTimestampMs);
    }
    encodeHistogram(target, histogram, isInteger);
    previous = record;
  }
}

/** `source` stands behind the type byte. Throws DecodeError. */
export function decodeHistogramRecords(source: ByteReader, type: number): HistogramRecord[] {
  const records: HistogramRecord[] = [];
  if (source.remaining === 0) return records;
  const hasStart = hasStartTimes(type);
  const isInteger = holdsIntegers(type);
  let ref = hasStart ? source.varint() : source.i64();
  const firstRef = ref;
  const firstMs = hasStart ? source.varint() : source.i64();
  const firstStartMs = hasStart ? source.varint() : 0;
  let timestampMs = firstMs;
  let startTimestampMs = firstStartMs;
  for (let i = 0; source.remaining > 0; i++) {
    if (!hasStart) {
      ref = firstRef + source.varint();
      timestampMs = firstMs + source.varint();
    } else if (i > 0) {
      ref += source.varint();
      timestampMs = firstMs + source.varint();
      startTimestampMs = readStart(source, firstStartMs, startTimestampMs);
    }
    const histogram = decodeHistogram(source, isInteger);
    records.push({ ref, timestampMs, startTimestampMs, histogram });
  }
  return records;
}

function hasStartTimes(type: number): boolean {
  return type >= HISTOGRAM_RECORD.integerWithStart;
}

function holdsIntegers(type: number): boolean {
  const { integer, customInteger, integerWithStart } = HISTOGRAM_RECORD;
  return type === integer || type === customInteger || type === integerWithStart;
}

function encodeHistogram(target: ByteWriter, histogram: FloatHistogram, isInteger: boolean): void {
  const { isStale, schema, zeroThreshold, zeroCount, count, sum, customValues } = histogram;
  const number = (value: number): void => (isInteger ? target.uvarint(value) : target.f64(value));
  target.u8(HINTS.indexOf(histogram.counterResetHint));
  target.varint(isStale ? 0 : schema);
  target.f64(isStale ? 0 : zeroThreshold);
  number(isStale ? 0 : zeroCount);
  number(isStale ? 0 : count);
  if (isStale) {
    target.u32(STALE_NAN_HIGH);
    target.u32(STALE_NAN_LOW);
  } else target.f64(sum);
  encodeSpans(target, isStale ? [] : histogram.positiveSpans);
  encodeSpans(target, isStale ? [] : histogram.negativeSpans);
  encodeBuckets(target, isStale ? EMPTY : histogram.positiveBuckets, isInteger);
  encodeBuckets(target, isStale ? EMPTY : histogram.negativeBuckets, isInteger);
  if (isStale || schema !== CUSTOM_BUCKETS_SCHEMA) return;
  const bounds = customValues ?? EMPTY;
  target.uvarint(bounds.length);
  for (const bound of bounds) target.f64(bound);
}

const EMPTY = new Float64Array(0);

function decodeHistogram(source: ByteReader, isInteger: boolean): FloatHistogram {
  const counterResetHint = HINTS[source.u8()] ?? 'unknown';
  const schema = source.varint();
  const zeroThreshold = source.f64();
  const zeroCount = isInteger ? source.uvarint() : source.f64();
  const count = isInteger ? source.uvarint() : source.f64();
  const sum = new Float64Array(1);
  const words = wordsOf(sum);
  words[1] = source.u32();
  words[0] = source.u32();
  const positiveSpans = decodeSpans(source);
  const negativeSpans = decodeSpans(source);
  const positiveBuckets = decodeBuckets(source, isInteger);
  const negativeBuckets = decodeBuckets(source, isInteger);
  const customValues =
    schema === CUSTOM_BUCKETS_SCHEMA ? decodeDoubles(source, lengthOf(source, 8)) : null;
  if (isStaleAt(words, 0)) return { ...staleHistogram(isInteger), counterResetHint };
  checkBuckets(positiveSpans, positiveBuckets, source);
  checkBuckets(negativeSpans, negativeBuckets, source);
  return withKnownSchema({
    counterResetHint,
    schema,
    zeroThreshold,
    zeroCount,
    count,
    sum: sum[0]!,
    positiveSpans,
    negativeSpans,
    positiveBuckets,
    negativeBuckets,
    customValues,
    isInteger,
    isStale: false,
  });
}

function encodeSpans(target: ByteWriter, spans: readonly Span[]): void {
  target.uvarint(spans.length);
  for (const { offset, length } of spans) {
    target.varint(offset);
    target.uvarint(length);
  }
}

function decodeSpans(source: ByteReader): Span[] {
  const count = lengthOf(source, 2);
  const spans: Span[] = [];
  for (let i = 0; i < count; i++) {
    const offset = source.varint();
    spans.push({ offset, length: source.uvarint() });
  }
  return spans;
}

/** Integer counts as differences to the bucket before. */
function encodeBuckets(target: ByteWriter, counts: Float64Array, isInteger: boolean): void {
  target.uvarint(counts.length);
  let previous = 0;
  for (const count of counts) {
    if (isInteger) target.varint(count - previous);
    else target.f64(count);
    previous = count;
  }
}

function decodeBuckets(source: ByteReader, isInteger: boolean): Float64Array {
  const length = lengthOf(source, isInteger ? 1 : 8);
  if (!isInteger) return decodeDoubles(source, length);
  const counts = new Float64Array(length);
  let count = 0;
  for (let i = 0; i < length; i++) {
    count += source.varint();
    counts[i] = count;
  }
  return counts;
}

function decodeDoubles(source: ByteReader, length: number): Float64Array {
  const values = new Float64Array(length);
  for (let i = 0; i < length; i++) values[i] = source.f64();
  return values;
}

/** A number of things that take at least so many bytes each, all still to come. */
function lengthOf(source: ByteReader, leastBytes: number): number {
  const length = source.uvarint();
  if (length * leastBytes > source.remaining) {
    throw new DecodeError(`a list of ${length} is longer than its record`, source.offset);
  }
  return length;
}

function checkBuckets(spans: readonly Span[], buckets: Float64Array, source: ByteReader): void {
  let needed = 0;
  for (const { length } of spans) needed += length;
  if (needed !== buckets.length) {
    throw new DecodeError(
      `histogram spans need ${needed} buckets, have ${buckets.length}`,
      source.offset,
    );
  }
}
