import { firstNotBefore } from './first-not-before.ts';
import { CHOSEN_XOR, type NativeXor, XOR_NATIVE_MOST } from './native-xor.ts';

/** Number of samples that the chunk at `bytes[offset]` says it holds. */
export function xorCount(bytes: Uint8Array, offset: number): number {
  return (bytes[offset]! << 8) | bytes[offset + 1]!;
}

/** What {@link xorDecode} gives for bytes that are no XOR chunk. */
export const XOR_MALFORMED = -1;

/**
 * Decodes the XOR chunk in `bytes[offset, offset + length)` into `timestampsMs[at …]` and `valueWords` (two words a
 * sample, low first, from 2·at on). Returns the number of samples, or {@link XOR_MALFORMED}. The caller has sized the
 * outputs by {@link xorCount}. Eight readable bytes after the chunk keep the loop on its fast way; what they hold does not
 * matter.
 */
export function xorDecode(
  bytes: Uint8Array,
  offset: number,
  length: number,
  timestampsMs: Float64Array,
  valueWords: Uint32Array,
  at: number,
  native: NativeXor | null = CHOSEN_XOR,
): number {
  if (length < 2) return XOR_MALFORMED;
  const count = xorCount(bytes, offset);
  if (count === 0) return 0;
  if (native === null || !isForNative(native, count, length)) {
    const samples = openChunk(bytes, offset, length);
    if (samples === null) return XOR_MALFORMED;
    timestampsMs[at] = samples.timestamp;
    valueWords[at * 2] = samples.low;
    valueWords[at * 2 + 1] = samples.high;
    if (count === 1) return 1;
    const isWhole = decodeSamples(bytes, offset, samples, timestampsMs, valueWords, at);
    return isWhole ? count : XOR_MALFORMED;
  }
  placeInput(native, bytes, offset, length);
  if (native.part(length, 0, -Infinity, Infinity) < 0) return XOR_MALFORMED;
  timestampsMs.set(native.firstTimes(count), at);
  valueWords.set(native.firstWords(count), at * 2);
  return count;
}

/** What is wanted of a chunk: samples of these times, both included, and none of its newest `hidden`. */
export type XorPart = { readonly minMs: number; readonly maxMs: number; readonly hidden: number };

/** As {@link xorDecode}, of a part of the samples; returns how many those are. The outputs have room for all. */
export function xorDecodePart(
  chunk: { readonly bytes: Uint8Array; readonly offset: number; readonly length: number },
  part: XorPart,
  timestampsMs: Float64Array,
  valueWords: Uint32Array,
  at: number,
  native: NativeXor | null = CHOSEN_XOR,
): number {
  const { bytes, offset, length } = chunk;
  const claimed = length < 2 ? 0 : xorCount(bytes, offset);
  if (native !== null && isForNative(native, claimed, length)) {
    placeInput(native, bytes, offset, length);
    const found = native.part(length, part.hidden, part.minMs, part.maxMs);
    if (found < 0) return XOR_MALFORMED;
    return copyFound(native, found >>> 16, found & 0xffff, { timestampsMs, valueWords, at });
  }
  const count = xorDecode(bytes, offset, length, timestampsMs, valueWords, at, null);
  if (count === XOR_MALFORMED) return XOR_MALFORMED;
  const end = at + Math.max(0, count - part.hidden);
  const from = firstNotBefore(timestampsMs, at, end, part.minMs);
  const isWhole = end > at && timestampsMs[end - 1]! <= part.maxMs;
  const to = isWhole ? end : firstNotBefore(timestampsMs, from, end, part.maxMs + 1);
  if (from > at) {
    timestampsMs.copyWithin(at, from, to);
    valueWords.copyWithin(at * 2, from * 2, to * 2);
  }
  return to - from;
}

/** Copies the samples from `from` to `to` out of the memory of `native`; returns how many those are. */
function copyFound(
  { times, words, firstTimes, firstWords }: NativeXor,
  from: number,
  to: number,
  target: {
    readonly timestampsMs: Float64Array;
    readonly valueWords: Uint32Array;
    readonly at: number;
  },
): number {
  const { timestampsMs, valueWords, at } = target;
  if (to - from > FEW_SAMPLES) {
    timestampsMs.set(from === 0 ? firstTimes(to) : times.subarray(from, to), at);
    valueWords.set(from === 0 ? firstWords(to) : words.subarray(from * 2, to * 2), at * 2);
    return to - from;
  }
  for (let i = from, next = at; i < to; i++, next++) {
    timestampsMs[next] = times[i]!;
    valueWords[next * 2] = words[i * 2]!;
    valueWords[next * 2 + 1] = words[i * 2 + 1]!;
  }
  return to - from;
}

/** So many are copied one by one: views for a copy at once would cost more. */
const FEW_SAMPLES = 32;

function isForNative(native: NativeXor, count: number, length: number): boolean {
  return count >= NATIVE_LEAST && count <= XOR_NATIVE_MOST && length <= native.room;
}

/** Null for a chunk that is malformed or empty. */
function openChunk(bytes: Uint8Array, offset: number, length: number): Samples | null {
  if (length < 2) return null;
  const count = xorCount(bytes, offset);
  if (count === 0) return null;
  const endBit = length * 8;
  let position = 2;
  let scale = 1;
  let first = 0;
  for (;;) {
    if (position >= length || scale > 2 ** 56) return null;
    const byte = bytes[offset + position++]!;
    first += (byte & 0x7f) * scale;
    if (byte < 0x80) break;
    scale *= 128;
  }
  const timestamp = first % 2 === 0 ? first / 2 : -(first + 1) / 2;
  if (!Number.isSafeInteger(timestamp)) return null;
  const high = peek32(bytes, offset, position * 8);
  const low = peek32(bytes, offset, position * 8 + 32);
  position += 8;
  if (position > length) return null;
  if (count === 1) return { bit: position * 8, endBit, count, timestamp, delta: 0, low, high };

  let delta = 0;
  scale = 1;
  for (;;) {
    if (position >= length || scale > 2 ** 56) return null;
    const byte = bytes[offset + position++]!;
    delta += (byte & 0x7f) * scale;
    if (byte < 0x80) break;
    scale *= 128;
  }
  if (!Number.isSafeInteger(delta)) return null;
  return { bit: position * 8, endBit, count, timestamp, delta, low, high };
}

/** What the head of a chunk and its first sample tell; `bit` is behind the first difference of times. */
type Samples = {
  readonly bit: number;
  readonly endBit: number;
  readonly count: number;
  readonly timestamp: number;
  readonly delta: number;
  readonly low: number;
  readonly high: number;
};

/** Below so many samples, copying to and from WebAssembly's memory costs more than it gains. */
const NATIVE_LEAST = 32;

function placeInput({ input }: NativeXor, bytes: Uint8Array, offset: number, length: number): void {
  const isAll = offset === 0 && length === bytes.length;
  input.set(isAll ? bytes : bytes.subarray(offset, offset + length));
}

/** The samples from the second on; false when the chunk is malformed. */
function decodeSamples(
  bytes: Uint8Array,
  offset: number,
  samples: Samples,
  timestampsMs: Float64Array,
  valueWords: Uint32Array,
  at: number,
): boolean {
  const { endBit } = samples;
  let { bit, timestamp, delta, low, high } = samples;
  let trailing = 0;
  let significant = 64;
  const end = at + samples.count;
  for (let index = at + 1; index < end; index++) {
    if (index > at + 1) {
      const word = peek32(bytes, offset, bit);
      if (word < 0x80000000) bit += 1;
      else if (word < 0xc0000000) {
        // The ranges are asymmetric, −(2^(n−1)−1) … 2^(n−1): the middle value is positive.
        const raw = (word >>> 16) & 0x3fff;
        delta += raw > 0x2000 ? raw - 0x4000 : raw;
        bit += 16;
      } else if (word < 0xe0000000) {
        const raw = (word >>> 12) & 0x1ffff;
        delta += raw > 0x10000 ? raw - 0x20000 : raw;
        bit += 20;
      } else if (word < 0xf0000000) {
        const raw = (word >>> 8) & 0xfffff;
        delta += raw > 0x80000 ? raw - 0x100000 : raw;
        bit += 24;
      } else {
        delta += (peek32(bytes, offset, bit + 4) | 0) * 4294967296;
        delta += peek32(bytes, offset, bit + 36);
        bit += 68;
      }
    }
    timestamp += delta;

    const word = peek32(bytes, offset, bit);
    if (word < 0x80000000) bit += 1;
    else {
      if (word < 0xc0000000) bit += 2;
      else {
        const leading = (word >>> 25) & 31;
        significant = (word >>> 19) & 63;
        if (significant === 0) significant = 64;
        trailing = 64 - leading - significant;
        if (trailing < 0) return false;
        bit += 13;
      }
      if (significant <= 32) {
        const bits = peek32(bytes, offset, bit) >>> (32 - significant);
        if (trailing >= 32) high ^= bits << (trailing - 32);
        else {
          low ^= bits << trailing;
          if (trailing > 0) high ^= bits >>> (32 - trailing);
        }
      } else {
        const upper = peek32(bytes, offset, bit) >>> (64 - significant);
        const lower = peek32(bytes, offset, bit + significant - 32);
        low ^= lower << trailing;
        high ^= upper << trailing;
        if (trailing > 0) high ^= lower >>> (32 - trailing);
      }
      bit += significant;
    }
    if (bit > endBit) return false;
    timestampsMs[index] = timestamp;
    valueWords[index * 2] = low;
    valueWords[index * 2 + 1] = high;
  }
  return true;
}

/** The 32 bits from `bit` on, as an unsigned number. Behind the end of the array it reads zeros. */
function peek32(bytes: Uint8Array, offset: number, bit: number): number {
  const at = offset + (bit >>> 3);
  const shift = bit & 7;
  const word = (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
  return shift === 0 ? word >>> 0 : ((word << shift) | (bytes[at + 4]! >>> (8 - shift))) >>> 0;
}
