import { DecodeError } from '@pollux/base';
import {
  DENSE_MALFORMED,
  denseCount,
  denseDecode,
  XOR_MALFORMED,
  xor2Decode,
  xorCount,
  xorDecode,
} from '@pollux/kernels';
import { CHUNK_ENCODING } from './chunk-file.ts';

/** Samples of a chunk of floats, ascending in time; value i has its bits in words 2i (low) and 2i + 1 (high). */
export type FloatColumns = {
  readonly count: number;
  readonly timestampsMs: Float64Array;
  readonly words: Uint32Array;
  /** Null when the chunk has none; 0 where it is not known. */
  readonly startTimestampsMs: Float64Array | null;
};

/** True for encodings of plain numbers, false for native histograms. */
export function isFloatEncoding(encoding: number): boolean {
  const { xor, xor2, dense } = CHUNK_ENCODING;
  return encoding === xor || encoding === xor2 || encoding === dense;
}

/** True when samples of the chunk have start timestamps, which only an encoding that knows them keeps. */
export function hasFloatStartTimes(encoding: number, bytes: Uint8Array, start: number): boolean {
  return encoding === CHUNK_ENCODING.xor2 && bytes[start + 2] !== 0;
}

/** Decodes the chunk in `bytes[start, start + length)`; null for an encoding of something else. Throws DecodeError. */
export function decodeFloats(
  encoding: number,
  bytes: Uint8Array,
  start: number,
  length: number,
): FloatColumns | null {
  switch (encoding) {
    case CHUNK_ENCODING.xor:
      return decodeXor(bytes, start, length);
    case CHUNK_ENCODING.xor2: {
      const { count, timestampsMs, valueWords, startTimestampsMs } = xor2Decode(
        bytes,
        start,
        length,
      );
      const starts = hasFloatStartTimes(encoding, bytes, start) ? startTimestampsMs : null;
      return { count, timestampsMs, words: valueWords, startTimestampsMs: starts };
    }
    case CHUNK_ENCODING.dense:
      return decodeDense(bytes, start, length);
    default:
      return null;
  }
}

function decodeXor(bytes: Uint8Array, start: number, length: number): FloatColumns {
  const claimed = length < 2 ? 0 : xorCount(bytes, start);
  // Each sample after the first takes at least two bits, so a lying count is found before memory is taken for it.
  if (claimed > length * 8) throw new DecodeError('malformed chunk', start);
  const timestampsMs = new Float64Array(claimed);
  const words = new Uint32Array(claimed * 2);
  const count = xorDecode(bytes, start, length, timestampsMs, words, 0);
  if (count === XOR_MALFORMED) throw new DecodeError('malformed chunk', start);
  return { count, timestampsMs, words, startTimestampsMs: null };
}

function decodeDense(bytes: Uint8Array, start: number, length: number): FloatColumns {
  // The format's limit on the count bounds what a lying chunk may take.
  const claimed = denseCount(bytes, start, length);
  if (claimed === DENSE_MALFORMED) throw new DecodeError('malformed chunk', start);
  const timestampsMs = new Float64Array(claimed);
  const words = new Uint32Array(claimed * 2);
  const count = denseDecode(bytes, start, length, timestampsMs, words, 0);
  if (count === DENSE_MALFORMED) throw new DecodeError('malformed chunk', start);
  return { count, timestampsMs, words, startTimestampsMs: null };
}
