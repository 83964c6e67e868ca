import { putBits, putShifted, putUvarint, putWord, zigzag } from './put-bits.ts';
import { NO_WINDOW, type XorAppendState } from './xor-append.ts';
import { STALE_HIGH, STALE_LOW, XOR2_HEADER_BYTES } from './xor2-decode.ts';

/**
 * Prometheus' XOR2 chunk (encoding 4), written in place into a slab, byte for byte as `Xor2Chunk` writes it. Layout:
 * `xor2-chunk.md`. These columns, 17 bytes a chunk, stand beside those of {@link XorAppendState}, in which `lastValueWords` is
 * the last value that was no stale marker.
 */
export type Xor2AppendState = {
  /** Start timestamp of the last sample, 0 = unknown. */
  readonly startMs: Float64Array;
  /** From the last sample's start timestamp to the sample before it, once the chunk has a change of start timestamps. */
  readonly distanceMs: Float64Array;
  /** 1 when the last sample is a stale marker. */
  readonly isStale: Uint8Array;
};

/**
 * Room for one more sample: header, two varints and a value of a first one take 31 bytes, the 69 bits of a time, 78 of a value and
 * 72 of a start timestamp less.
 */
export const XOR2_SAMPLE_MAX_BYTES = 32;

/** Start timestamps begin at the latest with this sample: the header has seven bits for it. */
const LAST_CHANGED_AT = 127;
const FIRST_KNOWN = 0x80;

export function createXor2AppendState(capacity: number): Xor2AppendState {
  return {
    startMs: new Float64Array(capacity),
    distanceMs: new Float64Array(capacity),
    isStale: new Uint8Array(capacity),
  };
}

/** A larger state with the same content. */
export function growXor2AppendState(state: Xor2AppendState, capacity: number): Xor2AppendState {
  const grown = createXor2AppendState(capacity);
  grown.startMs.set(state.startMs);
  grown.distanceMs.set(state.distanceMs);
  grown.isStale.set(state.isStale);
  return grown;
}

/**
 * As `xorAppend`, with {@link XOR2_SAMPLE_MAX_BYTES} free behind the current end. Times and start timestamps are whole numbers
 * of a magnitude up to 2^52.
 */
export function xor2Append(
  state: XorAppendState,
  starts: Xor2AppendState,
  index: number,
  bytes: Uint8Array,
  offset: number,
  timestampMs: number,
  valueLow: number,
  valueHigh: number,
  startMs: number,
): void {
  const count = state.count[index]!;
  const isStale = valueHigh === STALE_HIGH && valueLow === STALE_LOW;
  const beforeMs = state.lastTimestampMs[index]!;
  let bit: number;
  if (count === 0) {
    let at = putUvarint(bytes, offset + XOR2_HEADER_BYTES, zigzag(timestampMs));
    at = putWord(bytes, at, valueHigh);
    at = putWord(bytes, at, valueLow);
    bytes[offset + 2] = startMs === 0 ? 0 : FIRST_KNOWN;
    if (startMs !== 0) at = putUvarint(bytes, at, zigzag(timestampMs - startMs));
    bit = (at - offset) * 8;
    state.leading[index] = NO_WINDOW;
    state.trailing[index] = 0;
    state.lastDeltaMs[index] = 0;
    state.lastValueWords[index * 2] = isStale ? 0 : valueLow;
    state.lastValueWords[index * 2 + 1] = isStale ? 0 : valueHigh;
    starts.distanceMs[index] = 0;
  } else {
    const deltaMs = timestampMs - beforeMs;
    bit = state.bitLength[index]!;
    if (count === 1) {
      bit = putUvarintBits(bytes, offset, bit, deltaMs);
      bit = putValue(state, index, bytes, offset, bit, valueLow, valueHigh, isStale);
    } else {
      const change = deltaMs - state.lastDeltaMs[index]!;
      if (change === 0) {
        bit = putExpected(state, index, bytes, offset, bit, valueLow, valueHigh, isStale);
      } else {
        bit = putChange(bytes, offset, bit, change);
        bit = putValue(state, index, bytes, offset, bit, valueLow, valueHigh, isStale);
      }
    }
    state.lastDeltaMs[index] = deltaMs;
    if (!isStale) {
      state.lastValueWords[index * 2] = valueLow;
      state.lastValueWords[index * 2 + 1] = valueHigh;
    }
    bit = putStart(starts, index, bytes, offset, bit, count, beforeMs - startMs, startMs);
  }
  starts.startMs[index] = startMs;
  starts.isStale[index] = isStale ? 1 : 0;
  state.lastTimestampMs[index] = timestampMs;
  state.bitLength[index] = bit;
  state.count[index] = count + 1;
  bytes[offset] = (count + 1) >>> 8;
  bytes[offset + 1] = count + 1;
}

/** Value of a sample at the expected time. */
function putExpected(
  state: XorAppendState,
  index: number,
  bytes: Uint8Array,
  offset: number,
  bit: number,
  valueLow: number,
  valueHigh: number,
  isStale: boolean,
): number {
  if (isStale) return putBits(bytes, offset, bit, 0b11111, 5);
  const low = (valueLow ^ state.lastValueWords[index * 2]!) >>> 0;
  const high = (valueHigh ^ state.lastValueWords[index * 2 + 1]!) >>> 0;
  if (low === 0 && high === 0) return putBits(bytes, offset, bit, 0, 1);
  const at = putBits(bytes, offset, bit, 0b10, 2);
  return putXor(state, index, bytes, offset, at, low, high, 1);
}

/** Value of any other sample. */
function putValue(
  state: XorAppendState,
  index: number,
  bytes: Uint8Array,
  offset: number,
  bit: number,
  valueLow: number,
  valueHigh: number,
  isStale: boolean,
): number {
  if (isStale) return putBits(bytes, offset, bit, 0b111, 3);
  const low = (valueLow ^ state.lastValueWords[index * 2]!) >>> 0;
  const high = (valueHigh ^ state.lastValueWords[index * 2 + 1]!) >>> 0;
  if (low === 0 && high === 0) return putBits(bytes, offset, bit, 0, 1);
  const at = putBits(bytes, offset, bit, 0b1, 1);
  return putXor(state, index, bytes, offset, at, low, high, 2);
}

/** The changed bits behind `0` and the last window, or behind 1 or `10` in `freshBits` bits and a new one. */
function putXor(
  state: XorAppendState,
  index: number,
  bytes: Uint8Array,
  offset: number,
  bit: number,
  low: number,
  high: number,
  freshBits: number,
): number {
  let leading = high !== 0 ? Math.clz32(high) : 32 + Math.clz32(low);
  let trailing = low !== 0 ? 31 - Math.clz32(low & -low) : 63 - Math.clz32(high & -high);
  // The field has five bits.
  if (leading > 31) leading = 31;
  const windowLeading = state.leading[index]!;
  const windowTrailing = state.trailing[index]!;
  let at: number;
  if (windowLeading !== NO_WINDOW && leading >= windowLeading && trailing >= windowTrailing) {
    leading = windowLeading;
    trailing = windowTrailing;
    at = putBits(bytes, offset, bit, 0, 1);
  } else {
    state.leading[index] = leading;
    state.trailing[index] = trailing;
    const header = (freshBits << 11) | (leading << 6) | ((64 - leading - trailing) & 63);
    at = putBits(bytes, offset, bit, header, 11 + freshBits);
  }
  return putShifted(bytes, offset, at, low, high, trailing, 64 - leading - trailing);
}

function putChange(bytes: Uint8Array, offset: number, bit: number, change: number): number {
  if (change >= -4096 && change <= 4095) {
    return putBits(bytes, offset, bit, (0b110 << 13) | (change & 0x1fff), 16);
  }
  if (change >= -524288 && change <= 524287) {
    return putBits(bytes, offset, bit, (0b1110 << 20) | (change & 0xfffff), 24);
  }
  const at = putBits(bytes, offset, bit, 0b11110, 5);
  return putWide(bytes, offset, at, change, 64);
}

function putStart(
  starts: Xor2AppendState,
  index: number,
  bytes: Uint8Array,
  offset: number,
  bit: number,
  count: number,
  distanceMs: number,
  startMs: number,
): number {
  const header = bytes[offset + 2]!;
  if ((header & 0x7f) !== 0) {
    const change = distanceMs - starts.distanceMs[index]!;
    starts.distanceMs[index] = distanceMs;
    return putVarbit(bytes, offset, bit, change);
  }
  if (startMs === starts.startMs[index]! && count !== LAST_CHANGED_AT) return bit;
  bytes[offset + 2] = header | count;
  starts.distanceMs[index] = distanceMs;
  return putVarbit(bytes, offset, bit, distanceMs);
}

/** `<varbit_int>`: a whole number of magnitude up to 2^54. */
function putVarbit(bytes: Uint8Array, offset: number, bit: number, value: number): number {
  if (value === 0) return putBits(bytes, offset, bit, 0, 1);
  if (value >= -3 && value <= 4) return putBits(bytes, offset, bit, 0x10 | (value & 0x7), 5);
  if (value >= -31 && value <= 32) return putBits(bytes, offset, bit, 0x180 | (value & 0x3f), 9);
  if (value >= -255 && value <= 256) {
    return putBits(bytes, offset, bit, 0x1c00 | (value & 0x1ff), 13);
  }
  if (value >= -2047 && value <= 2048) {
    return putBits(bytes, offset, bit, 0x1e000 | (value & 0xfff), 17);
  }
  if (value >= -131071 && value <= 131072) {
    return putBits(bytes, offset, bit, 0xf80000 | (value & 0x3ffff), 24);
  }
  if (value >= -16777215 && value <= 16777216) {
    const at = putBits(bytes, offset, bit, 0x7e, 7);
    return putBits(bytes, offset, at, value & 0x1ffffff, 25);
  }
  return putWide(bytes, offset, putBits(bytes, offset, bit, 0xfe, 8), value, 56);
}

/** Two's complement in 56 or 64 bits. */
function putWide(
  bytes: Uint8Array,
  offset: number,
  bit: number,
  value: number,
  width: number,
): number {
  const high = Math.floor(value / 4294967296) >>> 0;
  const upper = width === 64 ? high : high & 0xffffff;
  const at = putBits(bytes, offset, bit, upper, width - 32);
  return putBits(bytes, offset, at, value >>> 0, 32);
}

/** Go's varint, which here begins at a byte. */
function putUvarintBits(bytes: Uint8Array, offset: number, bit: number, value: number): number {
  return (putUvarint(bytes, offset + (bit >>> 3), value) - offset) * 8;
}
