import { DecodeError } from '@pollux/base';
import { crc32c, XOR_MALFORMED, xorCount, xorDecode } from '@pollux/kernels';
import type { SeriesColumns } from '@pollux/storage';
import { ProtoReader, WIRE } from '../proto-reader.ts';
import { decodeLabels } from './labels.ts';

export const CHUNKED_CONTENT_TYPE = 'application/x-streamed-protobuf';

/** Chunk.Encoding of floats. */
const XOR = 1;

/** A series of a streamed answer, not decoded yet: so many as are looked at are held as samples. */
export type ChunkedSeries = {
  readonly labels: SeriesColumns['labels'];
  /** Throws DecodeError. */
  readonly decode: () => SeriesColumns;
};

/** XOR chunks of one series in time order; offsets are into the answer. */
type Found = {
  readonly labels: SeriesColumns['labels'];
  readonly chunks: { readonly offset: number; readonly length: number }[];
};

/**
 * Reads a streamed answer to a remote read of one query:
 *
 *     ┌────────────────┬──────────────────────────┬──────────────────────────────┐
 *     │ length uvarint │ CRC-32C of the rest, u32 │ ChunkedReadResponse          │  as often as there are
 *     └────────────────┴──────────────────────────┴──────────────────────────────┘
 *
 * A series may go on in the next frame. Chunks come whole: samples may lie outside the range that was asked for. Null when there
 * are chunks of histograms, which this does not read.
 */
export function readChunkedResponse(data: Uint8Array): ChunkedSeries[] | null {
  const frames = new ProtoReader(data);
  const found: Found[] = [];
  while (!frames.isAtEnd) {
    const length = frames.uint();
    const start = frames.offset + 4;
    if (start + length > data.length) throw new DecodeError('frame is cut short', frames.offset);
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    if (view.getUint32(frames.offset) !== crc32c(data, start, start + length))
      throw new DecodeError('frame has another checksum', frames.offset);
    const reader = new ProtoReader(data, start, start + length);
    while (!reader.isAtEnd) {
      const tag = reader.tag();
      if (tag >>> 3 !== 1) {
        reader.skip(tag);
        continue;
      }
      reader.expect(tag, WIRE.bytes);
      const outer = reader.enter();
      if (!readSeries(reader, found)) return null;
      reader.leave(outer);
    }
    frames.offset = start + length;
  }
  return found.map((series) => ({
    labels: series.labels,
    decode: () => columnsOf(data, series),
  }));
}

/** False when it meets a chunk of histograms. */
function readSeries(reader: ProtoReader, found: Found[]): boolean {
  const labelsAt = reader.offset;
  let labelsEnd = labelsAt;
  const chunks: { offset: number; length: number }[] = [];
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
      const chunk = readChunk(reader);
      reader.leave(outer);
      if (chunk === null) return false;
      chunks.push(chunk);
    } else reader.skip(tag);
  }
  const decoded = decodeLabels(reader.data, labelsAt, labelsEnd);
  if (decoded.kind === 'invalid') throw new DecodeError(decoded.reason, labelsAt);
  const last = found.at(-1);
  if (last?.labels.equals(decoded.labels) === true) last.chunks.push(...chunks);
  else found.push({ labels: decoded.labels, chunks });
  return true;
}

function readChunk(reader: ProtoReader): { offset: number; length: number } | null {
  let encoding = 0;
  let offset = reader.offset;
  let length = 0;
  while (!reader.isAtEnd) {
    const tag = reader.tag();
    if (tag >>> 3 === 3) {
      reader.expect(tag, WIRE.varint);
      encoding = reader.uint();
    } else if (tag >>> 3 === 4) {
      reader.expect(tag, WIRE.bytes);
      const outer = reader.enter();
      offset = reader.offset;
      length = reader.end - reader.offset;
      reader.offset = reader.end;
      reader.leave(outer);
    } else reader.skip(tag);
  }
  return encoding === XOR ? { offset, length } : null;
}

function columnsOf(data: Uint8Array, { labels, chunks }: Found): SeriesColumns {
  let count = 0;
  for (const { offset, length } of chunks) {
    if (length < 2) throw new DecodeError('chunk is too short', offset);
    count += xorCount(data, offset);
  }
  // A sample takes two bits at least: what claims more is no chunk.
  const bytes = chunks.reduce((sum, { length }) => sum + length, 0);
  if (count > bytes * 8) throw new DecodeError('chunks of too many samples', chunks[0]!.offset);
  const timestampsMs = new Float64Array(count);
  const words = new Uint32Array(count * 2);
  let at = 0;
  for (const { offset, length } of chunks) {
    const added = xorDecode(data, offset, length, timestampsMs, words, at);
    if (added === XOR_MALFORMED) throw new DecodeError('malformed XOR chunk', offset);
    at += added;
  }
  for (let i = 1; i < at; i++) {
    if (timestampsMs[i]! <= timestampsMs[i - 1]!)
      throw new DecodeError('samples of a series are not in order of time', chunks[0]!.offset);
  }
  return {
    labels,
    count: at,
    timestampsMs,
    values: new Float64Array(words.buffer),
    histograms: null,
    startTimestampsMs: null,
    replica: '',
  };
}
