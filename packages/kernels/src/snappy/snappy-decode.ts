import { CHOSEN_SNAPPY, type NativeSnappy } from './native-snappy.ts';

/** What the functions here give for bytes that are no snappy block. */
export const SNAPPY_MALFORMED = -1;

/** Shorter blocks are decoded sooner than copied to where WebAssembly sees them. */
const NATIVE_LEAST_BYTES = 128;

/** The length that the block in `source[start, end)` says it has when decoded, below 2^32; or {@link SNAPPY_MALFORMED}. */
export function snappyDecodedBytes(source: Uint8Array, start: number, end: number): number {
  let value = 0;
  for (let i = 0; i < 5 && start + i < end; i++) {
    const byte = source[start + i]!;
    value += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return value < 2 ** 32 ? value : SNAPPY_MALFORMED;
  }
  return SNAPPY_MALFORMED;
}

/**
 * Decodes the block in `source[start, end)` to `target[0 …]`, sized by {@link snappyDecodedBytes}. Returns the number of
 * bytes, or {@link SNAPPY_MALFORMED}; never writes outside of the target.
 */
export function snappyDecode(
  source: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  native: NativeSnappy | null = CHOSEN_SNAPPY,
): number {
  const size = snappyDecodedBytes(source, start, end);
  if (size === SNAPPY_MALFORMED || size > target.length) return SNAPPY_MALFORMED;
  const length = end - start;
  if (
    native !== null &&
    length >= NATIVE_LEAST_BYTES &&
    length <= native.closed.length &&
    size <= native.opened.length
  ) {
    native.closed.set(source.subarray(start, end));
    if (native.decode(length, size) !== size) return SNAPPY_MALFORMED;
    target.set(native.opened.subarray(0, size));
    return size;
  }
  return decodeBlock(source, start, end, target, size);
}

/** The reference; `size` is the length that the block says it has. */
function decodeBlock(
  source: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  size: number,
): number {
  let at = start;
  while (source[at]! >= 0x80) at++;
  at++;
  let count = 0;
  while (at < end) {
    const tag = source[at++]!;
    let length: number;
    let offset: number;
    if ((tag & 3) === 0) {
      length = (tag >>> 2) + 1;
      if (length > 60) {
        const width = length - 60;
        if (at + width > end) return SNAPPY_MALFORMED;
        length = 1;
        for (let i = 0; i < width; i++) length += source[at + i]! * 2 ** (8 * i);
        at += width;
      }
      if (length > end - at || length > size - count) return SNAPPY_MALFORMED;
      for (let i = 0; i < length; i++) target[count++] = source[at++]!;
      continue;
    }
    if ((tag & 3) === 1) {
      if (at + 1 > end) return SNAPPY_MALFORMED;
      length = ((tag >>> 2) & 7) + 4;
      offset = ((tag >>> 5) << 8) | source[at]!;
      at += 1;
    } else if ((tag & 3) === 2) {
      if (at + 2 > end) return SNAPPY_MALFORMED;
      length = (tag >>> 2) + 1;
      offset = source[at]! | (source[at + 1]! << 8);
      at += 2;
    } else {
      if (at + 4 > end) return SNAPPY_MALFORMED;
      length = (tag >>> 2) + 1;
      offset =
        (source[at]! |
          (source[at + 1]! << 8) |
          (source[at + 2]! << 16) |
          (source[at + 3]! << 24)) >>>
        0;
      at += 4;
    }
    if (offset === 0 || offset > count || length > size - count) return SNAPPY_MALFORMED;
    // A copy may overlap itself: the bytes it has just written are its source.
    for (let i = 0; i < length; i++) {
      target[count] = target[count - offset]!;
      count++;
    }
  }
  return count === size ? count : SNAPPY_MALFORMED;
}
