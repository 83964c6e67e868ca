import { CHOSEN_KERNELS } from '../native/chosen-kernels.ts';
import type { NativeKernels } from '../native/native-kernels.ts';

/** The checksum in WebAssembly, with the memory that it works on: scratch of one synchronous call. */
export type NativeCrc32c = {
  readonly input: Uint8Array;
  /** The checksum of the first `size` bytes of `input`, continuing from `crc`. */
  update(size: number, crc: number): number;
};

const ROOM = 65_536;

export function createNativeCrc32c(native: NativeKernels): NativeCrc32c {
  return {
    input: new Uint8Array(native.memory.buffer, native.inputAt(), ROOM),
    update: (size, crc) => native.crc32c(size, crc) >>> 0,
  };
}

export const CHOSEN_CRC32C: NativeCrc32c | null =
  CHOSEN_KERNELS === null ? null : createNativeCrc32c(CHOSEN_KERNELS);
