import { ByteWriter, DecodeError, ProtoReader, WIRE } from '@pollux/base';
import { type FloatHistogram, wordsOf } from '@pollux/model';
import type { SeriesColumns } from '@pollux/storage';
import { uintSize } from '../proto-writer.ts';
import { TimeSeriesEncoder } from './encode-write.ts';
import { readHistogram, type TimedHistogram, writeHistogram } from './histogram.ts';
import { decodeLabels, encodeLabels } from './labels.ts';

/** Collects the series of one query into a QueryResult. */
export class QueryResultEncoder {
  readonly #series = new TimeSeriesEncoder();

  /** Bytes of the result so far. */
  get size(): number {
    return this.#series.size;
  }

  /** Adds one series with the floats and histograms of `columns`; `labelFields` come from `encodeLabels`. */
  add(columns: SeriesColumns): void {
    const labelFields = encodeLabels(columns.labels);
    const rows = { timestampsMs: columns.timestampsMs, words: wordsOf(columns.values) };
    if (columns.histograms === null) {
      this.#series.run(labelFields, rows, 0, columns.count);
      return;
    }
    this.#mixed(labelFields, columns, columns.histograms);
  }

  bytes(): Uint8Array {
    return this.#series.bytes();
  }

  /** A series whose samples are partly or wholly histograms: two runs of fields in one message. */
  #mixed(
    labelFields: Uint8Array,
    columns: SeriesColumns,
    histograms: readonly (FloatHistogram | null)[],
  ): void {
    const floats: number[] = [];
    const fields = new ByteWriter(1024);
    fields.raw(labelFields);
    for (let i = 0; i < columns.count; i++) {
      const histogram = histograms[i] ?? null;
      if (histogram === null) floats.push(i);
      else {
        const message = new ByteWriter(256);
        writeHistogram(message, columns.timestampsMs[i]!, histogram);
        fields.u8(0x22);
        fields.uvarint(message.size);
        fields.raw(message.bytes());
      }
    }
    const next = new Int32Array(columns.count).fill(-1);
    for (let i = 1; i < floats.length; i++) next[floats[i - 1]!] = floats[i]!;
    const rows = { timestampsMs: columns.timestampsMs, words: wordsOf(columns.values) };
    this.#series.chain(fields.take(), rows, floats[0] ?? -1, next);
  }
}

/** A ReadResponse of whole QueryResults, in the order of the request's queries. */
export function encodeReadResponse(results: readonly Uint8Array[]): Uint8Array {
  let size = 0;
  for (const result of results) size += 1 + uintSize(result.length) + result.length;
  const out = new ByteWriter(size);
  for (const result of results) {
    out.u8(0x0a);
    out.uvarint(result.length);
    out.raw(result);
  }
  return out.bytes();
}

/**
 * Decodes a ReadResponse of samples: per query its series, as sent (a conforming server sorts them by labels). Samples
 * that do not ascend strictly in time are refused.
 */
export function decodeReadResponse(data: Uint8Array): SeriesColumns[][] {
  const reader = new ProtoReader(data);
  const results: SeriesColumns[][] = [];
  while (!reader.isAtEnd) {
    const tag = reader.tag();
    if (tag >>> 3 !== 1) {
      reader.skip(tag);
      continue;
    }
    reader.expect(tag, WIRE.bytes);
    const outer = reader.enter();
    const series: SeriesColumns[] = [];
    while (!reader.isAtEnd) {
      const field = reader.tag();
      if (field >>> 3 !== 1) {
        reader.skip(field);
        continue;
      }
      reader.expect(field, WIRE.bytes);
      const result = reader.enter();
      series.push(readSeries(reader));
      reader.leave(result);
    }
    results.push(series);
    reader.leave(outer);
  }
  return results;
}

function readSeries(reader: ProtoReader): SeriesColumns {
  const labelFields = new ByteWriter(128);
  const histograms: TimedHistogram[] = [];
  let count = 0;
  let capacity = Math.max(1, Math.ceil((reader.end - reader.offset) / 18));
  let timestampsMs = new Float64Array(capacity);
  let words = new Uint32Array(capacity * 2);
  while (!reader.isAtEnd) {
    const at = reader.offset;
    const tag = reader.tag();
    const field = tag >>> 3;
    if (field === 1) {
      reader.expect(tag, WIRE.bytes);
      reader.skip(tag);
      labelFields.raw(reader.data, at, reader.offset);
    } else if (field === 2) {
      reader.expect(tag, WIRE.bytes);
      if (count === capacity) {
        capacity *= 2;
        const times = new Float64Array(capacity);
        times.set(timestampsMs);
        timestampsMs = times;
        const bits = new Uint32Array(capacity * 2);
        bits.set(words);
        words = bits;
      }
      timestampsMs[count] = readSample(reader, words, count);
      count++;
    } else if (field === 4) {
      reader.expect(tag, WIRE.bytes);
      const outer = reader.enter();
      histograms.push(readHistogram(reader));
      reader.leave(outer);
    } else reader.skip(tag);
  }
  const fields = labelFields.bytes();
  const decoded = decodeLabels(fields, 0, fields.length);
  if (decoded.kind === 'invalid') throw new DecodeError(decoded.reason, reader.offset);
  const floats: SeriesColumns = {
    labels: decoded.labels,
    count,
    timestampsMs,
    values: new Float64Array(words.buffer),
    histograms: null,
    startTimestampsMs: null,
    replica: '',
  };
  const columns = histograms.length === 0 ? floats : interleave(floats, histograms);
  for (let i = 1; i < columns.count; i++) {
    if (columns.timestampsMs[i]! <= columns.timestampsMs[i - 1]!) {
      throw new DecodeError('samples of a series are not in order of time', reader.offset);
    }
  }
  return columns;
}

function readSample(reader: ProtoReader, words: Uint32Array, index: number): number {
  let timestampMs = 0;
  const outer = reader.enter();
  while (!reader.isAtEnd) {
    const tag = reader.tag();
    if (tag >>> 3 === 1) {
      reader.expect(tag, WIRE.fixed64);
      reader.doubleInto(words, index);
    } else if (tag >>> 3 === 2) {
      reader.expect(tag, WIRE.varint);
      timestampMs = reader.int64();
    } else reader.skip(tag);
  }
  reader.leave(outer);
  return timestampMs;
}

/** Floats and histograms come as two lists; a series holds them in one order of time. */
function interleave(floats: SeriesColumns, timed: readonly TimedHistogram[]): SeriesColumns {
  const count = floats.count + timed.length;
  const timestampsMs = new Float64Array(count);
  const words = new Uint32Array(count * 2);
  const source = wordsOf(floats.values);
  const histograms: (FloatHistogram | null)[] = [];
  let f = 0;
  let h = 0;
  for (let i = 0; i < count; i++) {
    const next = timed[h];
    if (next !== undefined && (f >= floats.count || next.timestampMs < floats.timestampsMs[f]!)) {
      timestampsMs[i] = next.timestampMs;
      histograms.push(next.histogram);
      h++;
    } else {
      timestampsMs[i] = floats.timestampsMs[f]!;
      words[i * 2] = source[f * 2]!;
      words[i * 2 + 1] = source[f * 2 + 1]!;
      histograms.push(null);
      f++;
    }
  }
  const values = new Float64Array(words.buffer);
  return { ...floats, count, timestampsMs, values, histograms };
}
