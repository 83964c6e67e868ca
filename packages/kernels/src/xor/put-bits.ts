/** The 64-bit number `high:low`, shifted right by `trailing`, in `width` bits. */
export function putShifted(
  bytes: Uint8Array,
  offset: number,
  bit: number,
  low: number,
  high: number,
  trailing: number,
  width: number,
): number {
  let shiftedLow = low;
  let shiftedHigh = high;
  if (trailing >= 32) {
    shiftedLow = high >>> (trailing - 32);
    shiftedHigh = 0;
  } else if (trailing > 0) {
    shiftedLow = ((low >>> trailing) | (high << (32 - trailing))) >>> 0;
    shiftedHigh = high >>> trailing;
  }
  if (width <= 32) return putBits(bytes, offset, bit, shiftedLow, width);
  const at = putBits(bytes, offset, bit, shiftedHigh, width - 32);
  return putBits(bytes, offset, at, shiftedLow, 32);
}

/** Writes the low `width` (1 to 32) bits of `value`, which has no higher bits set; returns the bit after them. */
export function putBits(
  bytes: Uint8Array,
  offset: number,
  bit: number,
  value: number,
  width: number,
): number {
  let at = offset + (bit >>> 3);
  const used = bit & 7;
  let left = width;
  if (used !== 0) {
    const free = 8 - used;
    if (width <= free) {
      bytes[at] = bytes[at]! | (value << (free - width));
      return bit + width;
    }
    left = width - free;
    bytes[at] = bytes[at]! | (value >>> left);
    at++;
  }
  // A fresh byte is set whole, so the slab needs no clearing.
  while (left >= 8) {
    left -= 8;
    bytes[at++] = value >>> left;
  }
  if (left > 0) bytes[at] = value << (8 - left);
  return bit + width;
}

export function putWord(bytes: Uint8Array, at: number, word: number): number {
  bytes[at] = word >>> 24;
  bytes[at + 1] = word >>> 16;
  bytes[at + 2] = word >>> 8;
  bytes[at + 3] = word;
  return at + 4;
}

export function zigzag(value: number): number {
  return value < 0 ? -value * 2 - 1 : value * 2;
}

/** Divides once, whatever the length: beyond 32 bits the remainder of a division is slow, and the time of a first sample has 42. */
export function putUvarint(bytes: Uint8Array, at: number, value: number): number {
  if (value < 0x10000000) return putShortUvarint(bytes, at, value);
  const upper = Math.floor(value / 0x10000000);
  const lower = value - upper * 0x10000000;
  bytes[at] = lower | 0x80;
  bytes[at + 1] = (lower >>> 7) | 0x80;
  bytes[at + 2] = (lower >>> 14) | 0x80;
  bytes[at + 3] = (lower >>> 21) | 0x80;
  return putShortUvarint(bytes, at + 4, upper);
}

/** `value` is below 2^32. */
function putShortUvarint(bytes: Uint8Array, at: number, value: number): number {
  let rest = value;
  let next = at;
  for (; rest >= 0x80; rest >>>= 7) bytes[next++] = rest | 0x80;
  bytes[next++] = rest;
  return next;
}
