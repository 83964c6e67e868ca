import { DecodeError } from '@pollux/base';
import {
  createXorAppendState,
  decodeHistograms,
  HISTOGRAM_ENCODING,
  HistogramChunk,
  XOR_MALFORMED,
  XOR_SAMPLE_MAX_BYTES,
  xorAppend,
  xorByteLength,
  xorCount,
  xorDecode,
} from '@pollux/kernels';
import { NotSupportedError } from '../errors.ts';
import { CHUNK_ENCODING, isHistogramEncoding } from './chunk-file.ts';

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
 * NotSupportedError for an encoding that is only read here.
 */
export function rewriteChunk(
  chunk: EncodedChunk,
  keeps: (timestampMs: number) => boolean,
): EncodedChunk | null {
  if (chunk.encoding === CHUNK_ENCODING.xor) return rewriteXor(chunk, keeps);
  if (isHistogramEncoding(chunk.encoding)) return rewriteHistograms(chunk, keeps);
  throw new NotSupportedError(`rewriting chunks of encoding ${chunk.encoding}`);
}

function rewriteXor(
  chunk: EncodedChunk,
  keeps: (timestampMs: number) => boolean,
): EncodedChunk | null {
  const count = xorCount(chunk.bytes, chunk.start);
  if (count > chunk.length * 8) throw new DecodeError('malformed chunk', chunk.start);
  const timestampsMs = new Float64Array(count);
  const words = new Uint32Array(count * 2);
  const decoded = xorDecode(chunk.bytes, chunk.start, chunk.length, timestampsMs, words, 0);
  if (decoded === XOR_MALFORMED) throw new DecodeError('malformed chunk', chunk.start);
  const state = createXorAppendState(1);
  // What is left out makes the differences of its neighbours larger, but never more than a sample's most.
  const bytes = new Uint8Array(chunk.length + count * XOR_SAMPLE_MAX_BYTES);
  let minMs = Number.NaN;
  for (let i = 0; i < count; i++) {
    const at = timestampsMs[i]!;
    if (!keeps(at)) continue;
    if (Number.isNaN(minMs)) minMs = at;
    xorAppend(state, 0, bytes, 0, at, words[i * 2]!, words[i * 2 + 1]!);
  }
  if (Number.isNaN(minMs)) return null;
  const length = xorByteLength(state, 0);
  const maxMs = state.lastTimestampMs[0]!;
  return { encoding: chunk.encoding, bytes, start: 0, length, minMs, maxMs };
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
