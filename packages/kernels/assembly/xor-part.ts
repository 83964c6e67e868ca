/** Chunks of XOR, opened as `src/xor/xor-decode.ts` does. */
import { input, numbers, words } from './buffers';

/** At least 57 bits from `bit` of the input on, the first of them at the top. */
function peek(bit: i32): u64 {
  return bswap<u64>(load<u64>(input + (<usize>bit >> 3))) << (bit & 7);
}

/** Where the varint behind the one read last ends; 0 when there was none. */
let varintEnd: i32 = 0;

/** The varint at byte `at` of the input, as `src/xor/xor-decode.ts` reads it. */
function varint(at: i32, length: i32): f64 {
  let sum: f64 = 0;
  let scale: f64 = 1;
  let position = at;
  for (;;) {
    if (position >= length || scale > 72057594037927936) {
      varintEnd = 0;
      return 0;
    }
    const byte = <u32>load<u8>(input + <usize>position);
    position++;
    sum += <f64>(byte & 0x7f) * scale;
    if (byte < 0x80) break;
    scale *= 128;
  }
  varintEnd = position;
  return sum;
}

/** `src/xor/first-not-before.ts`, over `numbers`. */
function firstNotBefore(start: i32, end: i32, timeMs: f64): i32 {
  let from = start;
  let to = end;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (load<f64>(numbers + ((<usize>middle) << 3)) < timeMs) from = middle + 1;
    else to = middle;
  }
  return from;
}

/**
 * `src/xor/xor-decode.ts`: the chunk at the start of the input, of one sample or more, into `numbers` and `words`. Of its
 * samples without the newest `hidden`, those from `minMs` to `maxMs` are the ones from `result >>> 16` to
 * `result & 0xffff`; −1 when the chunk is malformed.
 */
export function openXorPart(length: i32, hidden: i32, minMs: f64, maxMs: f64): i32 {
  const count = <i32>bswap<u16>(load<u16>(input));
  const first = varint(2, length);
  let position = varintEnd;
  if (position === 0) return -1;
  const isOdd = (<u64>first & 1) !== 0;
  const timestamp = isOdd ? -(first + 1) / 2 : first / 2;
  if (abs(timestamp) > 9007199254740991) return -1;
  const value = bswap<u64>(load<u64>(input + <usize>position));
  position += 8;
  if (position > length) return -1;
  store<f64>(numbers, timestamp);
  store<u64>(words, value);
  if (count > 1) {
    const delta = varint(position, length);
    position = varintEnd;
    if (position === 0 || delta > 9007199254740991) return -1;
    if (!xorSamples(position << 3, length << 3, count, timestamp, delta, value)) return -1;
  }
  const end = max(0, count - hidden);
  const from = firstNotBefore(0, end, minMs);
  const isWhole = end > 0 && load<f64>(numbers + ((<usize>(end - 1)) << 3)) <= maxMs;
  const to = isWhole ? end : firstNotBefore(from, end, maxMs + 1);
  return (from << 16) | to;
}

/** The samples from the second on; `bit` is behind the first difference of times. False when the chunk is malformed. */
function xorSamples(
  firstBit: i32,
  endBit: i32,
  count: i32,
  firstTimestamp: f64,
  firstDelta: f64,
  firstValue: u64,
): bool {
  let bit = firstBit;
  let timestamp = firstTimestamp;
  let delta = firstDelta;
  let value = firstValue;
  let trailing = 0;
  let significant = 64;
  for (let index = 1; index < count; index++) {
    // One look at the input is mostly enough for a sample; `used` of its 57 bits have been read.
    let window = peek(bit);
    let used = 0;
    if (index > 1) {
      if (<i64>window >= 0) used = 1;
      else if (window >> 62 === 0b10) {
        const raw = <i32>((window >> 48) & 0x3fff);
        delta += <f64>(raw > 0x2000 ? raw - 0x4000 : raw);
        used = 16;
      } else if (window >> 61 === 0b110) {
        const raw = <i32>((window >> 44) & 0x1ffff);
        delta += <f64>(raw > 0x10000 ? raw - 0x20000 : raw);
        used = 20;
      } else if (window >> 60 === 0b1110) {
        const raw = <i32>((window >> 40) & 0xfffff);
        delta += <f64>(raw > 0x80000 ? raw - 0x100000 : raw);
        used = 24;
      } else {
        delta += <f64>(<i32>(peek(bit + 4) >> 32)) * 4294967296;
        delta += <f64>(<u32>(peek(bit + 36) >> 32));
        bit += 68;
        window = peek(bit);
      }
      window <<= used;
    }
    timestamp += delta;
    if (<i64>window >= 0) bit += used + 1;
    else {
      if (window >> 62 === 0b10) {
        window <<= 2;
        used += 2;
      } else {
        const leading = <i32>((window >> 57) & 31);
        significant = <i32>((window >> 51) & 63);
        if (significant === 0) significant = 64;
        trailing = 64 - leading - significant;
        if (trailing < 0) return false;
        window <<= 13;
        used += 13;
      }
      bit += used;
      let bits: u64;
      if (significant <= 57 - used) bits = window >> (64 - significant);
      else if (significant <= 57) bits = peek(bit) >> (64 - significant);
      else {
        bits = (peek(bit) >> 32) << (significant - 32);
        bits |= peek(bit + 32) >> (96 - significant);
      }
      value ^= bits << trailing;
      bit += significant;
    }
    if (bit > endBit) return false;
    store<f64>(numbers + ((<usize>index) << 3), timestamp);
    store<u64>(words + ((<usize>index) << 3), value);
  }
  return true;
}
