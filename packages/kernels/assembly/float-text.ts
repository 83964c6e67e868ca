/**
 * The shortest decimal that reads as a given float, by Raffaello Giulietti's Schubfach: one look into a table of powers of ten
 * with 128 bits, and three products that tell between which decimals the float's neighbours end.
 */

/** For k from −324 to 292, 10^k scaled to [2^127, 2^128) and rounded up: the low and the high half. The caller fills it. */
export const powers: usize = memory.data(617 * 16, 16);
/** The text, as ASCII. */
export const floatText: usize = memory.data(32, 16);

const LEAST_POWER = -324;
/** Of decimals between 10^-6 and 10^21, which are written without an exponent. */
const MIN_POINT = -5;
const MAX_POINT = 21;

/** Two digits of each number below 100. */
const pairs: usize = memory.data(200, 16);

/** 10^0 to 10^18. */
const tenPowers: usize = memory.data(19 * 8, 16);

fillPairs();
fillTenPowers();

function fillTenPowers(): void {
  let power: u64 = 1;
  for (let i = 0; i < 19; i++, power *= 10) store<u64>(tenPowers + ((<usize>i) << 3), power);
}

function fillPairs(): void {
  for (let i = 0; i < 100; i++) {
    store<u8>(pairs + <usize>(2 * i), 48 + <u8>(i / 10));
    store<u8>(pairs + <usize>(2 * i) + 1, 48 + <u8>(i % 10));
  }
}

/** Where {@link writeFloat} puts its text. */
let textAt: usize = floatText;

/** As {@link writeFloat}, to `target`, which has room for 32 bytes. */
export function writeFloatAt(target: usize, value: f64): i32 {
  textAt = target;
  const length = writeFloat(value);
  textAt = floatText;
  return length;
}

/** Writes the text of a finite value other than zero; its length, or 0 when it takes an exponent. */
export function writeFloat(value: f64): i32 {
  const bits = reinterpret<u64>(value);
  const fraction = bits & 0xfffffffffffff;
  const exponent = <i32>((bits >> 52) & 0x7ff);
  const isSubnormal = exponent === 0;
  const c: u64 = isSubnormal ? fraction : fraction | 0x10000000000000;
  const q = isSubnormal ? -1074 : exponent - 1075;
  const isEven = (c & 1) === 0;
  // The neighbour below a power of two is only half as far away.
  const isCloser = fraction === 0 && exponent > 1;
  const k = (q * 1262611 - (isCloser ? 524031 : 0)) >> 22;
  const h = q + ((-k * 1741647) >> 19) + 1;
  const power = powers + ((<usize>(-k - LEAST_POWER)) << 4);
  const powerLow = load<u64>(power);
  const powerHigh = load<u64>(power, 8);
  // The product of the float itself, in three words; those of the ends around it are as much above and below. Of no power 64
  // ones follow each other, so adding a carry to a word of a step never overflows.
  const factor = (4 * c) << h;
  const low = powerLow * factor;
  const carry = upperHalf(powerLow, factor);
  const centre = powerHigh * factor + carry;
  const high = upperHalf(powerHigh, factor) + <u64>(centre < carry);
  const middle = high | <u64>(centre > 1);
  const lowStep = powerLow << (h + 1);
  const centreStep = (powerHigh << (h + 1)) | (powerLow >> (63 - h));
  const highStep = powerHigh >> (63 - h);

  const above = low + lowStep;
  const aboveCarry = centreStep + <u64>(above < low);
  const aboveCentre = centre + aboveCarry;
  const aboveHigh = high + highStep + <u64>(aboveCentre < centre);
  const upper = (aboveHigh | <u64>(aboveCentre > 1)) - <u64>!isEven;

  let lower: u64;
  if (isCloser) lower = scaled(powerLow, powerHigh, (4 * c - 1) << h) + <u64>!isEven;
  else {
    const belowCarry = centreStep + <u64>(low < lowStep);
    const belowCentre = centre - belowCarry;
    const belowHigh = high - highStep - <u64>(centre < belowCarry);
    lower = (belowHigh | <u64>(belowCentre > 1)) + <u64>!isEven;
  }

  const s = middle >> 2;
  const tens = tenth(s);
  const isTenBelow = lower <= 40 * tens;
  const isTenAbove = 40 * tens + 40 <= upper;
  if (s >= 10 && isTenBelow !== isTenAbove) return write(tens + <u64>isTenAbove, k + 1, value < 0);
  const isBelow = lower <= 4 * s;
  const isAbove = 4 * s + 4 <= upper;
  if (isBelow !== isAbove) return write(s + <u64>isAbove, k, value < 0);
  const half = 4 * s + 2;
  const isRoundedUp = middle > half || (middle === half && (s & 1) !== 0);
  return write(s + <u64>isRoundedUp, k, value < 0);
}

/** The upper 64 bits of a product of 192, its last bit set when anything below is. */
function scaled(low: u64, high: u64, factor: u64): u64 {
  const carry = upperHalf(low, factor);
  const z = high * factor + carry;
  const y = upperHalf(high, factor) + <u64>(z < carry);
  return y | <u64>(z > 1);
}

function upperHalf(a: u64, b: u64): u64 {
  const aLow = a & 0xffffffff;
  const aHigh = a >> 32;
  const bLow = b & 0xffffffff;
  const bHigh = b >> 32;
  const middle = aHigh * bLow + ((aLow * bLow) >> 32);
  const other = aLow * bHigh + (middle & 0xffffffff);
  return aHigh * bHigh + (middle >> 32) + (other >> 32);
}

/** Writes digits × 10^exponent without an exponent. */
function write(decimal: u64, exponent: i32, isNegative: bool): i32 {
  let digits = decimal;
  let scale = exponent;
  for (let next = tenth(digits); next * 10 === digits; next = tenth(digits)) {
    digits = next;
    scale++;
  }
  const count = countDigits(digits);
  /** Digits before the point. */
  const point = count + scale;
  if (point < MIN_POINT || point > MAX_POINT) return 0;
  const text = textAt;
  let at = text;
  if (isNegative) store<u8>(at++, 45);
  if (point <= 0) {
    store<u8>(at++, 48);
    store<u8>(at++, 46);
    for (let i = point; i < 0; i++) store<u8>(at++, 48);
    writeDigits(at, digits, count);
    return <i32>(at - text) + count;
  }
  if (point >= count) {
    writeDigits(at, digits, count);
    at += <usize>count;
    for (let i = count; i < point; i++) store<u8>(at++, 48);
    return <i32>(at - text);
  }
  // One place is left for the point, and the digits before it move back.
  writeDigits(at + 1, digits, count);
  for (let i = 0; i < point; i++) store<u8>(at + <usize>i, load<u8>(at + <usize>i + 1));
  store<u8>(at + <usize>point, 46);
  return <i32>(at - text) + count + 1;
}

/** 0.8 · 2^64, rounded up. */
const EIGHT_TENTHS: u64 = ((<u64>0xcccccccc) << 32) | <u64>0xcccccccd;

/** 2^90 / 10^8, rounded up. */
const BY_HUNDRED_MILLION: u64 = ((<u64>0xabcc7711) << 32) | <u64>0x8461cefd;

/** A tenth, rounded down: runtimes divide 32 bits by a constant without a division, but not 64. */
function tenth(value: u64): u64 {
  return upperHalf(value, EIGHT_TENTHS) >> 3;
}

/** Of a number of at most 17 digits. */
export function countDigits(digits: u64): i32 {
  // Powers of ten are even, so the last bit tells nothing but that 0 has a digit.
  const odd = digits | 1;
  const least = ((64 - <i32>clz<u64>(odd)) * 1233) >> 12;
  return least + <i32>(odd >= load<u64>(tenPowers + ((<usize>least) << 3)));
}

/** The last `count` digits, at most 17. By halves, for which see {@link tenth}. */
export function writeDigits(target: usize, digits: u64, count: i32): void {
  if (count <= 8) {
    writeHalf(target, <u32>digits, count);
    return;
  }
  const high = upperHalf(digits, BY_HUNDRED_MILLION) >> 26;
  const low = <u32>(digits - high * 100_000_000);
  writeHalf(target + <usize>(count - 8), low, 8);
  writeHalf(target, <u32>high, count - 8);
}

/** At most nine. */
function writeHalf(target: usize, digits: u32, count: i32): void {
  let rest = digits;
  let at = target + <usize>count;
  for (; at >= target + 2; at -= 2) {
    const next = rest / 100;
    store<u16>(at - 2, load<u16>(pairs + ((<usize>(rest - next * 100)) << 1)));
    rest = next;
  }
  if (at > target) store<u8>(target, 48 + <u8>(rest % 10));
}
