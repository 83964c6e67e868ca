import { CHOSEN_KERNELS } from '../native/chosen-kernels.ts';
import type { NativeKernels } from '../native/native-kernels.ts';

/** XOR's inner loops in WebAssembly, with the memory that it works on: scratch of one synchronous call. */
export type NativeXor = {
  readonly input: Uint8Array;
  readonly times: Float64Array;
  readonly words: Uint32Array;
  /** Bytes of a chunk that fit. */
  readonly room: number;
  /**
   * Decodes the chunk in the first `length` bytes of `input`. Of its samples without the newest `hidden`, those from `minMs` to
   * `maxMs` are then the ones from `result >>> 16` to `result & 0xffff`; −1 when the chunk is malformed.
   */
  part(length: number, hidden: number, minMs: number, maxMs: number): number;
  /** The first `count` of `times` and `words`, as views that are made once: most chunks have the same few counts. */
  firstTimes(count: number): Float64Array;
  firstWords(count: number): Uint32Array;
  /** Writes the samples of `times` and `words` as a chunk into `input`; returns its bits. */
  encode(count: number, cutBits: number): number;
};

/** Samples that its memory holds. */
export const XOR_NATIVE_MOST = 8192;
const ROOM = 65_536;
/** Views of fewer samples are kept. */
const KEPT_VIEWS = 256;

export function createNativeXor(native: NativeKernels): NativeXor {
  const { buffer } = native.memory;
  const times = new Float64Array(buffer, native.numbersAt(), XOR_NATIVE_MOST);
  const words = new Uint32Array(buffer, native.wordsAt(), XOR_NATIVE_MOST * 2);
  const counts = Array.from({ length: KEPT_VIEWS }, (_, count) => count);
  const timesTo = counts.map((count) => times.subarray(0, count));
  const wordsTo = counts.map((count) => words.subarray(0, count * 2));
  return {
    input: new Uint8Array(buffer, native.inputAt(), ROOM),
    times,
    words,
    room: ROOM,
    part: (length, hidden, minMs, maxMs) => native.xorPart(length, hidden, minMs, maxMs),
    firstTimes: (count) => timesTo[count] ?? times.subarray(0, count),
    firstWords: (count) => wordsTo[count] ?? words.subarray(0, count * 2),
    encode: (count, cutBits) => native.xorEncode(count, cutBits),
  };
}

export const CHOSEN_XOR: NativeXor | null =
  CHOSEN_KERNELS === null ? null : createNativeXor(CHOSEN_KERNELS);
