import { type ByteReader, ByteWriter } from '@pollux/base';
import { Labels, type Metadata, type MetricType } from '@pollux/model';
import { readStart, writeStart } from './wal-start-time.ts';

/** First byte of a log record; layout in `wal-record.md`. */
export const RECORD = {
  series: 1,
  samples: 2,
  tombstones: 3,
  exemplars: 4,
  mmapMarkers: 5,
  metadata: 6,
  samplesWithStart: 11,
} as const;

export type SeriesRecord = { readonly ref: number; readonly labels: Labels };
/** A deleted time range of one series, both ends included. */
export type TombstoneRecord = {
  readonly ref: number;
  readonly minMs: number;
  readonly maxMs: number;
};
export type ExemplarRecord = {
  readonly ref: number;
  readonly timestampMs: number;
  readonly value: number;
  readonly labels: Labels;
};
export type MetadataRecord = { readonly ref: number; readonly metadata: Metadata };

/** Samples as columns; `valueWords` holds two words a sample, low first. */
export type SampleColumns = {
  refs: Uint32Array;
  timestampsMs: Float64Array;
  valueWords: Uint32Array;
  /** 0 = unknown; null where none is kept. As long as the others. */
  startTimestampsMs: Float64Array | null;
  count: number;
};

export function createSampleColumns(capacity: number): SampleColumns {
  return {
    refs: new Uint32Array(capacity),
    timestampsMs: new Float64Array(capacity),
    valueWords: new Uint32Array(capacity * 2),
    startTimestampsMs: null,
    count: 0,
  };
}

/** Makes room for `capacity` samples, keeping what is there. */
export function growSampleColumns(columns: SampleColumns, capacity: number): void {
  if (capacity <= columns.refs.length) return;
  const size = Math.max(capacity, columns.refs.length * 2);
  const grown = createSampleColumns(size);
  grown.refs.set(columns.refs);
  grown.timestampsMs.set(columns.timestampsMs);
  grown.valueWords.set(columns.valueWords);
  columns.refs = grown.refs;
  columns.timestampsMs = grown.timestampsMs;
  columns.valueWords = grown.valueWords;
  if (columns.startTimestampsMs === null) return;
  const starts = new Float64Array(size);
  starts.set(columns.startTimestampsMs);
  columns.startTimestampsMs = starts;
}

function encodeLabels(target: ByteWriter, labels: Labels): void {
  target.uvarint(labels.size);
  for (let i = 0; i < labels.size; i++) {
    target.uvarintText(labels.nameAt(i));
    target.uvarintText(labels.valueAt(i));
  }
}

function decodeLabels(source: ByteReader): Labels {
  const size = source.uvarint();
  const pairs: [string, string][] = [];
  for (let i = 0; i < size; i++) pairs.push([source.uvarintText(), source.uvarintText()]);
  return Labels.from(pairs);
}

export function encodeSeries(target: ByteWriter, series: readonly SeriesRecord[]): void {
  target.u8(RECORD.series);
  for (const { ref, labels } of series) {
    target.i64(ref);
    encodeLabels(target, labels);
  }
}

/** `source` stands behind the type byte, as for all decoders here. */
export function decodeSeries(source: ByteReader): SeriesRecord[] {
  const series: SeriesRecord[] = [];
  while (source.remaining > 0) series.push({ ref: source.i64(), labels: decodeLabels(source) });
  return series;
}

/** Two varints of at most ten bytes, and the value. */
const SAMPLE_MAX_BYTES = 28;
const SAMPLES_PER_FLUSH = 256;

/** Encodes samples `start` to `end` of the columns as one record, with their start timestamps if there are any. */
export function encodeSamples(
  target: ByteWriter,
  columns: SampleColumns,
  start: number,
  end: number,
): void {
  if (columns.startTimestampsMs !== null) {
    encodeSamplesWithStart(target, columns, columns.startTimestampsMs, { start, end });
    return;
  }
  target.u8(RECORD.samples);
  if (start === end) return;
  const { refs, timestampsMs, valueWords } = columns;
  const baseRef = refs[start]!;
  const baseTimestamp = timestampsMs[start]!;
  target.i64(baseRef);
  target.i64(baseTimestamp);
  const bytes = new Uint8Array(Math.min(end - start, SAMPLES_PER_FLUSH) * SAMPLE_MAX_BYTES);
  let at = 0;
  for (let i = start; i < end; i++) {
    if (at + SAMPLE_MAX_BYTES > bytes.length) {
      target.raw(bytes, 0, at);
      at = 0;
    }
    at = putVarint(bytes, at, refs[i]! - baseRef);
    at = putVarint(bytes, at, timestampsMs[i]! - baseTimestamp);
    at = putWord(bytes, at, valueWords[i * 2 + 1]!);
    at = putWord(bytes, at, valueWords[i * 2]!);
  }
  target.raw(bytes, 0, at);
}

function encodeSamplesWithStart(
  target: ByteWriter,
  columns: SampleColumns,
  startTimestampsMs: Float64Array,
  range: { readonly start: number; readonly end: number },
): void {
  const { refs, timestampsMs, valueWords } = columns;
  const { start, end } = range;
  target.u8(RECORD.samplesWithStart);
  for (let i = start; i < end; i++) {
    if (i === start) {
      target.varint(refs[i]!);
      target.varint(timestampsMs[i]!);
      target.varint(startTimestampsMs[i]!);
    } else {
      target.varint(refs[i]! - refs[i - 1]!);
      target.varint(timestampsMs[i]! - timestampsMs[start]!);
      const before = startTimestampsMs[i - 1]!;
      writeStart(target, startTimestampsMs[i]!, startTimestampsMs[start]!, before);
    }
    target.u32(valueWords[i * 2 + 1]!);
    target.u32(valueWords[i * 2]!);
  }
}

function putVarint(bytes: Uint8Array, start: number, value: number): number {
  let at = start;
  let rest = value < 0 ? -value * 2 - 1 : value * 2;
  while (rest >= 0x80000000) {
    bytes[at++] = (rest % 128) + 128;
    rest = Math.floor(rest / 128);
  }
  let small = rest | 0;
  while (small >= 0x80) {
    bytes[at++] = (small & 0x7f) | 0x80;
    small >>>= 7;
  }
  bytes[at++] = small;
  return at;
}

function putWord(bytes: Uint8Array, at: number, word: number): number {
  bytes[at] = word >>> 24;
  bytes[at + 1] = word >>> 16;
  bytes[at + 2] = word >>> 8;
  bytes[at + 3] = word;
  return at + 4;
}

/** Appends the record's samples to `columns`. */
export function decodeSamples(source: ByteReader, columns: SampleColumns): void {
  if (source.remaining === 0) return;
  const baseRef = source.i64();
  const baseTimestamp = source.i64();
  while (source.remaining > 0) {
    const index = columns.count;
    if (index === columns.refs.length) growSampleColumns(columns, index + 1);
    columns.refs[index] = baseRef + source.varint();
    columns.timestampsMs[index] = baseTimestamp + source.varint();
    columns.valueWords[index * 2 + 1] = source.u32();
    columns.valueWords[index * 2] = source.u32();
    columns.count++;
  }
}

/** As {@link decodeSamples}, of a record with start timestamps. */
export function decodeSamplesWithStart(source: ByteReader, columns: SampleColumns): void {
  const first = columns.count;
  columns.startTimestampsMs ??= new Float64Array(columns.refs.length);
  while (source.remaining > 0) {
    const index = columns.count;
    if (index === columns.refs.length) growSampleColumns(columns, index + 1);
    const { refs, timestampsMs, startTimestampsMs, valueWords } = columns;
    const starts = startTimestampsMs ?? new Float64Array(refs.length);
    if (index === first) {
      refs[index] = source.varint();
      timestampsMs[index] = source.varint();
      starts[index] = source.varint();
    } else {
      refs[index] = refs[index - 1]! + source.varint();
      timestampsMs[index] = timestampsMs[first]! + source.varint();
      starts[index] = readStart(source, starts[first]!, starts[index - 1]!);
    }
    valueWords[index * 2 + 1] = source.u32();
    valueWords[index * 2] = source.u32();
    columns.count++;
  }
}

export function encodeTombstones(target: ByteWriter, stones: readonly TombstoneRecord[]): void {
  target.u8(RECORD.tombstones);
  for (const { ref, minMs, maxMs } of stones) {
    target.i64(ref);
    target.varint(minMs);
    target.varint(maxMs);
  }
}

export function decodeTombstones(source: ByteReader): TombstoneRecord[] {
  const stones: TombstoneRecord[] = [];
  while (source.remaining > 0) {
    stones.push({ ref: source.i64(), minMs: source.varint(), maxMs: source.varint() });
  }
  return stones;
}

export function encodeExemplars(target: ByteWriter, exemplars: readonly ExemplarRecord[]): void {
  target.u8(RECORD.exemplars);
  const first = exemplars[0];
  if (first === undefined) return;
  target.i64(first.ref);
  target.i64(first.timestampMs);
  for (const { ref, timestampMs, value, labels } of exemplars) {
    target.varint(ref - first.ref);
    target.varint(timestampMs - first.timestampMs);
    target.f64(value);
    encodeLabels(target, labels);
  }
}

export function decodeExemplars(source: ByteReader): ExemplarRecord[] {
  const exemplars: ExemplarRecord[] = [];
  if (source.remaining === 0) return exemplars;
  const baseRef = source.i64();
  const baseTimestamp = source.i64();
  while (source.remaining > 0) {
    exemplars.push({
      ref: baseRef + source.varint(),
      timestampMs: baseTimestamp + source.varint(),
      value: source.f64(),
      labels: decodeLabels(source),
    });
  }
  return exemplars;
}

/** Position in this list is the number on disk. */
const METRIC_TYPES: readonly MetricType[] = [
  'unknown',
  'counter',
  'gauge',
  'histogram',
  'gaugehistogram',
  'summary',
  'info',
  'stateset',
];

export function encodeMetadata(target: ByteWriter, records: readonly MetadataRecord[]): void {
  target.u8(RECORD.metadata);
  for (const { ref, metadata } of records) {
    target.uvarint(ref);
    target.u8(METRIC_TYPES.indexOf(metadata.type));
    target.uvarint(2);
    target.uvarintText('UNIT');
    target.uvarintText(metadata.unit);
    target.uvarintText('HELP');
    target.uvarintText(metadata.help);
  }
}

export function decodeMetadata(source: ByteReader): MetadataRecord[] {
  const records: MetadataRecord[] = [];
  while (source.remaining > 0) {
    const ref = source.uvarint();
    const type = METRIC_TYPES[source.u8()] ?? 'unknown';
    const fields = source.uvarint();
    let unit = '';
    let help = '';
    for (let i = 0; i < fields; i++) {
      const name = source.uvarintText();
      const value = source.uvarintText();
      if (name === 'UNIT') unit = value;
      else if (name === 'HELP') help = value;
    }
    records.push({ ref, metadata: { type, help, unit } });
  }
  return records;
}

/** One record as bytes of its own, for tests and tools. */
export function recordBytes(encode: (target: ByteWriter) => void): Uint8Array {
  const target = new ByteWriter();
  encode(target);
  return target.take();
}
