import { DecodeError, ProtoReader, WIRE } from '@pollux/base';
import { crc32c, HISTOGRAM_ENCODING } from '@pollux/kernels';
import type { Labels } from '@pollux/model';
import { BUCKET_ENCODING } from './bucket-rows.ts';
import { XOR_ENCODING } from './chunk-frames.ts';
import { LabelsInTurn } from './labels-in-turn.ts';
import { ChunkedSeries, type ReadChunk } from './read-series.ts';

export const CHUNKED_CONTENT_TYPE = 'application/x-streamed-protobuf';

/** A parameter of the content type: series have no external labels. */
export const OWN_LABELS = 'labels=own';

/** Servers end a frame at a megabyte, but for a single chunk. */
const MAX_FRAME_BYTES = 64 * 1024 * 1024;
/** A length of up to MAX_FRAME_BYTES, and a checksum. */
const MAX_HEAD_BYTES = 4 + 4;
const ENCODINGS: ReadonlySet<number> = new Set([
  XOR_ENCODING,
  ...Object.values(HISTOGRAM_ENCODING),
]);

/** Where buckets were asked for. */
const BUCKETS_TOO: ReadonlySet<number> = new Set([...ENCODINGS, BUCKET_ENCODING]);

/** A chunk's data may be decoded some bytes behind its end sooner than up to it. */
const PADDING_BYTES = 16;

type OpenSeries = { readonly labels: Labels; readonly chunks: ReadChunk[] };

/**
 * Reads a streamed answer to a remote read of one query, as its bytes come:
 *
 *     ┌────────────────┬──────────────────────────┬──────────────────────────────┐
 *     │ length uvarint │ CRC-32C of the rest, u32 │ ChunkedReadResponse          │  as often as there are
 *     └────────────────┴──────────────────────────┴──────────────────────────────┘
 *     ChunkedReadResponse { 1 series* { 1 labels*, 2 chunks* { 1 min, 2 max, 3 encoding, 4 data } }, 2 query index }
 *
 * A series may go on in the next frame, so the newest is held back. Chunks come whole: samples may lie outside the range that was
 * asked for.
 */
export class ChunkedResponseReader {
  readonly #encodings: ReadonlySet<number>;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  /** Of the frame under way with its head; of the head alone while that is not known. */
  #neededBytes = 2;
  /** Whole ones whose series are not read yet. */
  #frames: ProtoReader[] = [];
  readonly #labels = new LabelsInTurn();
  #open: OpenSeries | null = null;
  #complete: ChunkedSeries[] = [];

  constructor({ hasBuckets = false }: { readonly hasBuckets?: boolean } = {}) {
    this.#encodings = hasBuckets ? BUCKETS_TOO : ENCODINGS;
  }

  /** Throws DecodeError. */
  push(piece: Uint8Array): void {
    this.#waiting.push(piece);
    this.#waitingBytes += piece.length;
    while (this.#waitingBytes >= this.#neededBytes) {
      const data = this.#joined();
      const rest = this.#readFrames(data);
      this.#waiting = rest.length === 0 ? [] : [rest];
      this.#waitingBytes = rest.length;
    }
  }

  /** Series that are complete since the last call; with `most` about as many at most, so that a frame does not hold the thread. Throws DecodeError. */
  take(most = Number.POSITIVE_INFINITY): readonly ChunkedSeries[] {
    this.#readSeriesOf(most);
    const complete = this.#complete;
    this.#complete = [];
    return complete;
  }

  /** Throws DecodeError when the answer broke off. */
  end(): void {
    if (this.#waitingBytes > 0) throw new DecodeError('frame is cut short', this.#waitingBytes);
    this.#readSeriesOf(Number.POSITIVE_INFINITY);
    this.#endSeries();
  }

  #joined(): Uint8Array {
    const [first] = this.#waiting;
    if (this.#waiting.length === 1 && first !== undefined) return first;
    const data = new Uint8Array(this.#waitingBytes + PADDING_BYTES);
    let at = 0;
    for (const piece of this.#waiting) {
      data.set(piece, at);
      at += piece.length;
    }
    return data.subarray(0, at);
  }

  /** Reads the whole frames at the beginning of `data`, and returns what is behind them. */
  #readFrames(data: Uint8Array): Uint8Array {
    let at = 0;
    for (;;) {
      const head = frameHead(data, at);
      const left = data.length - at;
      if (head === null || left < head.bytes + head.length) {
        this.#neededBytes = head === null ? left + 1 : head.bytes + head.length;
        return data.subarray(at);
      }
      const start = at + head.bytes;
      at = start + head.length;
      if (head.checksum !== crc32c(data, start, at)) {
        throw new DecodeError('frame has another checksum', start);
      }
      this.#frames.push(new ProtoReader(data, start, at));
    }
  }

  #readSeriesOf(most: number): void {
    for (let reader = this.#frames[0]; reader !== undefined; reader = this.#frames[0]) {
      while (!reader.isAtEnd) {
        if (this.#complete.length >= most) return;
        const tag = reader.tag();
        if (tag >>> 3 !== 1) {
          reader.skip(tag);
          continue;
        }
        reader.expect(tag, WIRE.bytes);
        const outer = reader.enter();
        this.#readSeries(reader);
        reader.leave(outer);
      }
      this.#frames.shift();
    }
  }

  #readSeries(reader: ProtoReader): void {
    const labelsAt = reader.offset;
    let labelsEnd = labelsAt;
    const chunks: ReadChunk[] = [];
    while (!reader.isAtEnd) {
      const tag = reader.tag();
      const field = tag >>> 3;
      if (field === 1) {
        reader.expect(tag, WIRE.bytes);
        reader.skip(tag);
        if (chunks.length > 0) throw new DecodeError('a label behind chunks', reader.offset);
        labelsEnd = reader.offset;
      } else if (field === 2) {
        reader.expect(tag, WIRE.bytes);
        const outer = reader.enter();
        chunks.push(readChunk(reader, this.#encodings));
        reader.leave(outer);
      } else reader.skip(tag);
    }
    const labels = this.#labels.read(reader.data, labelsAt, labelsEnd);
    if (this.#open?.labels.equals(labels) === true) this.#open.chunks.push(...chunks);
    else {
      this.#endSeries();
      this.#open = { labels, chunks };
    }
  }

  #endSeries(): void {
    if (this.#open !== null) {
      this.#complete.push(new ChunkedSeries(this.#open.labels, this.#open.chunks));
    }
    this.#open = null;
  }
}

/** Null when not all of it is there. */
function frameHead(
  data: Uint8Array,
  at: number,
): { readonly length: number; readonly checksum: number; readonly bytes: number } | null {
  let length = 0;
  for (let i = 0; i < MAX_HEAD_BYTES - 4; i++) {
    const byte = data[at + i];
    if (byte === undefined) return null;
    length += (byte & 0x7f) * 128 ** i;
    if (byte >= 0x80) continue;
    if (length > MAX_FRAME_BYTES) break;
    const sumAt = at + i + 1;
    if (data.length < sumAt + 4) return null;
    const checksum = new DataView(data.buffer, data.byteOffset + sumAt, 4).getUint32(0);
    return { length, checksum, bytes: i + 5 };
  }
  throw new DecodeError(`frame of more than ${MAX_FRAME_BYTES} bytes`, at);
}

function readChunk(reader: ProtoReader, encodings: ReadonlySet<number>): ReadChunk {
  let encoding = 0;
  let offset = reader.offset;
  let length = 0;
  let minMs = 0;
  let maxMs = 0;
  while (!reader.isAtEnd) {
    const tag = reader.tag();
    const field = tag >>> 3;
    if (field >= 1 && field <= 3) {
      reader.expect(tag, WIRE.varint);
      if (field === 1) minMs = reader.int64Clamped();
      else if (field === 2) maxMs = reader.int64Clamped();
      else encoding = reader.uint();
    } else if (field === 4) {
      reader.expect(tag, WIRE.bytes);
      const outer = reader.enter();
      offset = reader.offset;
      length = reader.end - reader.offset;
      reader.offset = reader.end;
      reader.leave(outer);
    } else reader.skip(tag);
  }
  if (!encodings.has(encoding)) throw new DecodeError(`chunk of encoding ${encoding}`, offset);
  if (length < 2) throw new DecodeError('chunk is too short', offset);
  const isTold = minMs <= maxMs && (minMs !== 0 || maxMs !== 0);
  return {
    bytes: reader.data,
    offset,
    length,
    encoding,
    // Who does not tell times has its chunks decoded.
    minMs: isTold ? minMs : Number.NEGATIVE_INFINITY,
    maxMs: isTold ? maxMs : Number.POSITIVE_INFINITY,
  };
}
