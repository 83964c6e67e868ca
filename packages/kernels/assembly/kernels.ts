/**
 * The loops that pay in WebAssembly, in AssemblyScript with SIMD. Each has its TypeScript reference in `src`, is equal to it
 * bit for bit, and works on the fixed buffers below; who calls has checked every length and bound. Layout of names and sizes:
 * `src/native/native-kernels.ts`.
 */

const input: usize = memory.data(8192 * 8 + 16, 16);
const words: usize = memory.data(8208 * 8, 16);
const low: usize = memory.data(8208 * 4, 16);
const high: usize = memory.data(8208 * 4, 16);
const numbers: usize = memory.data(8208 * 8, 16);
/** A spare of one vector: filling a symbol's slots writes past its end. */
const slots: usize = memory.data(2048 * 4 + 16, 16);
const frequencies: usize = memory.data(256 * 4, 16);
/** Sixteen tables of CRC-32C: word b of table t is the checksum of byte b with t bytes of zero behind it. */
const crcTables: usize = memory.data(16 * 256 * 4, 16);
/** Four words of state for each of four keys that are hashed at once. */
const hashState: usize = memory.data(4 * 16, 16);

export function inputAt(): usize {
  return input;
}
export function lowAt(): usize {
  return low;
}
export function highAt(): usize {
  return high;
}
export function wordsAt(): usize {
  return words;
}
export function numbersAt(): usize {
  return numbers;
}
export function frequenciesAt(): usize {
  return frequencies;
}

/** `src/dense/lanes.ts`. */
export function unpack(target: usize, count: i32, width: i32): void {
  const mask = i32x4.splat(width === 32 ? -1 : (1 << width) - 1);
  const end = target + ((<usize>count) << 2);
  let shift = 0;
  let word = input;
  for (let at = target; at < end; at += 16) {
    let four = i32x4.shr_u(v128.load(word), shift);
    const next = shift + width;
    if (next > 32) four = v128.or(four, i32x4.shl(v128.load(word, 16), 32 - shift));
    v128.store(at, v128.and(four, mask));
    shift = next & 31;
    word += (<usize>(next >> 5)) << 4;
  }
}

/** `src/dense/frequencies.ts`. */
export function fillSlots(symbols: i32): void {
  let at = slots;
  for (let symbol = 0; symbol < symbols; symbol++) {
    const frequency = load<u32>(frequencies + ((<usize>symbol) << 2));
    const end = at + ((<usize>frequency) << 2);
    let four = v128.add<i32>(
      i32x4.splat(symbol | (frequency << 8)),
      i32x4(0, 1 << 20, 2 << 20, 3 << 20),
    );
    const step = i32x4.splat(4 << 20);
    for (let next = at; next < end; next += 16) {
      v128.store(next, four);
      four = i32x4.add(four, step);
    }
    at = end;
  }
}

/** `src/dense/range-decode.ts`. */
export function range(even: u32, odd: u32, wordCount: i32, count: i32): bool {
  let state = even;
  let other = odd;
  let at = input;
  const wordsEnd = input + ((<usize>wordCount) << 1);
  const end = high + ((<usize>count) << 2);
  for (let target = high; target < end; target += 4) {
    const entry = load<u32>(slots + ((state & 2047) << 2));
    store<u32>(target, entry & 0xff);
    state = ((entry >> 8) & 0xfff) * (state >> 11) + (entry >> 20);
    if (state < 0x10000) {
      if (at === wordsEnd) return false;
      state = (state << 16) | <u32>load<u16>(at);
      at += 2;
    }
    const swapped = other;
    other = state;
    state = swapped;
  }
  return at === wordsEnd && state === 0x10000 && other === 0x10000;
}

/** numbers[from + i] = base + factor × (high[i] × highScale + low[i]); a `highScale` of 0 leaves `high` out. */
export function join(from: i32, count: i32, base: f64, factor: f64, highScale: f64): void {
  const bases = f64x2.splat(base);
  const factors = f64x2.splat(factor);
  const scales = f64x2.splat(highScale);
  let target = numbers + ((<usize>from) << 3);
  const bytes = (<usize>count) << 2;
  if (highScale === 0) {
    for (let at: usize = 0; at < bytes; at += 16) {
      const four = v128.load(low + at);
      const upper = v128.shuffle<i32>(four, four, 2, 3, 2, 3);
      const first = f64x2.mul(factors, f64x2.convert_low_i32x4_u(four));
      const second = f64x2.mul(factors, f64x2.convert_low_i32x4_u(upper));
      v128.store(target, f64x2.add(bases, first));
      v128.store(target, f64x2.add(bases, second), 16);
      target += 32;
    }
    return;
  }
  for (let at: usize = 0; at < bytes; at += 16) {
    const lows = v128.load(low + at);
    const highs = v128.load(high + at);
    const first = f64x2.add(
      f64x2.mul(f64x2.convert_low_i32x4_u(highs), scales),
      f64x2.convert_low_i32x4_u(lows),
    );
    const second = f64x2.add(
      f64x2.mul(f64x2.convert_low_i32x4_u(v128.shuffle<i32>(highs, highs, 2, 3, 2, 3)), scales),
      f64x2.convert_low_i32x4_u(v128.shuffle<i32>(lows, lows, 2, 3, 2, 3)),
    );
    v128.store(target, f64x2.add(bases, f64x2.mul(factors, first)));
    v128.store(target, f64x2.add(bases, f64x2.mul(factors, second)), 16);
    target += 32;
  }
}

/** numbers[i] = first + i × step. */
export function line(count: i32, first: f64, step: f64): void {
  const firsts = f64x2.splat(first);
  const steps = f64x2.splat(step);
  const two = f64x2.splat(2);
  let places = f64x2(0, 1);
  const end = numbers + ((<usize>count) << 3);
  for (let at = numbers; at < end; at += 16) {
    v128.store(at, f64x2.add(firsts, f64x2.mul(places, steps)));
    places = f64x2.add(places, two);
  }
}

/** Each of numbers[from, to) becomes the sum of itself and those before it from `from` on. All sums are exact. */
export function sum(from: i32, to: i32): void {
  let at = numbers + ((<usize>from) << 3);
  const end = numbers + ((<usize>to) << 3);
  const zero = f64x2.splat(0);
  let carry = zero;
  // Four at a time: only one addition of four waits for those before.
  for (; at + 32 <= end; at += 32) {
    const a = v128.load(at);
    const b = v128.load(at, 16);
    const first = f64x2.add(a, v128.shuffle<f64>(zero, a, 0, 2));
    const pair = f64x2.add(b, v128.shuffle<f64>(zero, b, 0, 2));
    const second = f64x2.add(pair, v128.shuffle<f64>(first, first, 1, 1));
    v128.store(at, f64x2.add(first, carry));
    v128.store(at, f64x2.add(second, carry), 16);
    carry = f64x2.add(carry, v128.shuffle<f64>(second, second, 1, 1));
  }
  let last = f64x2.extract_lane(carry, 0);
  for (; at < end; at += 8) {
    last += load<f64>(at);
    store<f64>(at, last);
  }
}

export function divide(count: i32, divisor: f64): void {
  const divisors = f64x2.splat(divisor);
  const end = numbers + ((<usize>count) << 3);
  for (let at = numbers; at < end; at += 16) v128.store(at, f64x2.div(v128.load(at), divisors));
}

/** At least 57 bits from `bit` of the input on, the first of them at the top. */
function peek(bit: i32): u64 {
  return bswap<u64>(load<u64>(input + (<usize>bit >> 3))) << (bit & 7);
}

/**
 * `src/xor/xor-decode.ts`, from the second sample on: `bit` is behind the first difference of times. Fills `numbers` and
 * `words` from their second element on; false when the chunk is malformed.
 */
export function xorSamples(
  firstBit: i32,
  endBit: i32,
  count: i32,
  firstTimestamp: f64,
  firstDelta: f64,
  valueLow: u32,
  valueHigh: u32,
): bool {
  let bit = firstBit;
  let timestamp = firstTimestamp;
  let delta = firstDelta;
  let value = ((<u64>valueHigh) << 32) | <u64>valueLow;
  let trailing = 0;
  let significant = 64;
  for (let index = 1; index < count; index++) {
    if (index > 1) {
      const window = peek(bit);
      if (<i64>window >= 0) bit += 1;
      else if (window >> 62 === 0b10) {
        const raw = <i32>((window >> 48) & 0x3fff);
        delta += <f64>(raw > 0x2000 ? raw - 0x4000 : raw);
        bit += 16;
      } else if (window >> 61 === 0b110) {
        const raw = <i32>((window >> 44) & 0x1ffff);
        delta += <f64>(raw > 0x10000 ? raw - 0x20000 : raw);
        bit += 20;
      } else if (window >> 60 === 0b1110) {
        const raw = <i32>((window >> 40) & 0xfffff);
        delta += <f64>(raw > 0x80000 ? raw - 0x100000 : raw);
        bit += 24;
      } else {
        delta += <f64>(<i32>(peek(bit + 4) >> 32)) * 4294967296;
        delta += <f64>(<u32>(peek(bit + 36) >> 32));
        bit += 68;
      }
    }
    timestamp += delta;
    const window = peek(bit);
    if (<i64>window >= 0) bit += 1;
    else {
      if (window >> 62 === 0b10) bit += 2;
      else {
        const leading = <i32>((window >> 57) & 31);
        significant = <i32>((window >> 51) & 63);
        if (significant === 0) significant = 64;
        trailing = 64 - leading - significant;
        if (trailing < 0) return false;
        bit += 13;
      }
      let bits: u64;
      if (significant <= 57) bits = peek(bit) >> (64 - significant);
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

/**
 * `src/hash/hash-reference.ts` for `count` keys of the input: pairs of start and end in `words`, low words of the results to
 * `low`, high words to `high`. Four keys at a time, one in each lane, as far as the shortest of them goes; what is left of
 * each goes alone. A key's last word is read whole: the input has a spare behind it; results have one of three.
 */
export function hashKeys(count: i32, seedLow: u32, seedHigh: u32): void {
  for (let index = 0; index < count; index += 4) {
    const pairs = words + ((<usize>index) << 3);
    const lanes = min(4, count - index);
    // Bytes that the four have in common, in whole words.
    let common: u32 = 0;
    if (lanes === 4) {
      common = load<u32>(pairs, 4) - load<u32>(pairs);
      common = min(common, load<u32>(pairs, 12) - load<u32>(pairs, 8));
      common = min(common, load<u32>(pairs, 20) - load<u32>(pairs, 16));
      common = min(common, load<u32>(pairs, 28) - load<u32>(pairs, 24)) & ~3;
    }
    hashCommon(pairs, common, seedLow, seedHigh);
    for (let lane = 0; lane < lanes; lane++) {
      const pair = pairs + ((<usize>lane) << 3);
      const start = load<u32>(pair);
      hashRest(hashState + ((<usize>lane) << 2), start, load<u32>(pair, 4) - start, common);
    }
    hashFinish(index);
  }
}

function hashCommon(pairs: usize, common: u32, seedLow: u32, seedHigh: u32): void {
  let v0 = i32x4.splat(seedLow);
  let v1 = i32x4.splat(seedHigh ^ 0xee);
  let v2 = i32x4.splat(seedLow ^ 0x6c796765);
  let v3 = i32x4.splat(seedHigh ^ 0x74656462);
  if (common > 0) {
    let a = input + <usize>load<u32>(pairs);
    let b = input + <usize>load<u32>(pairs, 8);
    let c = input + <usize>load<u32>(pairs, 16);
    let d = input + <usize>load<u32>(pairs, 24);
    for (const end = a + <usize>common; a < end; a += 4, b += 4, c += 4, d += 4) {
      let word = v128.load32_zero(a);
      word = v128.load_lane<u32>(b, word, 1);
      word = v128.load_lane<u32>(c, word, 2);
      word = v128.load_lane<u32>(d, word, 3);
      v3 = v128.xor(v3, word);
      v0 = i32x4.add(v0, v1);
      v1 = v128.xor(turned(v1, 5), v0);
      v0 = turned16(v0);
      v2 = i32x4.add(v2, v3);
      v3 = v128.xor(turned8(v3), v2);
      v0 = i32x4.add(v0, v3);
      v3 = v128.xor(turned(v3, 7), v0);
      v2 = i32x4.add(v2, v1);
      v1 = v128.xor(turned(v1, 13), v2);
      v2 = turned16(v2);
      v0 = v128.xor(v0, word);
    }
  }
  v128.store(hashState, v0);
  v128.store(hashState, v1, 16);
  v128.store(hashState, v2, 32);
  v128.store(hashState, v3, 48);
}

/** Takes in what is behind the first `done` bytes of a key, and its last word, into the state of one lane. */
function hashRest(state: usize, start: u32, size: u32, done: u32): void {
  let v0 = load<u32>(state);
  let v1 = load<u32>(state, 16);
  let v2 = load<u32>(state, 32);
  let v3 = load<u32>(state, 48);
  const wholeEnd = input + <usize>start + <usize>(size & ~3);
  const last = (load<u32>(wholeEnd) & ((1 << ((size & 3) << 3)) - 1)) | (size << 24);
  for (let at = input + <usize>start + <usize>done; at <= wholeEnd; at += 4) {
    const word = at < wholeEnd ? load<u32>(at) : last;
    v3 ^= word;
    v0 += v1;
    v1 = rotl<u32>(v1, 5) ^ v0;
    v0 = rotl<u32>(v0, 16);
    v2 += v3;
    v3 = rotl<u32>(v3, 8) ^ v2;
    v0 += v3;
    v3 = rotl<u32>(v3, 7) ^ v0;
    v2 += v1;
    v1 = rotl<u32>(v1, 13) ^ v2;
    v2 = rotl<u32>(v2, 16);
    v0 ^= word;
  }
  store<u32>(state, v0);
  store<u32>(state, v1, 16);
  store<u32>(state, v2, 32);
  store<u32>(state, v3, 48);
}

function hashFinish(index: i32): void {
  let v0 = v128.load(hashState);
  let v1 = v128.load(hashState, 16);
  let v2 = v128.xor(v128.load(hashState, 32), i32x4.splat(0xee));
  let v3 = v128.load(hashState, 48);
  const target = (<usize>index) << 2;
  for (let round = 0; round < 6; round++) {
    if (round === 3) {
      v128.store(low + target, v128.xor(v1, v3));
      v1 = v128.xor(v1, i32x4.splat(0xdd));
    }
    v0 = i32x4.add(v0, v1);
    v1 = v128.xor(turned(v1, 5), v0);
    v0 = turned16(v0);
    v2 = i32x4.add(v2, v3);
    v3 = v128.xor(turned8(v3), v2);
    v0 = i32x4.add(v0, v3);
    v3 = v128.xor(turned(v3, 7), v0);
    v2 = i32x4.add(v2, v1);
    v1 = v128.xor(turned(v1, 13), v2);
    v2 = turned16(v2);
  }
  v128.store(high + target, v128.xor(v1, v3));
}

/** Each lane rotated to the left. The compiler puts these in place. */
function turned(lanes: v128, by: i32): v128 {
  return v128.or(i32x4.shl(lanes, by), i32x4.shr_u(lanes, 32 - by));
}
function turned8(lanes: v128): v128 {
  return v128.shuffle<u8>(lanes, lanes, 3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14);
}
function turned16(lanes: v128): v128 {
  return v128.shuffle<u16>(lanes, lanes, 1, 0, 3, 2, 5, 4, 7, 6);
}

fillCrcTables();

function fillCrcTables(): void {
  for (let byte: u32 = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
    store<u32>(crcTables + ((<usize>byte) << 2), crc);
  }
  for (let at = crcTables; at < crcTables + 15 * 1024; at += 4) {
    const crc = load<u32>(at);
    store<u32>(at, (crc >>> 8) ^ load<u32>(crcTables + ((<usize>(crc & 0xff)) << 2)), 1024);
  }
}

/** CRC-32C of the first `size` bytes of the input, continuing from `crc`: slicing by sixteen. */
export function crc32c(size: i32, crc: u32): u32 {
  let c = ~crc;
  let at = input;
  const end = input + <usize>size;
  for (; at + 16 <= end; at += 16) {
    const a = load<u64>(at) ^ <u64>c;
    const b = load<u64>(at, 8);
    c =
      sliced(<u32>a, 15 << 10) ^
      sliced(<u32>(a >> 32), 11 << 10) ^
      sliced(<u32>b, 7 << 10) ^
      sliced(<u32>(b >> 32), 3 << 10);
  }
  for (; at < end; at++) {
    c = (c >>> 8) ^ load<u32>(crcTables + ((<usize>((c ^ load<u8>(at)) & 0xff)) << 2));
  }
  return ~c;
}

/** What four bytes put into the checksum; `table` is the offset of the first byte's. */
function sliced(four: u32, table: usize): u32 {
  const tables = crcTables + table;
  return (
    load<u32>(tables + ((<usize>(four & 0xff)) << 2)) ^
    load<u32>(tables - 1024 + ((<usize>((four >>> 8) & 0xff)) << 2)) ^
    load<u32>(tables - 2048 + ((<usize>((four >>> 16) & 0xff)) << 2)) ^
    load<u32>(tables - 3072 + ((<usize>(four >>> 24)) << 2))
  );
}
