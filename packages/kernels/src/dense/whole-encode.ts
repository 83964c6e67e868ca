import {
  CODING_EQUAL,
  CODING_PACKED,
  CODING_RANGED,
  DENSE_MAX_SAMPLES,
  HAS_FACTOR,
  HAS_PATCHES,
  MAX_SYMBOLS,
} from './dense-format.ts';
import { isExactSum } from './exact-sum.ts';
import { frequenciesOfLevels, levelsOfCounts, startsOfFrequencies } from './frequencies.ts';
import { lanesBytes, packLanes } from './lanes.ts';
import { varintBytes, writeUvarint, writeVarint } from './number-bytes.ts';
import { encodeRange } from './range-encode.ts';

/** Numbers that are looked at to choose an order. */
const PROBES = 64;
/** Of the sorted probes so many at either end may be outliers. */
const PROBE_MARGIN = 3;
/** The range coder is taken when it saves this part of the packed bits: decoding costs several times as much. */
const RANGE_GAIN = 0.04;
/** Below so many numbers its table and states never pay. */
const RANGE_LEAST = 64;
/** Two states and the length of the stream. */
const RANGE_STATE_BYTES = 10;

/** Working memory of {@link encodeWhole}, for {@link DENSE_MAX_SAMPLES} numbers. */
export type WholeScratch = {
  readonly residuals: Float64Array;
  readonly low: Uint32Array;
  readonly high: Uint32Array;
  readonly words: Uint32Array;
  readonly probes: Float64Array;
  readonly counts: Uint32Array;
  readonly levels: Uint8Array;
  readonly frequencies: Uint32Array;
  readonly starts: Uint32Array;
};

export function createWholeScratch(): WholeScratch {
  return {
    residuals: new Float64Array(DENSE_MAX_SAMPLES),
    low: new Uint32Array(DENSE_MAX_SAMPLES + 8),
    high: new Uint32Array(DENSE_MAX_SAMPLES + 8),
    words: new Uint32Array(DENSE_MAX_SAMPLES + 16),
    probes: new Float64Array(PROBES),
    counts: new Uint32Array(MAX_SYMBOLS),
    levels: new Uint8Array(MAX_SYMBOLS),
    frequencies: new Uint32Array(MAX_SYMBOLS),
    starts: new Uint32Array(MAX_SYMBOLS),
  };
}

/** The numbers between two bounds, and what lies outside of them. */
type Frame = {
  readonly base: number;
  /** Greatest minus least, divided by the factor. */
  readonly span: number;
  readonly factor: number;
  readonly patchCount: number;
};

/**
 * Writes a column of `count` (at least 1) whole numbers of at most WHOLE_LIMIT and returns the place behind it. What lies
 * in the column: see `dense-chunk.md`.
 */
export function encodeWhole(
  scratch: WholeScratch,
  numbers: Float64Array,
  count: number,
  target: Uint8Array,
  at: number,
): number {
  let order = chooseOrder(scratch, numbers, count);
  let frame = takeResiduals(scratch, numbers, count, order);
  while (order > 0 && !isExact(numbers, count, order, frame, scratch)) {
    order--;
    frame = takeResiduals(scratch, numbers, count, order);
  }
  const left = count - order;
  const width = bitsOf(frame.span);
  splitUnits(scratch, left, frame, width > 32 ? 32 : 0, false);
  const rangeBits = width > 0 && width <= 40 ? chooseRange(scratch, left, width, frame) : -1;
  const coding = width === 0 ? CODING_EQUAL : rangeBits >= 0 ? CODING_RANGED : CODING_PACKED;
  let next = at;
  target[next++] =
    order | (frame.factor > 1 ? HAS_FACTOR : 0) | (frame.patchCount > 0 ? HAS_PATCHES : 0) | coding;
  if (order > 0) next = writeVarint(target, next, numbers[0]!);
  if (order > 1) next = writeVarint(target, next, numbers[1]! - numbers[0]!);
  next = writeVarint(target, next, frame.base);
  if (frame.factor > 1) next = writeUvarint(target, next, frame.factor);
  if (coding === CODING_PACKED) next = writePacked(scratch, left, width, target, next);
  else if (coding === CODING_RANGED) {
    splitUnits(scratch, left, frame, rangeBits, true);
    next = writeRanged(scratch, left, rangeBits, target, next);
  }
  return frame.patchCount > 0 ? writePatches(scratch, left, frame, target, next) : next;
}

/** The difference of the `order`-th order before number i. */
function residualAt(numbers: Float64Array, i: number, order: number): number {
  if (order === 0) return numbers[i]!;
  if (order === 1) return numbers[i]! - numbers[i - 1]!;
  return numbers[i]! - 2 * numbers[i - 1]! + numbers[i - 2]!;
}

/** The order whose residuals, outliers aside, span least. */
function chooseOrder(scratch: WholeScratch, numbers: Float64Array, count: number): number {
  let best = 0;
  let leastSpan = Number.POSITIVE_INFINITY;
  const { probes } = scratch;
  for (let order = 0; order <= 2 && order < count; order++) {
    const left = count - order;
    const size = Math.min(PROBES, left);
    for (let k = 0; k < size; k++) {
      probes[k] = residualAt(numbers, order + Math.floor((k * left) / size), order);
    }
    const sorted = probes.subarray(0, size).sort();
    const margin = size < PROBES ? 0 : PROBE_MARGIN;
    const span = sorted[size - 1 - margin]! - sorted[margin]!;
    // A higher order has to be worth its longer head and its slower decoding.
    if (span < leastSpan * 0.75) {
      leastSpan = span;
      best = order;
    }
  }
  return best;
}

/** Fills `residuals` and frames them, with the outliers apart when that is shorter. */
function takeResiduals(
  scratch: WholeScratch,
  numbers: Float64Array,
  count: number,
  order: number,
): Frame {
  const { residuals } = scratch;
  const left = count - order;
  let least = Number.POSITIVE_INFINITY;
  let greatest = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < left; i++) {
    const residual = residualAt(numbers, i + order, order);
    residuals[i] = residual;
    if (residual < least) least = residual;
    if (residual > greatest) greatest = residual;
  }
  const whole = frameOf(residuals, left, least, greatest);
  if (left < 8 || whole.span === 0) return whole;
  const patched = framePatched(scratch, left);
  if (patched === null) return whole;
  const patchBytes = patched.patchCount * (3 + varintBytes(greatest - least));
  const saved = (left * (bitsOf(whole.span) - bitsOf(patched.span))) / 8;
  return saved > patchBytes + 1 ? patched : whole;
}

function frameOf(residuals: Float64Array, left: number, base: number, greatest: number): Frame {
  let factor = 0;
  let patchCount = 0;
  for (let i = 0; i < left; i++) {
    const residual = residuals[i]!;
    if (residual < base || residual > greatest) patchCount++;
    else if (factor !== 1 && !isMultiple(residual - base, factor)) {
      factor = greatestDivisor(factor, residual - base);
    }
  }
  if (factor === 0) factor = 1;
  return { base, span: (greatest - base) / factor, factor, patchCount };
}

/** A frame around the middle half of the residuals, three times as wide; null when it leaves too many outside. */
function framePatched(scratch: WholeScratch, left: number): Frame | null {
  const { residuals, probes } = scratch;
  const size = Math.min(PROBES, left);
  for (let k = 0; k < size; k++) probes[k] = residuals[Math.floor((k * left) / size)]!;
  const sorted = probes.subarray(0, size).sort();
  const first = sorted[size >>> 3]!;
  const last = sorted[size - 1 - (size >>> 3)]!;
  const lowest = first - (last - first);
  const highest = last + (last - first);
  let least = first;
  let greatest = last;
  let outside = 0;
  for (let i = 0; i < left; i++) {
    const residual = residuals[i]!;
    if (residual < lowest || residual > highest) outside++;
    else if (residual < least) least = residual;
    else if (residual > greatest) greatest = residual;
  }
  if (outside === 0 || outside > left >>> 3) return null;
  return frameOf(residuals, left, least, greatest);
}

/** Cheaper than a remainder of doubles; exact below 2^53. */
function isMultiple(number: number, factor: number): boolean {
  return factor !== 0 && number - Math.floor(number / factor) * factor === 0;
}

function greatestDivisor(a: number, b: number): number {
  let x = a;
  let y = b;
  while (y !== 0) {
    const rest = x % y;
    x = y;
    y = rest;
  }
  return x;
}

/** Bits of a whole number ≥ 0. */
export function bitsOf(value: number): number {
  if (value < 4294967296) return 32 - Math.clz32(value);
  return 64 - Math.clz32(Math.floor(value / 4294967296));
}

/** True when no sum that the decoder forms can leave the exact range; its check is the same. */
function isExact(
  numbers: Float64Array,
  count: number,
  order: number,
  frame: Frame,
  scratch: WholeScratch,
): boolean {
  const left = count - order;
  let patches = 0;
  if (frame.patchCount > 0) {
    const greatest = frame.base + frame.span * frame.factor;
    for (let i = 0; i < left; i++) {
      const residual = scratch.residuals[i]!;
      if (residual < frame.base || residual > greatest) patches += Math.abs(residual);
    }
  }
  const delta = order > 1 ? numbers[1]! - numbers[0]! : 0;
  const greatestUnit = 2 ** bitsOf(frame.span) - 1;
  const { base, factor } = frame;
  return isExactSum(
    { order, first: numbers[0]!, delta, base, factor, greatestUnit, patches },
    left,
  );
}

/** Units (residual minus base, by factor) into `low`, of `lowBits`, and `high`; patched ones are 0. */
function splitUnits(
  scratch: WholeScratch,
  left: number,
  { base, span, factor }: Frame,
  lowBits: number,
  isMasked: boolean,
): void {
  const { residuals, low, high } = scratch;
  const scale = 2 ** lowBits;
  const highest = base + span * factor;
  for (let i = 0; i < left; i++) {
    const residual = residuals[i]!;
    const isInside = residual >= base && residual <= highest;
    const unit = isInside ? (residual - base) / factor : 0;
    const upper = lowBits === 0 ? 0 : Math.floor(unit / scale);
    high[i] = lowBits === 0 && isMasked ? unit : upper;
    low[i] = unit - upper * scale;
  }
}

/** How many low bits stay outside the range coder, or −1 when packing all of them is as good. */
function chooseRange(scratch: WholeScratch, left: number, width: number, frame: Frame): number {
  if (left < RANGE_LEAST) return -1;
  const { counts, residuals } = scratch;
  const { base, factor, span } = frame;
  let lowBits = Math.max(0, width - 8);
  let symbols = Math.floor(span / 2 ** lowBits) + 1;
  counts.fill(0);
  const unitOfSymbol = factor * 2 ** lowBits;
  const greatest = base + span * factor;
  for (let i = 0; i < left; i++) {
    const residual = residuals[i]!;
    const isInside = residual >= base && residual <= greatest;
    const symbol = isInside ? Math.floor((residual - base) / unitOfSymbol) : 0;
    counts[symbol] = counts[symbol]! + 1;
  }
  let best = -1;
  let leastBytes = lanesBytes(left, width) * (1 - RANGE_GAIN);
  while (symbols > 1) {
    const bytes = rangeBytes(scratch, left, symbols) + lanesBytes(left, lowBits);
    if (bytes < leastBytes) {
      leastBytes = bytes;
      best = lowBits;
    }
    if (++lowBits > 32) break;
    // Two neighbours become one symbol.
    const half = (symbols + 1) >>> 1;
    if ((symbols & 1) === 1) counts[symbols] = 0;
    for (let i = 0; i < half; i++) counts[i] = counts[i * 2]! + counts[i * 2 + 1]!;
    symbols = half;
  }
  return best;
}

/** Estimated size of the coded symbols with their table. */
function rangeBytes({ counts }: WholeScratch, left: number, symbols: number): number {
  let bits = left * Math.log2(left);
  let most = 0;
  let least = left;
  for (let i = 0; i < symbols; i++) {
    const count = counts[i]!;
    if (count > most) most = count;
    if (count < least) least = count;
    if (count > 1) bits -= count * Math.log2(count);
  }
  const levelBits = bitsOf(4 * Math.log2(most / Math.max(1, least)) + 1);
  return bits / 8 + (symbols * Math.min(5, levelBits)) / 8 + RANGE_STATE_BYTES + 3;
}

function writePacked(
  scratch: WholeScratch,
  left: number,
  width: number,
  target: Uint8Array,
  at: number,
): number {
  target[at] = width;
  const lowBits = Math.min(32, width);
  const next = packLanes(scratch.low, left, lowBits, scratch.words, target, at + 1);
  return width > 32 ? packLanes(scratch.high, left, width - 32, scratch.words, target, next) : next;
}

function writeRanged(
  scratch: WholeScratch,
  left: number,
  lowBits: number,
  target: Uint8Array,
  at: number,
): number {
  const { counts, levels, frequencies, starts, high, low, words } = scratch;
  let symbols = 0;
  for (let i = 0; i < left; i++) if (high[i]! >= symbols) symbols = high[i]! + 1;
  counts.fill(0, 0, symbols);
  for (let i = 0; i < left; i++) counts[high[i]!] = counts[high[i]!]! + 1;
  levelsOfCounts(counts, symbols, levels);
  frequenciesOfLevels(levels, symbols, frequencies);
  startsOfFrequencies(frequencies, symbols, starts);
  target[at] = lowBits;
  let next = writeLevels(levels, symbols, target, at + 1);
  next = encodeRange(high, left, { frequencies, starts }, words, target, next);
  return lowBits > 0 ? packLanes(low, left, lowBits, words, target, next) : next;
}

/** Number of symbols − 1, then the least level (5 bits) and the bits (3) of what each is above it, then these. */
function writeLevels(levels: Uint8Array, symbols: number, target: Uint8Array, at: number): number {
  let least = 31;
  let most = 0;
  for (let i = 0; i < symbols; i++) {
    if (levels[i]! < least) least = levels[i]!;
    if (levels[i]! > most) most = levels[i]!;
  }
  const width = bitsOf(most - least);
  target[at] = symbols - 1;
  target[at + 1] = least | (width << 5);
  let next = at + 2;
  let held = 0;
  let heldBits = 0;
  for (let i = 0; i < symbols; i++) {
    held |= (levels[i]! - least) << heldBits;
    heldBits += width;
    if (heldBits >= 8) {
      target[next++] = held;
      held >>>= 8;
      heldBits -= 8;
    }
  }
  if (heldBits > 0) target[next++] = held;
  return next;
}

function writePatches(
  { residuals }: WholeScratch,
  left: number,
  { base, span, factor, patchCount }: Frame,
  target: Uint8Array,
  at: number,
): number {
  const greatest = base + span * factor;
  let next = writeUvarint(target, at, patchCount);
  let expected = 0;
  for (let i = 0; i < left; i++) {
    const residual = residuals[i]!;
    if (residual >= base && residual <= greatest) continue;
    next = writeUvarint(target, next, i - expected);
    next = writeVarint(target, next, residual);
    expected = i + 1;
  }
  return next;
}
