import { CHOSEN_KERNELS } from '../native/chosen-kernels.ts';
import type { NativeKernels } from '../native/native-kernels.ts';

/** Encoding and decoding of one block in WebAssembly, with the memory that it works on: scratch of one synchronous call. */
export type NativeSnappy = {
  readonly input: Uint8Array;
  readonly packed: Uint8Array;
  /** Encodes that many bytes of `input`, without the length in front, to `packed`; returns the bytes there. */
  encode(size: number): number;
  readonly closed: Uint8Array;
  readonly opened: Uint8Array;
  /** Decodes that many bytes of `closed` to at most `room` of `opened`; returns how many, or −1 when that cannot be. */
  decode(size: number, room: number): number;
};

const BLOCK_BYTES = 65_536;
const PACKED_BYTES = 76_512;
const CLOSED_BYTES = 524_288;
const OPENED_BYTES = 2_097_152;

export function createNativeSnappy(native: NativeKernels): NativeSnappy {
  const { buffer } = native.memory;
  return {
    input: new Uint8Array(buffer, native.inputAt(), BLOCK_BYTES),
    packed: new Uint8Array(buffer, native.packedAt(), PACKED_BYTES),
    encode: (size) => native.snappyBlock(size),
    closed: new Uint8Array(buffer, native.snappyClosedAt(), CLOSED_BYTES),
    opened: new Uint8Array(buffer, native.snappyOpenedAt(), OPENED_BYTES),
    decode: (size, room) => native.snappyOpen(size, room),
  };
}

export const CHOSEN_SNAPPY: NativeSnappy | null =
  CHOSEN_KERNELS === null ? null : createNativeSnappy(CHOSEN_KERNELS);
