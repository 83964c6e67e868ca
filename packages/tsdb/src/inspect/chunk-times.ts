import { decodeHistograms } from '@pollux/kernels';
import { isHistogramEncoding } from '../format/chunk-file.ts';
import { decodeFloats } from '../format/float-chunk.ts';

/** When the samples of a chunk were; the array may be longer than `count`. */
export type ChunkTimes = { readonly count: number; readonly timestampsMs: Float64Array };

/** Decodes a whole chunk. Null for an encoding that is not known. Throws DecodeError for bytes that are no chunk of it. */
export function chunkTimes(encoding: number, bytes: Uint8Array): ChunkTimes | null {
  if (isHistogramEncoding(encoding)) return decodeHistograms(bytes, 0, bytes.length, encoding);
  return decodeFloats(encoding, bytes, 0, bytes.length);
}
