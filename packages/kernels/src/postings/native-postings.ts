import { CHOSEN_KERNELS } from '../native/chosen-kernels.ts';
import type { NativeKernels } from '../native/native-kernels.ts';

/** The intersection in WebAssembly, with the memory that it works on: scratch of one synchronous call. */
export type NativePostings = {
  readonly first: Uint32Array;
  readonly second: Uint32Array;
  readonly found: Uint32Array;
  /** Intersects the first elements of `first` and of `second` into `found`; returns their number. */
  intersect(firstCount: number, secondCount: number): number;
};

/** Elements of each list that fit at once. */
export const POSTINGS_NATIVE_MOST = 16_384;

export function createNativePostings(native: NativeKernels): NativePostings {
  const { buffer } = native.memory;
  return {
    first: new Uint32Array(buffer, native.inputAt(), POSTINGS_NATIVE_MOST),
    second: new Uint32Array(buffer, native.wordsAt(), POSTINGS_NATIVE_MOST),
    found: new Uint32Array(buffer, native.numbersAt(), POSTINGS_NATIVE_MOST),
    intersect: (firstCount, secondCount) => native.intersect(firstCount, secondCount),
  };
}

export const CHOSEN_POSTINGS: NativePostings | null =
  CHOSEN_KERNELS === null ? null : createNativePostings(CHOSEN_KERNELS);
