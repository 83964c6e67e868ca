import { assert } from '@pollux/base';
import {
  createDenseEncoder,
  createXorEncoder,
  DENSE_UNFIT,
  decodeHistograms,
  denseEncode,
  denseMaxBytes,
  HISTOGRAM_ENCODING,
  HistogramChunk,
  XOR_MOST_CUT_BYTES,
  XOR_SAMPLE_MAX_BYTES,
  Xor2Chunk,
  xorCount,
  xorEncode,
} from '@pollux/kernels';
import { NotSupportedError } from '../errors.ts';
import { CHUNK_ENCODING, isHistogramEncoding } from './chunk-file.ts';
import { decodeFloats, type FloatColumns } from './float-chunk.ts';

/** A chunk in `bytes[start, start + length)`, with the times of its first and last sample. */
export type EncodedChunk = {
  readonly encoding: number;
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly length: number;
  readonly minMs: number;
  readonly maxMs: number;
};

/**
 * The chunk with only the samples whose time `keeps`, in its own encoding; null when none is left. Throws DecodeError, and
 * NotSupportedError for an encoding that is not known.
 */
export function rewriteChunk(
  chunk: EncodedChunk,
  keeps: (timestampMs: number) => boolean,
): EncodedChunk | null {
  const { encoding, bytes, start, length } = chunk;
  if (isHistogramEncoding(encoding)) return rewriteHistograms(chunk, keeps);
  const floats = decodeFloats(encoding, bytes, start, length);
  if (floats !== null) return rewriteFloats(chunk, floats, keeps);
  throw new NotSupportedError(`rewriting chunks of encoding ${chunk.encoding}`);
}

function rewriteFloats(
  chunk: EncodedChunk,
  columns: FloatColumns,
  keeps: (timestampMs: number) => boolean,
): EncodedChunk | null {
  const kept = keptFloats(columns, keeps);
  if (kept.count === 0) return null;
  const minMs = kept.timestampsMs[0]!;
  const maxMs = kept.timestampsMs[kept.count - 1]!;
  return { encoding: chunk.encoding, ...encodeFloats(chunk.encoding, kept), minMs, maxMs };
}

function keptFloats(columns: FloatColumns, keeps: (timestampMs: number) => boolean): FloatColumns {
  const timestampsMs = columns.timestampsMs.slice(0, columns.count);
  const words = columns.words.slice(0, columns.count * 2);
  const startTimestampsMs = columns.startTimestampsMs?.slice() ?? null;
  let count = 0;
  for (let i = 0; i < columns.count; i++) {
    if (!keeps(timestampsMs[i]!)) continue;
    timestampsMs[count] = timestampsMs[i]!;
    words[count * 2] = words[i * 2]!;
    words[count * 2 + 1] = words[i * 2 + 1]!;
    if (startTimestampsMs !== null) startTimestampsMs[count] = startTimestampsMs[i]!;
    count++;
  }
  return { count, timestampsMs, words, startTimestampsMs };
}

type Bytes = Pick<EncodedChunk, 'bytes' | 'start' | 'length'>;

function encodeFloats(encoding: number, columns: FloatColumns): Bytes {
  const { count, timestampsMs, words, startTimestampsMs } = columns;
  if (encoding === CHUNK_ENCODING.dense) {
    const bytes = new Uint8Array(denseMaxBytes(count));
    const values = new Float64Array(words.buffer, 0, count);
    const length = denseEncode(createDenseEncoder(), { timestampsMs, values }, 0, count, bytes, 0);
    assert(length !== DENSE_UNFIT, 'samples of a dense chunk fit into one');
    return { bytes, start: 0, length };
  }
  if (encoding === CHUNK_ENCODING.xor2) {
    const chunk = new Xor2Chunk();
    for (let i = 0; i < count; i++) {
      const startMs = startTimestampsMs?.[i] ?? 0;
      chunk.append(timestampsMs[i]!, words[i * 2]!, words[i * 2 + 1]!, startMs);
    }
    return { bytes: chunk.bytes, start: 0, length: chunk.byteLength };
  }
  const bytes = new Uint8Array((count + 1) * XOR_SAMPLE_MAX_BYTES);
  const encoder = createXorEncoder(XOR_MOST_CUT_BYTES);
  const length = xorEncode(encoder, timestampsMs, words, 0, count, bytes, 0);
  if (xorCount(bytes, 0) < count) throw new NotSupportedError('a XOR chunk of more than 8 KiB');
  return { bytes, start: 0, length };
}

function rewriteHistograms(
  chunk: EncodedChunk,
  keeps: (timestampMs: number) => boolean,
): EncodedChunk | null {
  const { bytes, start, length, encoding } = chunk;
  const columns = decodeHistograms(bytes, start, length, encoding);
  const { isInteger, layout, timestampsMs, startTimestampsMs, values, starts } = columns;
  // Without its first sample it may have lost the one that was not reset.
  const keepsFirst = columns.count > 0 && keeps(timestampsMs[0]!);
  const counterReset =
    keepsFirst || columns.counterReset === 'gauge' ? columns.counterReset : 'unknown';
  const hasStartTimes = startTimestampsMs !== null;
  const kept = new HistogramChunk({ isInteger, hasStartTimes, counterReset, layout });
  let minMs = Number.NaN;
  for (let i = 0; i < columns.count; i++) {
    const at = timestampsMs[i]!;
    if (!keeps(at)) continue;
    if (Number.isNaN(minMs)) minMs = at;
    kept.append(at, values, starts[i]!, startTimestampsMs?.[i] ?? 0);
  }
  if (Number.isNaN(minMs)) return null;
  return {
    encoding,
    bytes: kept.bytes,
    start: 0,
    length: kept.byteLength,
    minMs,
    maxMs: kept.lastTimestampMs,
  };
}

/** Samples in the chunk. */
export function chunkSampleCount(bytes: Uint8Array, start: number, encoding: number): number {
  const count = xorCount(bytes, start);
  const { integerWithStart, floatWithStart } = HISTOGRAM_ENCODING;
  return encoding === integerWithStart || encoding === floatWithStart ? count & 0x3fff : count;
}
