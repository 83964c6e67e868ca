import { crc32c as crc32cReference } from '@pollux/base';
import { CHOSEN_CRC32C, type NativeCrc32c } from './native-crc32c.ts';

/** From this size on, copying to where WebAssembly sees the bytes costs less than it gains (crc32c.bench.ts). */
const NATIVE_LEAST_BYTES = 512;

/**
 * CRC-32C of `data[start, end)`, continuing from `crc` (0 to begin). The reference is `base`'s, slicing by eight, which
 * small pieces use; large ones are sliced by sixteen in WebAssembly.
 */
export function crc32c(
  data: Uint8Array,
  start = 0,
  end = data.length,
  crc = 0,
  native: NativeCrc32c | null = CHOSEN_CRC32C,
): number {
  if (native === null || end - start < NATIVE_LEAST_BYTES) {
    return crc32cReference(data, start, end, crc);
  }
  const { input } = native;
  let sum = crc;
  for (let at = start; at < end; at += input.length) {
    const size = Math.min(input.length, end - at);
    input.set(data.subarray(at, at + size));
    sum = native.update(size, sum);
  }
  return sum;
}
