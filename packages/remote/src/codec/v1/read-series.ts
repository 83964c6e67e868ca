import { DecodeError } from '@pollux/base';
import { decodeHistograms, XOR_MALFORMED, xorCount, xorDecodePart } from '@pollux/kernels';
import type { FloatHistogram, Labels } from '@pollux/model';
import { columnsWithin, histogramAt, type SeriesColumns, type TimeRange } from '@pollux/storage';
import { BUCKET_ENCODING, type BucketRows, type BucketWish } from './bucket-rows.ts';
import { XOR_ENCODING } from './chunk-frames.ts';

/** Columns to be filled; sample i has its bits in words 2i (low) and 2i + 1 (high). */
export type SampleTarget = {
  readonly timestampsMs: Float64Array;
  readonly words: Uint32Array;
};

/** One series of an answer to a remote read, whose samples are decoded when they are looked at. */
export interface ReadSeries {
  readonly labels: Labels;
  readonly hasHistograms: boolean;
  /** No fewer samples than {@link readInto} needs room for. */
  countAtMost(range: TimeRange): number;
  /** Writes the floats of the range from `at` on and returns how many; only of a series without histograms. Throws DecodeError. */
  readInto(range: TimeRange, into: SampleTarget, at: number): number;
  /** Throws DecodeError. */
  columns(range: TimeRange): SeriesColumns;
  /**
   * Adds the buckets of the range, whose ends are edges of the wish; only of a series without histograms. Who was asked for buckets
   * may give those or samples, and is asked for nothing else. Throws DecodeError.
   */
  addBuckets(range: TimeRange, wish: BucketWish, into: BucketRows): void;
  /** The same samples under other labels. */
  named(labels: Labels): ReadSeries;
}

/** Of an answer in samples. */
export class DecodedSeries implements ReadSeries {
  readonly #columns: SeriesColumns;

  constructor(columns: SeriesColumns) {
    this.#columns = columns;
  }

  get labels(): Labels {
    return this.#columns.labels;
  }

  get hasHistograms(): boolean {
    return this.#columns.histograms !== null;
  }

  countAtMost(): number {
    return this.#columns.count;
  }

  readInto(range: TimeRange, { timestampsMs, words }: SampleTarget, at: number): number {
    const { count, timestampsMs: times, values } = columnsWithin(this.#columns, range);
    timestampsMs.set(times.subarray(0, count), at);
    // As words, so that payloads of NaN stay.
    words.set(new Uint32Array(values.buffer, values.byteOffset, count * 2), at * 2);
    return count;
  }

  columns(range: TimeRange): SeriesColumns {
    return columnsWithin(this.#columns, range);
  }

  addBuckets(range: TimeRange, wish: BucketWish, into: BucketRows): void {
    into.addSamples(columnsWithin(this.#columns, range), wish);
  }

  named(labels: Labels): ReadSeries {
    return new DecodedSeries({ ...this.#columns, labels });
  }
}

/** A chunk in the bytes of an answer. */
export type ReadChunk = {
  readonly bytes: Uint8Array;
  readonly offset: number;
  readonly length: number;
  readonly encoding: number;
  readonly minMs: number;
  readonly maxMs: number;
};

/** Of a streamed answer: chunks in time order, which come whole. */
export class ChunkedSeries implements ReadSeries {
  readonly labels: Labels;
  readonly chunks: readonly ReadChunk[];

  constructor(labels: Labels, chunks: readonly ReadChunk[]) {
    this.labels = labels;
    this.chunks = chunks;
  }

  get hasHistograms(): boolean {
    return this.chunks.some(
      ({ encoding }) => encoding !== XOR_ENCODING && encoding !== BUCKET_ENCODING,
    );
  }

  countAtMost(range: TimeRange): number {
    let count = 0;
    for (const chunk of this.chunks) {
      if (chunk.maxMs < range.minMs || chunk.minMs > range.maxMs) continue;
      const { bytes, offset, length } = chunk;
      const claimed = length < 2 ? 0 : xorCount(bytes, offset);
      // A sample takes two bits at least: what claims more is no chunk.
      if (claimed > length * 8) throw new DecodeError('chunk of too many samples', offset);
      count += claimed;
    }
    return count;
  }

  readInto(range: TimeRange, { timestampsMs, words }: SampleTarget, at: number): number {
    const part = { minMs: range.minMs, maxMs: range.maxMs, hidden: 0 };
    let to = at;
    for (const chunk of this.chunks) {
      if (chunk.maxMs < range.minMs || chunk.minMs > range.maxMs) continue;
      const added = xorDecodePart(chunk, part, timestampsMs, words, to);
      if (added === XOR_MALFORMED) throw new DecodeError('malformed XOR chunk', chunk.offset);
      to += added;
    }
    for (let i = at + 1; i < to; i++) {
      if (timestampsMs[i]! <= timestampsMs[i - 1]!) {
        throw new DecodeError('samples of a series are not in order of time', 0);
      }
    }
    return to - at;
  }

  columns(range: TimeRange): SeriesColumns {
    if (!this.hasHistograms) return this.#floats(range);
    const parts = this.chunks.map((chunk) =>
      chunk.encoding === XOR_ENCODING
        ? new ChunkedSeries(this.labels, [chunk]).#floats(range)
        : columnsWithin(histogramsOf(this.labels, chunk), range),
    );
    return inTurn(this.labels, parts);
  }

  addBuckets(range: TimeRange, wish: BucketWish, into: BucketRows): void {
    const [first] = this.chunks;
    if (first?.encoding !== BUCKET_ENCODING) {
      into.addSamples(this.#floats(range), wish);
      return;
    }
    // They are of the whole series.
    if (this.chunks.length > 1) throw new DecodeError('a chunk behind buckets', first.offset);
    into.addChunk(first.bytes, first.offset, first.length, range);
  }

  named(labels: Labels): ReadSeries {
    return new ChunkedSeries(labels, this.chunks);
  }

  #floats(range: TimeRange): SeriesColumns {
    const room = this.countAtMost(range);
    const timestampsMs = new Float64Array(room);
    const words = new Uint32Array(room * 2);
    const count = this.readInto(range, { timestampsMs, words }, 0);
    const values = new Float64Array(words.buffer);
    return { ...BARE, labels: this.labels, count, timestampsMs, values };
  }
}

const BARE = { histograms: null, startTimestampsMs: null, replica: '' } as const;

/** Nothing is reset within a chunk; what stands before its first histogram is not known. */
function histogramsOf(labels: Labels, chunk: ReadChunk): SeriesColumns {
  const { bytes, offset, length, encoding } = chunk;
  const columns = decodeHistograms(bytes, offset, length, encoding);
  const { count, timestampsMs, counterReset } = columns;
  const histograms: FloatHistogram[] = [];
  for (let i = 0; i < count; i++) {
    const hint = i === 0 ? 'unknown' : 'not-reset';
    histograms.push(histogramAt(columns, i, counterReset === 'gauge' ? 'gauge' : hint));
  }
  return { ...BARE, labels, count, timestampsMs, values: new Float64Array(count), histograms };
}

/** Parts that follow one another in time. */
function inTurn(labels: Labels, parts: readonly SeriesColumns[]): SeriesColumns {
  const count = parts.reduce((sum, part) => sum + part.count, 0);
  const timestampsMs = new Float64Array(count);
  const words = new Uint32Array(count * 2);
  const histograms: (FloatHistogram | null)[] = [];
  let at = 0;
  for (const part of parts) {
    if (at > 0 && part.count > 0 && part.timestampsMs[0]! <= timestampsMs[at - 1]!) {
      throw new DecodeError('samples of a series are not in order of time', 0);
    }
    timestampsMs.set(part.timestampsMs.subarray(0, part.count), at);
    const { buffer, byteOffset } = part.values;
    words.set(new Uint32Array(buffer, byteOffset, part.count * 2), at * 2);
    for (let i = 0; i < part.count; i++) histograms.push(part.histograms?.[i] ?? null);
    at += part.count;
  }
  return {
    ...BARE,
    labels,
    count,
    timestampsMs,
    values: new Float64Array(words.buffer),
    histograms,
  };
}
