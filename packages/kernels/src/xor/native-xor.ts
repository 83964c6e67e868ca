import { CHOSEN_KERNELS } from '../native/chosen-kernels.ts';
import type { NativeKernels } from '../native/native-kernels.ts';

/** XOR's inner loops in WebAssembly, with the memory that it works on: scratch of one synchronous call. */
export type NativeXor = {
  readonly input: Uint8Array;
  readonly times: Float64Array;
  readonly words: Uint32Array;
  /** Bytes of a chunk that fit. */
  readonly room: number;
  samples(
    firstBit: number,
    endBit: number,
    count: number,
    firstTimestamp: number,
    firstDelta: number,
    valueLow: number,
    valueHigh: number,
  ): boolean;
  /** Writes the samples of `times` and `words` as a chunk into `input`; returns its bits. */
  encode(count: number, cutBits: number): number;
};

/** Samples that its memory holds. */
export const XOR_NATIVE_MOST = 8192;
const ROOM = 65_536;

export function createNativeXor(native: NativeKernels): NativeXor {
  const { buffer } = native.memory;
  return {
    input: new Uint8Array(buffer, native.inputAt(), ROOM),
    times: new Float64Array(buffer, native.numbersAt(), XOR_NATIVE_MOST),
    words: new Uint32Array(buffer, native.wordsAt(), XOR_NATIVE_MOST * 2),
    room: ROOM,
    samples: (firstBit, endBit, count, firstTimestamp, firstDelta, valueLow, valueHigh) =>
      native.xorSamples(
        firstBit,
        endBit,
        count,
        firstTimestamp,
        firstDelta,
        valueLow,
        valueHigh,
      ) !== 0,
    encode: (count, cutBits) => native.xorEncode(count, cutBits),
  };
}

export const CHOSEN_XOR: NativeXor | null =
  CHOSEN_KERNELS === null ? null : createNativeXor(CHOSEN_KERNELS);
