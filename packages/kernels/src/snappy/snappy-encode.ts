/**
 * Snappy's block format, written into a buffer of the caller: log records are small and many, and a native library gives
 * each result memory of its own that the garbage collector does not see. Layout: google/snappy, format_description.txt.
 */
import { CHOSEN_SNAPPY, type NativeSnappy } from './native-snappy.ts';

/** Offsets of two bytes reach so far; input is divided into blocks of this size. */
const BLOCK_BYTES = 65_536;
const TABLE_BITS = 12;
/** Shorter input is encoded sooner than copied to where WebAssembly sees it. */
const NATIVE_LEAST_BYTES = 256;
/** Elements of the hash table that {@link snappyEncode} works with. */
export const SNAPPY_TABLE_SIZE = 2 ** TABLE_BITS;
/** Input this close to the end of a block is not searched for matches, so that loads stay inside. */
const MARGIN_BYTES = 8;

/** Room that the encoding of `length` bytes may need. */
export function snappyMaxEncodedBytes(length: number): number {
  return 32 + length + Math.ceil(length / 6);
}

/**
 * Encodes `source[start, end)` to `target[at …]`, which has room for {@link snappyMaxEncodedBytes}, and returns the end.
 * `table` has {@link SNAPPY_TABLE_SIZE} elements; its content does not matter.
 */
export function snappyEncode(
  source: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  at: number,
  table: Uint16Array,
  native: NativeSnappy | null = CHOSEN_SNAPPY,
): number {
  let next = at;
  let rest = end - start;
  while (rest >= 0x80) {
    target[next++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  target[next++] = rest;
  for (let from = start; from < end; from += BLOCK_BYTES) {
    const to = Math.min(end, from + BLOCK_BYTES);
    if (native === null || to - from < NATIVE_LEAST_BYTES) {
      next = encodeBlock(source, from, to, target, next, table);
      continue;
    }
    native.input.set(source.subarray(from, to));
    const size = native.encode(to - from);
    target.set(native.packed.subarray(0, size), next);
    next += size;
  }
  return next;
}

function encodeBlock(
  source: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  at: number,
  table: Uint16Array,
): number {
  table.fill(0);
  const limit = end - MARGIN_BYTES;
  let next = at;
  let literalStart = start;
  let position = start + 1;
  // The longer nothing matches, the larger the steps: bytes that do not compress pass quickly.
  let misses = 32;
  while (position < limit) {
    const word = load32(source, position);
    const slot = Math.imul(word, 0x1e35a7bd) >>> (32 - TABLE_BITS);
    const candidate = start + table[slot]!;
    table[slot] = position - start;
    if (candidate >= position || load32(source, candidate) !== word) {
      position += misses >>> 5;
      misses++;
      continue;
    }
    let length = 4;
    while (position + length < end && source[candidate + length] === source[position + length]) {
      length++;
    }
    if (position > literalStart) next = putLiteral(source, literalStart, position, target, next);
    next = putCopy(target, next, position - candidate, length);
    position += length;
    literalStart = position;
    misses = 32;
  }
  return literalStart < end ? putLiteral(source, literalStart, end, target, next) : next;
}

function putLiteral(
  source: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  at: number,
): number {
  const last = end - start - 1;
  let next = at;
  if (last < 60) target[next++] = last << 2;
  else if (last < 256) {
    target[next++] = 60 << 2;
    target[next++] = last;
  } else {
    target[next++] = 61 << 2;
    target[next++] = last;
    target[next++] = last >>> 8;
  }
  for (let i = start; i < end; i++) target[next++] = source[i]!;
  return next;
}

function putCopy(target: Uint8Array, at: number, offset: number, length: number): number {
  let next = at;
  let left = length;
  // A copy takes at most 64 bytes; what is left over is kept at 4 or more, the least that the short form holds.
  while (left >= 68) {
    next = putLongCopy(target, next, offset, 64);
    left -= 64;
  }
  if (left > 64) {
    next = putLongCopy(target, next, offset, 60);
    left -= 60;
  }
  if (left >= 12 || offset >= 2048) return putLongCopy(target, next, offset, left);
  target[next] = ((offset >>> 8) << 5) | ((left - 4) << 2) | 1;
  target[next + 1] = offset;
  return next + 2;
}

function putLongCopy(target: Uint8Array, at: number, offset: number, length: number): number {
  target[at] = ((length - 1) << 2) | 2;
  target[at + 1] = offset;
  target[at + 2] = offset >>> 8;
  return at + 3;
}

function load32(source: Uint8Array, at: number): number {
  return source[at]! | (source[at + 1]! << 8) | (source[at + 2]! << 16) | (source[at + 3]! << 24);
}
