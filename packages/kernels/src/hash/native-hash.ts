import { CHOSEN_KERNELS } from '../native/chosen-kernels.ts';
import type { NativeKernels } from '../native/native-kernels.ts';

/** Hashing in WebAssembly, with the memory that it works on: scratch of one synchronous call. */
export type NativeHash = {
  readonly input: Uint8Array;
  /** Bytes of keys that fit into `input` at once. */
  readonly room: number;
  /** Of key i, element 2i is the start in `input` and 2i + 1 the end. */
  readonly spans: Uint32Array;
  readonly low: Uint32Array;
  readonly high: Uint32Array;
  hash(count: number, seedLow: number, seedHigh: number): void;
};

/** Keys of one call. */
export const HASH_NATIVE_MOST = 8192;
const ROOM = 65_536;

export function createNativeHash(native: NativeKernels): NativeHash {
  const { buffer } = native.memory;
  return {
    input: new Uint8Array(buffer, native.inputAt(), ROOM),
    room: ROOM,
    spans: new Uint32Array(buffer, native.wordsAt(), HASH_NATIVE_MOST * 2),
    low: new Uint32Array(buffer, native.lowAt(), HASH_NATIVE_MOST),
    high: new Uint32Array(buffer, native.highAt(), HASH_NATIVE_MOST),
    hash: (count, seedLow, seedHigh) => native.hashKeys(count, seedLow, seedHigh),
  };
}

export const CHOSEN_HASH: NativeHash | null =
  CHOSEN_KERNELS === null ? null : createNativeHash(CHOSEN_KERNELS);
