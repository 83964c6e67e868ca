/**
 * The loops that pay in WebAssembly, in AssemblyScript with SIMD. Each has its TypeScript reference in `src`, is equal to it
 * bit for bit, and works on the fixed buffers below; who calls has checked every length and bound. Layout of names and sizes:
 * `src/native/native-kernels.ts`.
 */
import { input, numbers, words } from './buffers';
import { floatText, powers, writeFloat } from './float-text';
import { writeSamples } from './sample-text';
import { openBlock } from './snappy-block';
import { openXorPart } from './xor-part';

const low: usize = memory.data(8208 * 4, 16);
const high: usize = memory.data(8208 * 4, 16);
/** A spare of one vector: filling a symbol's slots writes past its end. */
const slots: usize = memory.data(2048 * 4 + 16, 16);
const frequencies: usize = memory.data(256 * 4, 16);
/** Sixteen tables of CRC-32C: word b of table t is the checksum of byte b with t bytes of zero behind it. */
const crcTables: usize = memory.data(16 * 256 * 4, 16);
/** Places of four-byte words in the block that is being compressed, and what becomes of it; a spare of one vector. */
const snappyTable: usize = memory.data(4096 * 2, 16);
const packed: usize = memory.data(76_512 + 16, 16);
/** A snappy block that is to be opened, and its content; sizes with the spare that opening takes. */
const snappyClosed: usize = memory.data(524_288 + 32, 16);
const snappyOpened: usize = memory.data(2_097_152 + 32, 16);
/** For each set of lanes the bytes of these lanes, one behind the other. */
const chosenLanes: usize = memory.data(16 * 16, 16);

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
export function packedAt(): usize {
  return packed;
}
export function snappyClosedAt(): usize {
  return snappyClosed;
}
export function snappyOpenedAt(): usize {
  return snappyOpened;
}

export function powersAt(): usize {
  return powers;
}
export function floatTextAt(): usize {
  return floatText;
}

/** `src/float-text/float-text.ts`. */
export function floatToText(value: f64): i32 {
  return writeFloat(value);
}

/** `src/float-text/sample-text.ts`: times in `numbers`, values in `words`, texts in the input. */
export function samplesToText(count: i32, first: i32): i32 {
  return writeSamples(input, numbers, words, count, first);
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

/** See `./xor-part`. */
export function xorPart(length: i32, hidden: i32, minMs: f64, maxMs: f64): i32 {
  return openXorPart(length, hidden, minMs, maxMs);
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

/**
 * Writes the low `width` (1 to 56) bits of `value`, which has no higher bits set, behind the first `bit` bits of the input;
 * returns the bit after them. The rest of the last byte becomes 0: eight bytes are written, and at most 63 of their bits are
 * of the value and before it.
 */
function put(bit: i32, value: u64, width: i32): i32 {
  const at = input + <usize>(bit >> 3);
  const before = (<u64>load<u8>(at)) << 56;
  store<u64>(at, bswap<u64>(before | (value << (64 - (bit & 7) - width))));
  return bit + width;
}

function putVarint(bit: i32, value: u64): i32 {
  let rest = value;
  let next = bit;
  for (; rest >= 0x80; rest >>= 7) next = put(next, (rest & 0x7f) | 0x80, 8);
  return put(next, rest, 8);
}

/**
 * `src/xor/xor-encode.ts`: the first samples of `numbers` and `words` as a chunk in the input, at most `count` of them and
 * none behind the one that makes the chunk longer than `cutBits`. Returns the chunk's bits.
 */
export function xorEncode(count: i32, cutBits: i32): i32 {
  store<u8>(input, 0, 2);
  let timestamp = load<f64>(numbers);
  let value = load<u64>(words);
  let bit = putVarint(16, <u64>(timestamp < 0 ? -timestamp * 2 - 1 : timestamp * 2));
  bit = put(bit, value >> 32, 32);
  bit = put(bit, value & 0xffffffff, 32);
  let lastDelta: f64 = 0;
  // No window fits into the first one's.
  let windowLeading = 64;
  let windowTrailing = 64;
  let index = 1;
  for (; index < count && bit <= cutBits; index++) {
    const at = load<f64>(numbers + ((<usize>index) << 3));
    const delta = at - timestamp;
    timestamp = at;
    // The code of the time, or its end, and its bits: what follows is written with it.
    let code: u64 = 0;
    let width = 1;
    if (index === 1) {
      bit = putVarint(bit, <u64>delta);
      width = 0;
    } else if (delta !== lastDelta) {
      const change = <i64>(delta - lastDelta);
      if (change >= -8191 && change <= 8192) {
        code = 0x8000 | (<u64>change & 0x3fff);
        width = 16;
      } else if (change >= -65535 && change <= 65536) {
        code = 0xc0000 | (<u64>change & 0x1ffff);
        width = 20;
      } else if (change >= -524287 && change <= 524288) {
        code = 0xe00000 | (<u64>change & 0xfffff);
        width = 24;
      } else {
        bit = put(bit, 0xf, 4);
        bit = put(bit, <u64>change >> 32, 32);
        code = <u64>change & 0xffffffff;
        width = 32;
      }
    }
    lastDelta = delta;
    const next = load<u64>(words + ((<usize>index) << 3));
    const bits = value ^ next;
    value = next;
    if (bits === 0) {
      bit = put(bit, code << 1, width + 1);
      continue;
    }
    // The field has five bits.
    const leading = min(<i32>clz<u64>(bits), 31);
    const trailing = <i32>ctz<u64>(bits);
    if (leading >= windowLeading && trailing >= windowTrailing) {
      code = (code << 2) | 0b10;
      width += 2;
    } else {
      windowLeading = leading;
      windowTrailing = trailing;
      // 64 significant bits are written as 0.
      const fields = (leading << 6) | ((64 - leading - trailing) & 63);
      code = (code << 13) | <u64>((0b11 << 11) | fields);
      width += 13;
    }
    const significant = 64 - windowLeading - windowTrailing;
    const shifted = bits >> windowTrailing;
    if (width + significant <= 56) {
      bit = put(bit, (code << significant) | shifted, width + significant);
    } else {
      bit = put(bit, code, width);
      if (significant > 56) {
        bit = put(bit, shifted >> 32, significant - 32);
        bit = put(bit, shifted & 0xffffffff, 32);
      } else bit = put(bit, shifted, significant);
    }
  }
  store<u16>(input, bswap<u16>(<u16>index));
  return bit;
}

fillChosenLanes();

function fillChosenLanes(): void {
  for (let lanes = 0; lanes < 16; lanes++) {
    let at = chosenLanes + ((<usize>lanes) << 4);
    for (let lane = 0; lane < 4; lane++) {
      if (((lanes >> lane) & 1) === 0) continue;
      store<u32>(at, 0x03020100 + lane * 0x04040404);
      at += 4;
    }
  }
}

/**
 * Intersection in `src/postings/postings.ts`: ascending lists in the input and in `words`, what is in both to `numbers`,
 * which has a spare of one vector. Four elements of each at a time, each against each; of that whose last is the lower (or of
 * both) the next four.
 */
export function intersect(firstCount: i32, secondCount: i32): i32 {
  let a = input;
  let b = words;
  let target = numbers;
  let aEnd = input + ((<usize>(firstCount & ~3)) << 2);
  let bEnd = words + ((<usize>(secondCount & ~3)) << 2);
  while (a < aEnd && b < bEnd) {
    const x = v128.load(a);
    const y = v128.load(b);
    let equal = i32x4.eq(x, y);
    equal = v128.or(equal, i32x4.eq(x, v128.shuffle<i32>(y, y, 1, 2, 3, 0)));
    equal = v128.or(equal, i32x4.eq(x, v128.shuffle<i32>(y, y, 2, 3, 0, 1)));
    equal = v128.or(equal, i32x4.eq(x, v128.shuffle<i32>(y, y, 3, 0, 1, 2)));
    const lanes = i32x4.bitmask(equal);
    v128.store(target, v128.swizzle(x, v128.load(chosenLanes + ((<usize>lanes) << 4))));
    target += (<usize>popcnt<i32>(lanes)) << 2;
    const aLast = load<u32>(a, 12);
    const bLast = load<u32>(b, 12);
    a += (<usize>(aLast <= bLast)) << 4;
    b += (<usize>(bLast <= aLast)) << 4;
  }
  aEnd = input + ((<usize>firstCount) << 2);
  bEnd = words + ((<usize>secondCount) << 2);
  while (a < aEnd && b < bEnd) {
    const x = load<u32>(a);
    const y = load<u32>(b);
    store<u32>(target, x);
    target += (<usize>(x === y)) << 2;
    a += (<usize>(x <= y)) << 2;
    b += (<usize>(y <= x)) << 2;
  }
  return <i32>((target - numbers) >> 2);
}

/** `src/snappy/snappy-encode.ts`: one block of `size` bytes, at most 65,536, from the input to `packed`; returns its length there. */
export function snappyBlock(size: i32): i32 {
  memory.fill(snappyTable, 0, 4096 * 2);
  const end = input + <usize>size;
  const limit = end - 8;
  let next = packed;
  let literalStart = input;
  let position = input + 1;
  let misses: u32 = 32;
  // Of a block shorter than its margin the limit may be below the input, but never below zero.
  while (position < limit) {
    const word = load<u32>(position);
    const slot = snappyTable + ((<usize>((word * 0x1e35a7bd) >> 20)) << 1);
    const candidate = input + <usize>load<u16>(slot);
    store<u16>(slot, <u16>(position - input));
    if (candidate >= position || load<u32>(candidate) !== word) {
      position += <usize>(misses >> 5);
      misses++;
      continue;
    }
    const length = matchLength(candidate, position, end);
    if (position > literalStart) next = putLiteral(literalStart, position, next);
    next = putCopy(next, <u32>(position - candidate), <u32>length);
    position += length;
    literalStart = position;
    misses = 32;
  }
  if (literalStart < end) next = putLiteral(literalStart, end, next);
  return <i32>(next - packed);
}

/** `src/snappy/snappy-decode.ts`: opens the block of `size` bytes; returns its length, −1 when it is malformed or above `room`. */
export function snappyOpen(size: i32, room: i32): i32 {
  return openBlock(snappyClosed, <u32>size, snappyOpened, <u32>room);
}

/** Bytes that the two places have in common, of which four are known, up to the end. */
function matchLength(candidate: usize, position: usize, end: usize): usize {
  let length: usize = 4;
  while (position + length + 8 <= end) {
    const difference = load<u64>(candidate + length) ^ load<u64>(position + length);
    if (difference !== 0) return length + <usize>(ctz<u64>(difference) >> 3);
    length += 8;
  }
  while (position + length < end && load<u8>(candidate + length) === load<u8>(position + length)) {
    length++;
  }
  return length;
}

function putLiteral(start: usize, end: usize, at: usize): usize {
  const last = <u32>(end - start) - 1;
  let next = at;
  if (last < 60) store<u8>(next++, <u8>(last << 2));
  else if (last < 256) {
    store<u8>(next, 60 << 2);
    store<u8>(next, <u8>last, 1);
    next += 2;
  } else {
    store<u8>(next, 61 << 2);
    store<u16>(next, <u16>last, 1);
    next += 3;
  }
  const size = end - start;
  for (let i: usize = 0; i < size; i += 16) v128.store(next + i, v128.load(start + i));
  return next + size;
}

function putCopy(at: usize, offset: u32, length: u32): usize {
  let next = at;
  let left = length;
  while (left >= 68) {
    next = putLongCopy(next, offset, 64);
    left -= 64;
  }
  if (left > 64) {
    next = putLongCopy(next, offset, 60);
    left -= 60;
  }
  if (left >= 12 || offset >= 2048) return putLongCopy(next, offset, left);
  store<u8>(next, <u8>(((offset >> 8) << 5) | ((left - 4) << 2) | 1));
  store<u8>(next, <u8>offset, 1);
  return next + 2;
}

function putLongCopy(at: usize, offset: u32, length: u32): usize {
  store<u8>(at, <u8>(((length - 1) << 2) | 2));
  store<u16>(at, <u16>offset, 1);
  return at + 3;
}
