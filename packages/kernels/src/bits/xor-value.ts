import { DecodeError } from '@pollux/base';
import type { BitReader } from './bit-reader.ts';
import type { BitWriter } from './bit-writer.ts';

/**
 * `<varbit_xor>` of many values side by side, each against its own predecessor: value i has its bits in words 2i (low) and
 * 2i + 1 (high), and the window of its last new window code.
 */
export type XorValues = {
  readonly words: Uint32Array;
  readonly leading: Uint8Array;
  readonly trailing: Uint8Array;
};

const NO_WINDOW = 0xff;

/** `isWriter`: a writer has no window at first, a reader one of 64 bits. */
export function createXorValues(count: number, isWriter: boolean): XorValues {
  return {
    words: new Uint32Array(count * 2),
    leading: new Uint8Array(count).fill(isWriter ? NO_WINDOW : 0),
    trailing: new Uint8Array(count),
  };
}

/** Writes the value, given by its words, against the last one at `index`, and remembers it. */
export function writeXorValue(
  writer: BitWriter,
  state: XorValues,
  index: number,
  valueLow: number,
  valueHigh: number,
): void {
  const { words } = state;
  if (words[index * 2] === valueLow && words[index * 2 + 1] === valueHigh) {
    writer.bits(0, 1);
    return;
  }
  writeXorWindow(writer, state, index, valueLow, valueHigh, XOR_CODES);
}

/** What stands before changed bits: for the last window again, and for a window that follows. */
export type WindowCodes = {
  readonly last: number;
  readonly lastBits: number;
  readonly fresh: number;
  readonly freshBits: number;
};

const XOR_CODES: WindowCodes = { last: 0b10, lastBits: 2, fresh: 0b11, freshBits: 2 };

/** Writes a value that differs from the last one at `index`, and remembers it. */
export function writeXorWindow(
  writer: BitWriter,
  state: XorValues,
  index: number,
  valueLow: number,
  valueHigh: number,
  codes: WindowCodes,
): void {
  const { words } = state;
  const low = (valueLow ^ words[index * 2]!) >>> 0;
  const high = (valueHigh ^ words[index * 2 + 1]!) >>> 0;
  words[index * 2] = valueLow;
  words[index * 2 + 1] = valueHigh;
  let leading = high !== 0 ? Math.clz32(high) : 32 + Math.clz32(low);
  let trailing = low !== 0 ? 31 - Math.clz32(low & -low) : 63 - Math.clz32(high & -high);
  // The field has five bits.
  if (leading > 31) leading = 31;
  const windowLeading = state.leading[index]!;
  const windowTrailing = state.trailing[index]!;
  if (windowLeading !== NO_WINDOW && leading >= windowLeading && trailing >= windowTrailing) {
    leading = windowLeading;
    trailing = windowTrailing;
    writer.bits(codes.last, codes.lastBits);
  } else {
    state.leading[index] = leading;
    state.trailing[index] = trailing;
    writer.bits(codes.fresh, codes.freshBits);
    // 64 significant bits are written as 0.
    writer.bits((leading << 6) | ((64 - leading - trailing) & 63), 11);
  }
  writeShifted(writer, low, high, trailing, 64 - leading - trailing);
}

/** The 64-bit number `high:low`, shifted right by `trailing`, in `width` bits. */
function writeShifted(
  writer: BitWriter,
  low: number,
  high: number,
  trailing: number,
  width: number,
): void {
  let shiftedLow = low;
  let shiftedHigh = high;
  if (trailing >= 32) {
    shiftedLow = high >>> (trailing - 32);
    shiftedHigh = 0;
  } else if (trailing > 0) {
    shiftedLow = ((low >>> trailing) | (high << (32 - trailing))) >>> 0;
    shiftedHigh = high >>> trailing;
  }
  if (width > 32) {
    writer.bits(shiftedHigh, width - 32);
    writer.bits(shiftedLow, 32);
  } else writer.bits(shiftedLow, width);
}

/** Reads the next value of `index` into its words. Throws DecodeError. */
export function readXorValue(reader: BitReader, state: XorValues, index: number): void {
  if (reader.bits(1) === 0) return;
  const isNewWindow = reader.bits(1) === 1;
  readXorWindow(reader, state, index, isNewWindow);
}

/** Reads the changed bits of `index`: a window in front of them, or the last one again. Throws DecodeError. */
export function readXorWindow(
  reader: BitReader,
  state: XorValues,
  index: number,
  isNewWindow: boolean,
): void {
  const { words } = state;
  if (isNewWindow) {
    const leading = reader.bits(5);
    // 0 stands for 64 bits.
    const width = reader.bits(6) || 64;
    if (leading + width > 64) throw new DecodeError('impossible bit window', 0);
    state.leading[index] = leading;
    state.trailing[index] = 64 - leading - width;
  }
  const trailing = state.trailing[index]!;
  const width = 64 - state.leading[index]! - trailing;
  const upper = width > 32 ? reader.bits(width - 32) : 0;
  const lower = width > 32 ? reader.bits(32) : reader.bits(width);
  let low = lower;
  let high = upper;
  if (trailing >= 32) {
    high = lower << (trailing - 32);
    low = 0;
  } else if (trailing > 0) {
    high = (upper << trailing) | (lower >>> (32 - trailing));
    low = lower << trailing;
  }
  words[index * 2] = words[index * 2]! ^ low;
  words[index * 2 + 1] = words[index * 2 + 1]! ^ high;
}
