import { assert } from '@pollux/base';
import { CHOSEN_XOR, type NativeXor, XOR_NATIVE_MOST } from './native-xor.ts';
import {
  createXorAppendState,
  resetXorAppend,
  XOR_CUT_BYTES,
  type XorAppendState,
  xorAppend,
  xorByteLength,
} from './xor-append.ts';

/** What writes whole chunks: scratch that is used again, and where a chunk ends. */
export type XorEncoder = {
  /** Of one chunk, for the reference. */
  readonly state: XorAppendState;
  /** A chunk larger than this takes no further sample. */
  readonly cutBytes: number;
  readonly native: NativeXor | null;
};

/** The largest `cutBytes`: with one sample more, a chunk's bits are still counted in 16 bits. */
export const XOR_MOST_CUT_BYTES = 8_171;
/** Fewer samples are written sooner than copied to where WebAssembly sees them. */
const NATIVE_LEAST = 8;

/** `cutBytes` is at most {@link XOR_MOST_CUT_BYTES}. */
export function createXorEncoder(
  cutBytes = XOR_CUT_BYTES,
  native: NativeXor | null = CHOSEN_XOR,
): XorEncoder {
  assert(cutBytes <= XOR_MOST_CUT_BYTES, 'a XOR chunk is cut before its bits are too many');
  return { state: createXorAppendState(1), cutBytes, native };
}

/**
 * Writes samples of columns from `from` on, one at least, as a XOR chunk to `bytes[offset …]`: up to `to`, but none behind
 * the one that makes the chunk longer than the encoder's `cutBytes`. Returns the chunk's length; it has `xorCount` samples.
 * Sample i has its bits in words 2i (low) and 2i + 1 (high). Byte for byte what {@link xorAppend} of each would write, with
 * the same demands on times; room is needed for `cutBytes` and XOR_SAMPLE_MAX_BYTES, or for as much a sample.
 */
export function xorEncode(
  encoder: XorEncoder,
  timestampsMs: Float64Array,
  valueWords: Uint32Array,
  from: number,
  to: number,
  bytes: Uint8Array,
  offset: number,
): number {
  const { state, cutBytes, native } = encoder;
  if (native !== null && to - from >= NATIVE_LEAST && to - from <= XOR_NATIVE_MOST) {
    native.times.set(timestampsMs.subarray(from, to));
    native.words.set(valueWords.subarray(from * 2, to * 2));
    const length = (native.encode(to - from, cutBytes * 8) + 7) >>> 3;
    bytes.set(native.input.subarray(0, length), offset);
    return length;
  }
  resetXorAppend(state, 0);
  let length = 0;
  for (let i = from; i < to && length <= cutBytes; i++) {
    const low = valueWords[i * 2]!;
    xorAppend(state, 0, bytes, offset, timestampsMs[i]!, low, valueWords[i * 2 + 1]!);
    length = xorByteLength(state, 0);
  }
  return length;
}
