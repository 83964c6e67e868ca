import { ByteWriter } from '@pollux/base';
import type { Exemplar, FloatHistogram, Metadata } from '@pollux/model';
import {
  int64Size,
  uintSize,
  writeDoubleField,
  writeInt64,
  writeInt64Field,
  writeMessage,
  writeTextField,
  writeUintField,
} from '../proto-writer.ts';
import { METRIC_TYPES } from './decode-write.ts';
import { writeHistogram } from './histogram.ts';
import { writeLabels } from './labels.ts';

/** Samples to encode: element i of each column; `words` views the values' bits. */
export type SampleRows = { readonly timestampsMs: Float64Array; readonly words: Uint32Array };

/** Builds one prometheus.WriteRequest (or, with the same bytes, one QueryResult) after another. */
export class TimeSeriesEncoder {
  readonly #out = new ByteWriter(64 * 1024);

  reset(): void {
    this.#out.reset();
  }

  get size(): number {
    return this.#out.size;
  }

  /** A view; valid until the next call. */
  bytes(): Uint8Array {
    return this.#out.bytes();
  }

  /**
   * One TimeSeries with the samples `first`, `next[first]`, `next[next[first]]` … until −1. `labelFields` come from
   * `encodeLabels`.
   */
  chain(labelFields: Uint8Array, rows: SampleRows, first: number, next: Int32Array): void {
    let size = labelFields.length;
    for (let i = first; i >= 0; i = next[i]!) {
      const bytes = sampleSize(rows, i);
      size += 1 + uintSize(bytes) + bytes;
    }
    this.#open(labelFields, size);
    for (let i = first; i >= 0; i = next[i]!) writeSample(this.#out, rows, i);
  }

  /** One TimeSeries with the samples in [start, end). */
  run(labelFields: Uint8Array, rows: SampleRows, start: number, end: number): void {
    let size = labelFields.length;
    for (let i = start; i < end; i++) {
      const bytes = sampleSize(rows, i);
      size += 1 + uintSize(bytes) + bytes;
    }
    this.#open(labelFields, size);
    for (let i = start; i < end; i++) writeSample(this.#out, rows, i);
  }

  /** One TimeSeries with one histogram. */
  histogram(labelFields: Uint8Array, timestampMs: number, histogram: FloatHistogram): void {
    const inner = new ByteWriter(256);
    writeMessage(inner, 0x22, (message) => writeHistogram(message, timestampMs, histogram));
    this.#whole(labelFields, inner);
  }

  /** One TimeSeries with one exemplar. */
  exemplar(labelFields: Uint8Array, exemplar: Exemplar): void {
    const inner = new ByteWriter(128);
    writeMessage(inner, 0x1a, (message) => {
      writeLabels(message, exemplar.labels);
      writeDoubleField(message, 0x11, exemplar.value);
      writeInt64Field(message, 0x18, exemplar.timestampMs ?? 0);
    });
    this.#whole(labelFields, inner);
  }

  metadata(family: string, metadata: Metadata): void {
    writeMessage(this.#out, 0x1a, (message) => {
      writeUintField(message, 0x08, METRIC_TYPES.indexOf(metadata.type));
      writeTextField(message, 0x12, family);
      writeTextField(message, 0x22, metadata.help);
      writeTextField(message, 0x2a, metadata.unit);
    });
  }

  #whole(labelFields: Uint8Array, inner: ByteWriter): void {
    this.#open(labelFields, labelFields.length + inner.size);
    this.#out.raw(inner.bytes());
  }

  #open(labelFields: Uint8Array, size: number): void {
    const out = this.#out;
    out.u8(0x0a);
    out.uvarint(size);
    out.raw(labelFields);
  }
}

function sampleSize(rows: SampleRows, index: number): number {
  const timestampMs = rows.timestampsMs[index]!;
  const isZero = rows.words[index * 2] === 0 && rows.words[index * 2 + 1] === 0;
  return (isZero ? 0 : 9) + (timestampMs === 0 ? 0 : 1 + int64Size(timestampMs));
}

function writeSample(out: ByteWriter, rows: SampleRows, index: number): void {
  const timestampMs = rows.timestampsMs[index]!;
  const low = rows.words[index * 2]!;
  const high = rows.words[index * 2 + 1]!;
  out.u8(0x12);
  out.uvarint(sampleSize(rows, index));
  if (low !== 0 || high !== 0) {
    out.u8(0x09);
    out.u32le(low);
    out.u32le(high);
  }
  if (timestampMs !== 0) {
    out.u8(0x10);
    writeInt64(out, timestampMs);
  }
}
