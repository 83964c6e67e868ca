import {
  DENSE_MAX_SAMPLES,
  HAS_EXCEPTIONS,
  MAX_EXPONENT,
  POWERS_OF_TEN,
  VALUES_CONSTANT,
  VALUES_DECIMAL,
  VALUES_INT64,
  VALUES_NEAR,
  VALUES_RUNS,
  VALUES_WORDS,
  WHOLE_LIMIT,
} from './dense-format.ts';
import { packLanes } from './lanes.ts';
import { writeUvarint, writeWord } from './number-bytes.ts';
import { createWholeScratch, encodeWhole, type WholeScratch } from './whole-encode.ts';

/** What the 64 bits of a value are. */
export type ValueKind = 'float' | 'integer';

/** Values as pairs of words, low half first; `floats` are the same bytes, for arithmetic only. */
type Bits = { readonly words: Uint32Array; readonly floats: Float64Array };

/** Working memory of the value encoders. */
export type ValueScratch = {
  readonly whole: WholeScratch;
  readonly numbers: Float64Array;
  readonly heads: Bits;
  /** Second candidates: of a whole column of values, and of each of its parts. */
  readonly spare: Uint8Array;
  readonly spareNear: Uint8Array;
  readonly corrections: Float64Array;
  readonly one: Bits;
};

/** With more runs than this part of the values, storing lengths of runs is not tried. */
const RUNS_PART = 0.8;
/** Runs are decoded twice, lengths and heads: they have to save this part of the bytes. */
const RUNS_GAIN = 0.04;
/** With more values apart than one in so many, a column is not decimal. */
const EXCEPTION_PART = 8;
/** Corrected decimals are two columns: they have to save this part of the bytes. */
const NEAR_GAIN = 0.1;
/** A correction, in units of the last place, that is larger tells of no decimal. */
const MAX_CORRECTION = 2 ** 20;
/** Values that are looked at to find the exponent of corrected decimals, in so many stretches. */
const NEAR_PROBES = 16;
const NEAR_STRETCHES = 3;
const MINUS_ZERO = 0x80000000;

/** Bytes that a column of `count` values or whole numbers never passes. */
export function columnMaxBytes(count: number): number {
  return 128 + count * 24;
}

export function createValueScratch(): ValueScratch {
  const floats = new Float64Array(DENSE_MAX_SAMPLES);
  const one = new Float64Array(1);
  return {
    whole: createWholeScratch(),
    numbers: new Float64Array(DENSE_MAX_SAMPLES),
    heads: { floats, words: new Uint32Array(floats.buffer) },
    spare: new Uint8Array(columnMaxBytes(DENSE_MAX_SAMPLES)),
    spareNear: new Uint8Array(2 * columnMaxBytes(DENSE_MAX_SAMPLES)),
    corrections: new Float64Array(DENSE_MAX_SAMPLES),
    one: { floats: one, words: new Uint32Array(one.buffer) },
  };
}

/**
 * Writes the bits of values[from, to) (1 to DENSE_MAX_SAMPLES of them) and returns the place behind them; `target` has
 * room for {@link columnMaxBytes}. An `integer` is an int64 in the bytes of a double.
 */
export function encodeValues(
  scratch: ValueScratch,
  kind: ValueKind,
  values: Float64Array,
  from: number,
  to: number,
  target: Uint8Array,
  at: number,
): number {
  const floats = values.subarray(from, to);
  const words = new Uint32Array(floats.buffer, floats.byteOffset, floats.length * 2);
  const bits = { words, floats };
  const count = to - from;
  const runs = countRuns(words, count);
  if (runs === 1) {
    target[at] = VALUES_CONSTANT;
    return writeWord(target, writeWord(target, at + 1, words[0]!), words[1]!);
  }
  const end = encodeSingly(scratch, kind, bits, count, target, at);
  if (runs > count * RUNS_PART) return end;
  const { spare } = scratch;
  const size = encodeRuns(scratch, kind, bits, count, spare);
  if (size > (end - at) * (1 - RUNS_GAIN)) return end;
  target.set(spare.subarray(0, size), at);
  return at + size;
}

function countRuns(words: Uint32Array, count: number): number {
  let runs = 1;
  for (let i = 1; i < count; i++) if (isChanged(words, i)) runs++;
  return runs;
}

function isChanged(words: Uint32Array, i: number): boolean {
  return words[i * 2] !== words[i * 2 - 2] || words[i * 2 + 1] !== words[i * 2 - 1];
}

/** Number of runs, their lengths − 1, the value of each. Returns the size. */
function encodeRuns(
  scratch: ValueScratch,
  kind: ValueKind,
  { words }: Bits,
  count: number,
  target: Uint8Array,
): number {
  const { heads, numbers, whole } = scratch;
  let runs = 0;
  for (let i = 0; i < count; i++) {
    if (i > 0 && !isChanged(words, i)) {
      numbers[runs - 1] = numbers[runs - 1]! + 1;
      continue;
    }
    numbers[runs] = 0;
    heads.words[runs * 2] = words[i * 2]!;
    heads.words[runs * 2 + 1] = words[i * 2 + 1]!;
    runs++;
  }
  target[0] = VALUES_RUNS;
  let next = writeUvarint(target, 1, runs);
  next = encodeWhole(whole, numbers, runs, target, next);
  return encodeSingly(scratch, kind, heads, runs, target, next);
}

/** Each value by itself, in the form of the column that fits. */
function encodeSingly(
  scratch: ValueScratch,
  kind: ValueKind,
  bits: Bits,
  count: number,
  target: Uint8Array,
  at: number,
): number {
  if (kind === 'integer') {
    if (!offsetsOf(bits.words, count, scratch.numbers)) {
      return encodeWords(scratch, bits.words, count, target, at);
    }
    target[at] = VALUES_INT64;
    const next = writeWord(target, at + 1, bits.words[0]!);
    const begin = writeWord(target, next, bits.words[1]!);
    return encodeWhole(scratch.whole, scratch.numbers, count, target, begin);
  }
  const exponent = decimalExponent(bits, count);
  if (exponent >= 0) return encodeDecimals(scratch, bits, count, exponent, target, at);
  const end = encodeWords(scratch, bits.words, count, target, at);
  const nearExponent = chooseNear(scratch, bits, count);
  if (nearExponent < 0) return end;
  const { spareNear } = scratch;
  const size = encodeNear(scratch, bits, count, nearExponent, spareNear);
  if (size > (end - at) * (1 - NEAR_GAIN)) return end;
  target.set(spareNear.subarray(0, size), at);
  return at + size;
}

/** Differences of 64-bit numbers to the first; false when one passes WHOLE_LIMIT. */
function offsetsOf(words: Uint32Array, count: number, numbers: Float64Array): boolean {
  const low = words[0]!;
  const high = words[1]! | 0;
  for (let i = 0; i < count; i++) {
    const upper = (words[i * 2 + 1]! | 0) - high;
    if (upper > 2 ** 17 || upper < -(2 ** 17)) return false;
    numbers[i] = upper * 4294967296 + (words[i * 2]! - low);
  }
  return true;
}

/**
 * The least exponent e at which nearly all values are the double next to a whole number by 10^e, or −1. A value that is so
 * at one exponent is so at all higher ones that the limit allows.
 */
function decimalExponent({ words, floats }: Bits, count: number): number {
  let exponent = 0;
  let misses = 0;
  for (let i = 0; i < count; i++) {
    const value = floats[i]!;
    let e = exponent;
    while (e <= MAX_EXPONENT && wholeAt(value, e) / POWERS_OF_TEN[e]! !== value) e++;
    if (e > MAX_EXPONENT || isMinusZero(words, i)) misses++;
    else exponent = e;
    if (misses > 2 && misses > (i + 16) / EXCEPTION_PART) return -1;
  }
  return exponent;
}

/** value × 10^exponent as a whole number; NaN when it passes the limit. */
function wholeAt(value: number, exponent: number): number {
  const whole = Math.round(value * POWERS_OF_TEN[exponent]!);
  return whole <= WHOLE_LIMIT && whole >= -WHOLE_LIMIT ? whole : Number.NaN;
}

function isMinusZero(words: Uint32Array, i: number): boolean {
  return words[i * 2 + 1] === MINUS_ZERO && words[i * 2] === 0;
}

function encodeDecimals(
  scratch: ValueScratch,
  { words, floats }: Bits,
  count: number,
  exponent: number,
  target: Uint8Array,
  at: number,
): number {
  const { numbers, whole } = scratch;
  const power = POWERS_OF_TEN[exponent]!;
  let exceptions = 0;
  let last = 0;
  for (let i = 0; i < count; i++) {
    const number = wholeAt(floats[i]!, exponent);
    // An exception repeats the number before it, so that it costs nothing in the column.
    if (number / power === floats[i]! && !isMinusZero(words, i)) last = number;
    else exceptions++;
    numbers[i] = last + 0;
  }
  target[at] = VALUES_DECIMAL | (exceptions > 0 ? HAS_EXCEPTIONS : 0);
  target[at + 1] = exponent;
  const next = encodeWhole(whole, numbers, count, target, at + 2);
  if (exceptions === 0) return next;
  const isApart = (i: number): boolean =>
    wholeAt(floats[i]!, exponent) / power !== floats[i]! || isMinusZero(words, i);
  return writeExceptions(words, count, exceptions, isApart, target, next);
}

/** High halves as whole numbers, low halves packed without the zeros that all of them end with. */
function encodeWords(
  scratch: ValueScratch,
  words: Uint32Array,
  count: number,
  target: Uint8Array,
  at: number,
): number {
  const { numbers, whole } = scratch;
  let used = 0;
  for (let i = 0; i < count; i++) {
    numbers[i] = words[i * 2 + 1]! | 0;
    used |= words[i * 2]!;
  }
  const zeros = used === 0 ? 32 : 31 - Math.clz32(used & -used);
  target[at] = VALUES_WORDS;
  target[at + 1] = zeros;
  const next = encodeWhole(whole, numbers, count, target, at + 2);
  if (zeros === 32) return next;
  const { low } = whole;
  for (let i = 0; i < count; i++) low[i] = words[i * 2]! >>> zeros;
  return packLanes(low, count, 32 - zeros, whole.words, target, next);
}

/**
 * The exponent at which values and their corrections take the fewest bits, judged by some stretches of them; −1 when at
 * none most values are near a decimal. Sums of decimals are such values: each addition has added an error.
 */
function chooseNear(scratch: ValueScratch, bits: Bits, count: number): number {
  let best = -1;
  let leastBits = 40;
  for (let exponent = 1; exponent <= MAX_EXPONENT; exponent++) {
    const bitsNeeded = nearBits(scratch, bits, count, exponent);
    if (bitsNeeded < leastBits) {
      leastBits = bitsNeeded;
      best = exponent;
    }
  }
  return best;
}

/** Bits of a value's difference to the last and of its correction; infinite when too many are near no decimal. */
function nearBits(scratch: ValueScratch, bits: Bits, count: number, exponent: number): number {
  const size = Math.min(NEAR_PROBES, count);
  let misses = 0;
  let greatestStep = 0;
  let greatestCorrection = 0;
  for (let stretch = 0; stretch < NEAR_STRETCHES; stretch++) {
    const start = Math.floor(((count - size) * stretch) / (NEAR_STRETCHES - 1));
    let last = Number.NaN;
    for (let i = start; i < start + size; i++) {
      const whole = wholeAt(bits.floats[i]!, exponent);
      const correction = correctionOf(scratch, bits.words, i, whole, exponent);
      if (Number.isNaN(correction)) {
        if (++misses > NEAR_PROBES / EXCEPTION_PART) return Number.POSITIVE_INFINITY;
        continue;
      }
      const step = Math.abs(whole - last);
      if (step > greatestStep) greatestStep = step;
      if (Math.abs(correction) > greatestCorrection) greatestCorrection = Math.abs(correction);
      last = whole;
    }
  }
  return Math.log2(greatestStep + 1) + Math.log2(greatestCorrection + 1);
}

/** The value's 64 bits minus those of whole / 10^exponent; NaN when that is too much. */
function correctionOf(
  { one }: ValueScratch,
  words: Uint32Array,
  i: number,
  whole: number,
  exponent: number,
): number {
  // Whole numbers are stored without the sign of a zero.
  one.floats[0] = (whole + 0) / POWERS_OF_TEN[exponent]!;
  const upper = words[i * 2 + 1]! - one.words[1]!;
  const correction = upper * 4294967296 + (words[i * 2]! - one.words[0]!);
  return Math.abs(correction) <= MAX_CORRECTION && !Number.isNaN(whole) ? correction : Number.NaN;
}

/** Decimals, the corrections to them, and what is near none apart. Returns the size. */
function encodeNear(
  scratch: ValueScratch,
  bits: Bits,
  count: number,
  exponent: number,
  target: Uint8Array,
): number {
  const { numbers, corrections, whole: wholeScratch } = scratch;
  let exceptions = 0;
  let last = 0;
  for (let i = 0; i < count; i++) {
    const whole = wholeAt(bits.floats[i]!, exponent);
    const correction = correctionOf(scratch, bits.words, i, whole, exponent);
    const isNear = !Number.isNaN(correction);
    if (isNear) last = whole + 0;
    else exceptions++;
    numbers[i] = last;
    corrections[i] = isNear ? correction + 0 : 0;
  }
  target[0] = VALUES_NEAR | (exceptions > 0 ? HAS_EXCEPTIONS : 0);
  target[1] = exponent;
  let next = encodeWhole(wholeScratch, numbers, count, target, 2);
  next = encodeWhole(wholeScratch, corrections, count, target, next);
  if (exceptions === 0) return next;
  const isApart = (i: number): boolean => {
    const whole = wholeAt(bits.floats[i]!, exponent);
    return Number.isNaN(correctionOf(scratch, bits.words, i, whole, exponent));
  };
  return writeExceptions(bits.words, count, exceptions, isApart, target, next);
}

/** Values of which `isApart` is true, with their places. */
function writeExceptions(
  words: Uint32Array,
  count: number,
  exceptions: number,
  isApart: (i: number) => boolean,
  target: Uint8Array,
  at: number,
): number {
  let next = writeUvarint(target, at, exceptions);
  let expected = 0;
  for (let i = 0; i < count; i++) {
    if (!isApart(i)) continue;
    next = writeUvarint(target, next, i - expected);
    next = writeWord(target, next, words[i * 2]!);
    next = writeWord(target, next, words[i * 2 + 1]!);
    expected = i + 1;
  }
  return next;
}
