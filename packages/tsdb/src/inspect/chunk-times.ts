import { DecodeError } from '@pollux/base';
import {
  DENSE_MALFORMED,
  decodeHistograms,
  denseCount,
  denseDecode,
  XOR_MALFORMED,
  xor2Decode,
  xorCount,
  xorDecode,
} from '@pollux/kernels';
import { CHUNK_ENCODING } from '../format/chunk-file.ts';

/** When the samples of a chunk were; the array may be longer than `count`. */
export type ChunkTimes = { readonly count: number; readonly timestampsMs: Float64Array };

/** Decodes a whole chunk. Null for an encoding that is not known. Throws DecodeError for bytes that are no chunk of it. */
export function chunkTimes(encoding: number, bytes: Uint8Array): ChunkTimes | null {
  switch (encoding) {
    case CHUNK_ENCODING.xor:
      return xorTimes(bytes);
    case CHUNK_ENCODING.xor2:
      return xor2Decode(bytes, 0, bytes.length);
    case CHUNK_ENCODING.histogram:
    case CHUNK_ENCODING.floatHistogram:
    case CHUNK_ENCODING.histogramWithStart:
    case CHUNK_ENCODING.floatHistogramWithStart:
      return decodeHistograms(bytes, 0, bytes.length, encoding);
    case CHUNK_ENCODING.dense:
      return denseTimes(bytes);
    default:
      return null;
  }
}

function xorTimes(bytes: Uint8Array): ChunkTimes {
  const claimed = bytes.length < 2 ? 0 : xorCount(bytes, 0);
  // Each sample after the first takes at least two bits, so a lying count is found before memory is taken for it.
  if (claimed > bytes.length * 8) throw new DecodeError('malformed chunk', 0);
  const timestampsMs = new Float64Array(claimed);
  const count = xorDecode(bytes, 0, bytes.length, timestampsMs, new Uint32Array(claimed * 2), 0);
  if (count === XOR_MALFORMED) throw new DecodeError('malformed chunk', 0);
  return { count, timestampsMs };
}

function denseTimes(bytes: Uint8Array): ChunkTimes {
  // The format's limit on the count bounds what a lying chunk may take.
  const claimed = denseCount(bytes, 0, bytes.length);
  if (claimed === DENSE_MALFORMED) throw new DecodeError('malformed chunk', 0);
  const timestampsMs = new Float64Array(claimed);
  const words = new Uint32Array(claimed * 2);
  const count = denseDecode(bytes, 0, bytes.length, timestampsMs, words, 0);
  if (count === DENSE_MALFORMED) throw new DecodeError('malformed chunk', 0);
  return { count, timestampsMs };
}

/** True for encodings of plain numbers, false for native histograms. */
export function isFloatEncoding(encoding: number): boolean {
  const { xor, xor2, dense } = CHUNK_ENCODING;
  return encoding === xor || encoding === xor2 || encoding === dense;
}
