import { ByteWriter, DecodeError, ProtoReader, WIRE } from '@pollux/base';
import type { Exemplar, Metadata, MetricType } from '@pollux/model';
import { readHistogram, type TimedHistogram } from './histogram.ts';
import { decodeLabels, LABELS_TAG, readLabel } from './labels.ts';

/** In the order of the enum MetricType. */
export const METRIC_TYPES: readonly MetricType[] = [
  'unknown',
  'counter',
  'gauge',
  'histogram',
  'gaugehistogram',
  'summary',
  'info',
  'stateset',
];

/**
 * A decoded prometheus.WriteRequest as columns. Series i has its label fields in `labelData[labelStarts[i], labelEnds[i])`:
 * raw bytes, so that a receiver that has seen them before needs no string. Sample j belongs to series `sampleSeries[j]`.
 * Columns may be longer than their count.
 */
export type WriteRequestColumns = {
  readonly labelData: Uint8Array;
  readonly seriesCount: number;
  readonly labelStarts: Uint32Array;
  readonly labelEnds: Uint32Array;
  /** Of series that the walker took, the reference that it knows or 0; of others {@link NOT_SOUGHT}. A receiver fills them in. */
  readonly seriesRefs: Uint32Array;
  readonly sampleCount: number;
  readonly sampleSeries: Uint32Array;
  readonly timestampsMs: Float64Array;
  /** NaN payloads by bits. */
  readonly values: Float64Array;
  readonly histograms: readonly (TimedHistogram & { readonly series: number })[];
  readonly exemplars: readonly { readonly series: number; readonly exemplar: Exemplar }[];
  readonly metadata: readonly ({ readonly family: string } & Metadata)[];
};

/**
 * Takes series in the form that senders write, labels and then samples, many at a time and faster than the decoder. What
 * it takes is what the decoder would have given.
 */
export type SeriesWalker = {
  /**
   * Takes series from `[from, end)` of the message, numbered from `firstSeries` on, into the columns below, and returns
   * where it stopped: at the end, or at a field that it leaves to the decoder.
   */
  walk(from: number, end: number, firstSeries: number): number;
  readonly seriesCount: number;
  readonly labelStarts: Uint32Array;
  readonly labelEnds: Uint32Array;
  readonly seriesRefs: Uint32Array;
  readonly sampleCount: number;
  readonly sampleSeries: Uint32Array;
  readonly timestampsMs: Float64Array;
  readonly valueWords: Uint32Array;
};

/** In place of the reference of a series that no walker has looked for; no series has it. */
export const NOT_SOUGHT = 0xffffffff;

/** Columns for more series or samples are not kept for the next message. */
const MAX_KEPT = 65_536;

/** Decodes a WriteRequest. Throws DecodeError; label texts are checked only when {@link decodeLabels} reads them. */
export function decodeWriteRequest(data: Uint8Array): WriteRequestColumns {
  return new WriteRequestDecoder().decode(data);
}

/** Decodes one message after the other. Its columns are lent until the next one. */
export class WriteRequestDecoder {
  readonly #walker: SeriesWalker | null;
  #data: Uint8Array = new Uint8Array(0);
  #reader = new ProtoReader(this.#data);
  /** Labels of series whose label fields do not lie together (allowed, though no sender writes so). */
  #scattered = new ByteWriter(0);
  #seriesCount = 0;
  #labelStarts: Uint32Array = new Uint32Array(0);
  #labelEnds: Uint32Array = new Uint32Array(0);
  #seriesRefs: Uint32Array = new Uint32Array(0);
  #sampleCount = 0;
  #sampleSeries: Uint32Array = new Uint32Array(0);
  #timestampsMs = new Float64Array(0);
  #values = new Float64Array(0);
  #words = new Uint32Array(0);
  #histograms: (TimedHistogram & { series: number })[] = [];
  #exemplars: { series: number; exemplar: Exemplar }[] = [];
  #metadata: ({ family: string } & Metadata)[] = [];

  /** A `walker` is one of the messages that are to be decoded. */
  constructor(walker: SeriesWalker | null = null) {
    this.#walker = walker;
  }

  /** As {@link decodeWriteRequest}. */
  decode(data: Uint8Array): WriteRequestColumns {
    this.#begin(data);
    const reader = this.#reader;
    for (;;) {
      if (this.#walker !== null) this.#walk(this.#walker);
      if (reader.isAtEnd) break;
      const tag = reader.tag();
      const field = tag >>> 3;
      if (field === 1 || field === 3) {
        reader.expect(tag, WIRE.bytes);
        const outer = reader.enter();
        if (field === 1) this.#series();
        else this.#metadata.push(readMetadata(reader));
        reader.leave(outer);
      } else if (field === 4 || field === 5) {
        throw new DecodeError(
          'this is an io.prometheus.write.v2.Request, not a prometheus.WriteRequest: field',
          reader.offset,
        );
      } else reader.skip(tag);
    }
    return {
      labelData: this.#labelData(),
      seriesCount: this.#seriesCount,
      labelStarts: this.#labelStarts,
      labelEnds: this.#labelEnds,
      seriesRefs: this.#seriesRefs,
      sampleCount: this.#sampleCount,
      sampleSeries: this.#sampleSeries,
      timestampsMs: this.#timestampsMs,
      values: this.#values,
      histograms: this.#histograms,
      exemplars: this.#exemplars,
      metadata: this.#metadata,
    };
  }

  #begin(data: Uint8Array): void {
    this.#data = data;
    this.#reader = new ProtoReader(data);
    this.#scattered = new ByteWriter(0);
    this.#seriesCount = 0;
    this.#sampleCount = 0;
    this.#histograms = [];
    this.#exemplars = [];
    this.#metadata = [];
    // A series of a real sender takes some 200 bytes; the columns grow when it takes less.
    const guess = Math.max(16, Math.ceil(data.length / 128));
    const { length } = this.#labelStarts;
    if (length < guess || length > MAX_KEPT) {
      this.#labelStarts = new Uint32Array(guess);
      this.#labelEnds = new Uint32Array(guess);
      this.#seriesRefs = new Uint32Array(guess);
    }
    const samples = this.#sampleSeries.length;
    if (samples >= guess && samples <= MAX_KEPT) return;
    this.#sampleSeries = new Uint32Array(guess);
    this.#timestampsMs = new Float64Array(guess);
    this.#words = new Uint32Array(guess * 2);
    this.#values = new Float64Array(this.#words.buffer);
  }

  #walk(walker: SeriesWalker): void {
    const reader = this.#reader;
    reader.offset = walker.walk(reader.offset, reader.end, this.#seriesCount);
    const series = walker.seriesCount;
    if (series === 0) return;
    while (this.#seriesCount + series > this.#labelStarts.length) this.#growSeries();
    const { labelStarts, labelEnds, seriesRefs } = walker;
    this.#labelStarts.set(labelStarts.subarray(0, series), this.#seriesCount);
    this.#labelEnds.set(labelEnds.subarray(0, series), this.#seriesCount);
    this.#seriesRefs.set(seriesRefs.subarray(0, series), this.#seriesCount);
    this.#seriesCount += series;
    const samples = walker.sampleCount;
    while (this.#sampleCount + samples > this.#sampleSeries.length) this.#growSamples();
    const { sampleSeries, timestampsMs, valueWords } = walker;
    this.#sampleSeries.set(sampleSeries.subarray(0, samples), this.#sampleCount);
    this.#timestampsMs.set(timestampsMs.subarray(0, samples), this.#sampleCount);
    this.#words.set(valueWords.subarray(0, samples * 2), this.#sampleCount * 2);
    this.#sampleCount += samples;
  }

  #series(): void {
    const reader = this.#reader;
    const series = this.#seriesCount;
    let start = -1;
    let end = -1;
    let ranges: number[] | null = null;
    while (!reader.isAtEnd) {
      const at = reader.offset;
      const tag = reader.tag();
      switch (tag >>> 3) {
        case 1:
          reader.expect(tag, WIRE.bytes);
          reader.skip(tag);
          if (start < 0) start = at;
          else if (at !== end) {
            ranges ??= [];
            ranges.push(start, end);
            start = at;
          }
          end = reader.offset;
          break;
        case 2:
          reader.expect(tag, WIRE.bytes);
          this.#sample(series);
          break;
        case 3: {
          reader.expect(tag, WIRE.bytes);
          const outer = reader.enter();
          this.#exemplars.push({ series, exemplar: readExemplar(reader) });
          reader.leave(outer);
          break;
        }
        case 4: {
          reader.expect(tag, WIRE.bytes);
          const outer = reader.enter();
          this.#histograms.push({ series, ...readHistogram(reader) });
          reader.leave(outer);
          break;
        }
        default:
          reader.skip(tag);
      }
    }
    if (ranges !== null) {
      ranges.push(start, end);
      this.#closeSeries(...this.#gather(ranges));
    } else this.#closeSeries(Math.max(start, 0), Math.max(end, 0));
  }

  #sample(series: number): void {
    const reader = this.#reader;
    const index = this.#sampleCount;
    if (index === this.#sampleSeries.length) this.#growSamples();
    const words = this.#words;
    let timestampMs = 0;
    words[index * 2] = 0;
    words[index * 2 + 1] = 0;
    const outer = reader.enter();
    while (!reader.isAtEnd) {
      const tag = reader.tag();
      if (tag === 0x09) reader.doubleInto(words, index);
      else if (tag === 0x10) timestampMs = reader.int64();
      else if (tag >>> 3 === 1) reader.expect(tag, WIRE.fixed64);
      else if (tag >>> 3 === 2) reader.expect(tag, WIRE.varint);
      else reader.skip(tag);
    }
    reader.leave(outer);
    this.#sampleSeries[index] = series;
    this.#timestampsMs[index] = timestampMs;
    this.#sampleCount = index + 1;
  }

  /** Copies label fields that lie apart into one run; places behind the message's own bytes. */
  #gather(ranges: readonly number[]): [start: number, end: number] {
    const start = this.#data.length + this.#scattered.size;
    for (let i = 0; i < ranges.length; i += 2) {
      this.#scattered.raw(this.#data, ranges[i]!, ranges[i + 1]!);
    }
    return [start, this.#data.length + this.#scattered.size];
  }

  #labelData(): Uint8Array {
    if (this.#scattered.size === 0) return this.#data;
    const joined = new Uint8Array(this.#data.length + this.#scattered.size);
    joined.set(this.#data);
    joined.set(this.#scattered.bytes(), this.#data.length);
    return joined;
  }

  #closeSeries(labelStart: number, labelEnd: number): void {
    if (this.#seriesCount === this.#labelStarts.length) this.#growSeries();
    this.#labelStarts[this.#seriesCount] = labelStart;
    this.#labelEnds[this.#seriesCount] = labelEnd;
    this.#seriesRefs[this.#seriesCount] = NOT_SOUGHT;
    this.#seriesCount++;
  }

  #growSeries(): void {
    this.#labelStarts = grown(this.#labelStarts);
    this.#labelEnds = grown(this.#labelEnds);
    this.#seriesRefs = grown(this.#seriesRefs);
  }

  #growSamples(): void {
    this.#sampleSeries = grown(this.#sampleSeries);
    const timestamps = new Float64Array(this.#timestampsMs.length * 2);
    timestamps.set(this.#timestampsMs);
    this.#timestampsMs = timestamps;
    // Copied as words: a NaN payload must survive.
    const words = new Uint32Array(this.#words.length * 2);
    words.set(this.#words);
    this.#words = words;
    this.#values = new Float64Array(words.buffer);
  }
}

function grown(column: Uint32Array): Uint32Array {
  const larger = new Uint32Array(column.length * 2);
  larger.set(column);
  return larger;
}

function readExemplar(reader: ProtoReader): Exemplar {
  const pairs = new ByteWriter(64);
  let value = 0;
  let timestampMs = 0;
  while (!reader.isAtEnd) {
    const at = reader.offset;
    const tag = reader.tag();
    if (tag === LABELS_TAG) {
      readLabel(reader);
      pairs.raw(reader.data, at, reader.offset);
    } else if (tag >>> 3 === 2) {
      reader.expect(tag, WIRE.fixed64);
      value = reader.double();
    } else if (tag >>> 3 === 3) {
      reader.expect(tag, WIRE.varint);
      timestampMs = reader.int64();
    } else reader.skip(tag);
  }
  const bytes = pairs.bytes();
  return { labels: decodeLabels(bytes, 0, bytes.length).labels, value, timestampMs };
}

function readMetadata(reader: ProtoReader): { family: string } & Metadata {
  let type: MetricType = 'unknown';
  let family = '';
  let help = '';
  let unit = '';
  while (!reader.isAtEnd) {
    const tag = reader.tag();
    const field = tag >>> 3;
    if (field === 1) {
      reader.expect(tag, WIRE.varint);
      type = METRIC_TYPES[reader.uint()] ?? 'unknown';
    } else if (field === 2 || field === 4 || field === 5) {
      reader.expect(tag, WIRE.bytes);
      const text = reader.text();
      if (field === 2) family = text;
      else if (field === 4) help = text;
      else unit = text;
    } else reader.skip(tag);
  }
  return { family, type, help, unit };
}
