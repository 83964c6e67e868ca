import { ByteWriter } from '@pollux/base';
import {
  crc32c,
  createXorEncoder,
  type HistogramChunk,
  HistogramWriter,
  XOR_MAX_BYTES,
  XOR_SAMPLE_MAX_BYTES,
  xorCount,
  xorEncode,
} from '@pollux/kernels';
import { type Labels, wordsOf } from '@pollux/model';
import { type ChunkSink, type SeriesColumns, sampleOf, type TimeRange } from '@pollux/storage';
import { int64Size, uintSize, writeBytes, writeInt64Field } from '../proto-writer.ts';
import { BUCKET_ENCODING, BucketRows, type BucketWish } from './bucket-rows.ts';
import { writeLabels } from './labels.ts';

/** As Prometheus' `--storage.remote.read-max-bytes-in-frame`; a frame ends with the chunk that makes it longer. */
const FRAME_BYTES = 1024 * 1024;
/** As in the head of a database. */
const CHUNK_SAMPLES = 120;
/** Chunk.Encoding of floats. */
export const XOR_ENCODING = 1;

/** Writes series as the frames of a streamed answer to a remote read; `chunked-response.ts` shows their layout. */
export class ChunkFrameWriter implements ChunkSink {
  readonly #queryIndex: number;
  readonly #encoder = createXorEncoder();
  readonly #chunk = new Uint8Array(XOR_MAX_BYTES + XOR_SAMPLE_MAX_BYTES);
  readonly #series = new ByteWriter(8 * 1024);
  readonly #frame = new ByteWriter(FRAME_BYTES + 64 * 1024);
  #full: Uint8Array[] = [];
  readonly #rows = new BucketRows();
  /** Label fields of the series under way, which a frame's end makes the beginning of the next one. */
  readonly #labels = new ByteWriter(1024);

  constructor(queryIndex: number) {
    this.#queryIndex = queryIndex;
  }

  /** Series come in the order of their labels; one without samples is left out. */
  add(columns: SeriesColumns): void {
    if (columns.count === 0) return;
    this.begin(columns.labels);
    this.samples(columns);
    this.end();
  }

  /** As {@link add}, in buckets where these are much fewer than the samples. */
  addBuckets(columns: SeriesColumns, wish: BucketWish): void {
    const rows = this.#rows;
    rows.clear();
    if (columns.histograms === null) rows.addSamples(columns, wish);
    if (rows.count === 0 || !rows.paysFor(columns.count)) {
      this.add(columns);
      return;
    }
    const times = { minMs: rows.firstTimesMs[0]!, maxMs: rows.lastTimesMs[rows.count - 1]! };
    this.begin(columns.labels);
    this.#addChunk(BUCKET_ENCODING, times, rows.bytes());
    this.end();
  }

  begin(labels: Labels): void {
    this.#labels.reset();
    writeLabels(this.#labels, labels);
    this.#beginSeries();
  }

  chunk(encoding: number, bytes: Uint8Array, times: TimeRange): void {
    this.#addChunk(encoding, times, bytes);
  }

  samples(columns: SeriesColumns): void {
    const { histograms, count } = columns;
    let at = 0;
    while (at < count) {
      const isHistogram = histograms?.[at] != null;
      let to = at + 1;
      while (to < count && (histograms?.[to] != null) === isHistogram) to++;
      if (isHistogram) this.#addHistograms(columns, at, to);
      else this.#addFloats(columns, at, to);
      at = to;
    }
  }

  end(): void {
    this.#endSeries();
  }

  /** The frames that are full since the last call. */
  takeFull(): readonly Uint8Array[] {
    const full = this.#full;
    this.#full = [];
    return full;
  }

  /** All that is left. */
  finish(): readonly Uint8Array[] {
    this.#endFrame();
    return this.takeFull();
  }

  #addFloats({ timestampsMs, values }: SeriesColumns, from: number, to: number): void {
    const words = wordsOf(values);
    for (let at = from; at < to; ) {
      const end = Math.min(to, at + CHUNK_SAMPLES);
      const length = xorEncode(this.#encoder, timestampsMs, words, at, end, this.#chunk, 0);
      const next = at + xorCount(this.#chunk, 0);
      const times = { minMs: timestampsMs[at]!, maxMs: timestampsMs[next - 1]! };
      this.#addChunk(XOR_ENCODING, times, this.#chunk.subarray(0, length));
      at = next;
    }
  }

  #addHistograms({ timestampsMs, histograms }: SeriesColumns, from: number, to: number): void {
    const writer = new HistogramWriter(false);
    let minMs = timestampsMs[from]!;
    const add = ({ encoding, bytes, byteLength }: HistogramChunk, maxMs: number): void =>
      this.#addChunk(encoding, { minMs, maxMs }, bytes.subarray(0, byteLength));
    for (let i = from; i < to; i++) {
      const histogram = histograms?.[i];
      if (histogram == null) continue;
      const timeMs = timestampsMs[i]!;
      const isCut = (writer.open?.count ?? 0) >= CHUNK_SAMPLES;
      const done = writer.append(sampleOf(histogram, timeMs, 0), isCut);
      if (done === null) continue;
      add(done, timestampsMs[i - 1]!);
      minMs = timeMs;
    }
    if (writer.open !== null) add(writer.open, timestampsMs[to - 1]!);
  }

  #addChunk(encoding: number, times: TimeRange, data: Uint8Array): void {
    if (this.#series.size + this.#frame.size > FRAME_BYTES) {
      this.#endSeries();
      this.#endFrame();
      this.#beginSeries();
    }
    const { minMs, maxMs } = times;
    const out = this.#series;
    const timeBytes = (ms: number): number => (ms === 0 ? 0 : 1 + int64Size(ms));
    out.u8(0x12);
    out.uvarint(timeBytes(minMs) + timeBytes(maxMs) + 2 + 1 + uintSize(data.length) + data.length);
    writeInt64Field(out, 0x08, minMs);
    writeInt64Field(out, 0x10, maxMs);
    out.u8(0x18);
    out.u8(encoding);
    writeBytes(out, 0x22, data);
  }

  #beginSeries(): void {
    this.#series.reset();
    this.#series.raw(this.#labels.bytes());
  }

  #endSeries(): void {
    // Where the frame has just ended behind a series' labels, nothing of it is left for this one.
    if (this.#series.size === this.#labels.size) return;
    writeBytes(this.#frame, 0x0a, this.#series.bytes());
    this.#series.reset();
  }

  #endFrame(): void {
    if (this.#frame.size === 0) return;
    if (this.#queryIndex > 0) writeInt64Field(this.#frame, 0x10, this.#queryIndex);
    const body = this.#frame.bytes();
    const head = new ByteWriter(16);
    head.uvarint(body.length);
    head.u32(crc32c(body));
    const frame = new Uint8Array(head.size + body.length);
    frame.set(head.bytes());
    frame.set(body, head.size);
    this.#full.push(frame);
    this.#frame.reset();
  }
}
