import { CHOSEN_KERNELS } from '../native/chosen-kernels.ts';
import type { NativeKernels } from '../native/native-kernels.ts';

/** Encoding of one block in WebAssembly, with the memory that it works on: scratch of one synchronous call. */
export type NativeSnappy = {
  readonly input: Uint8Array;
  readonly packed: Uint8Array;
  /** Encodes that many bytes of `input`, without the length in front, to `packed`; returns the bytes there. */
  encode(size: number): number;
};

const BLOCK_BYTES = 65_536;
const PACKED_BYTES = 76_512;

export function createNativeSnappy(native: NativeKernels): NativeSnappy {
  const { buffer } = native.memory;
  return {
    input: new Uint8Array(buffer, native.inputAt(), BLOCK_BYTES),
    packed: new Uint8Array(buffer, native.packedAt(), PACKED_BYTES),
    encode: (size) => native.snappyBlock(size),
  };
}

export const CHOSEN_SNAPPY: NativeSnappy | null =
  CHOSEN_KERNELS === null ? null : createNativeSnappy(CHOSEN_KERNELS);
