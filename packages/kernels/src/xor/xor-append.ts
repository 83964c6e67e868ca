import { putBits, putShifted, putUvarint, putWord, zigzag } from './put-bits.ts';

/**
 * Prometheus' XOR chunk (encoding 1), written in place into a slab. Layout: `xor-chunk.md`.
 *
 * The state of many open chunks lies in columns, one element per chunk: 30 bytes each. Values travel as two 32-bit
 * words, so NaN payloads survive.
 */
export type XorAppendState = {
  readonly lastTimestampMs: Float64Array;
  readonly lastDeltaMs: Float64Array;
  /** Word 2i is the low, 2i+1 the high half of the last value of chunk i. */
  readonly lastValueWords: Uint32Array;
  /** Bits written, the two count bytes included; at most 8 × {@link XOR_MAX_BYTES}. */
  readonly bitLength: Uint16Array;
  readonly count: Uint16Array;
  readonly leading: Uint8Array;
  readonly trailing: Uint8Array;
};

/** No chunk of this encoding grows past it, if it is cut as soon as it passes {@link XOR_CUT_BYTES}. */
export const XOR_MAX_BYTES = 1024;
/** Room for one more sample: ten bytes of a varint, 77 bits of a value, or 68 + 77 bits; two more for the count. */
export const XOR_SAMPLE_MAX_BYTES = 20;
/** A chunk larger than this takes no further sample (Prometheus: 1,024 − 19). */
export const XOR_CUT_BYTES = 1005;

/** In `leading`, before the first changed value. */
export const NO_WINDOW = 0xff;

/** `lastTimestampMs` is given by an owner that has the times of newest samples in a column already. */
export function createXorAppendState(
  capacity: number,
  lastTimestampMs = new Float64Array(capacity),
): XorAppendState {
  return {
    lastTimestampMs,
    lastDeltaMs: new Float64Array(capacity),
    lastValueWords: new Uint32Array(capacity * 2),
    bitLength: new Uint16Array(capacity),
    count: new Uint16Array(capacity),
    leading: new Uint8Array(capacity),
    trailing: new Uint8Array(capacity),
  };
}

/** A larger state with the same content. A given `lastTimestampMs` has it already. */
export function growXorAppendState(
  state: XorAppendState,
  capacity: number,
  lastTimestampMs?: Float64Array<ArrayBuffer>,
): XorAppendState {
  const grown = createXorAppendState(capacity, lastTimestampMs);
  if (lastTimestampMs === undefined) grown.lastTimestampMs.set(state.lastTimestampMs);
  grown.lastDeltaMs.set(state.lastDeltaMs);
  grown.lastValueWords.set(state.lastValueWords);
  grown.bitLength.set(state.bitLength);
  grown.count.set(state.count);
  grown.leading.set(state.leading);
  grown.trailing.set(state.trailing);
  return grown;
}

/** Makes chunk `index` empty: the next append writes its first sample. */
export function resetXorAppend(state: XorAppendState, index: number): void {
  state.bitLength[index] = 0;
  state.count[index] = 0;
}

/** Bytes that chunk `index` takes in its slab. */
export function xorByteLength(state: XorAppendState, index: number): number {
  return (state.bitLength[index]! + 7) >>> 3;
}

/**
 * Appends one sample to chunk `index`, whose bytes begin at `bytes[offset]`. The caller has made sure that
 * {@link XOR_SAMPLE_MAX_BYTES} are free after the current end, that `timestampMs` is a whole number above the last one,
 * and that the count stays below 65,536. Bytes after the end may hold anything.
 */
export function xorAppend(
  state: XorAppendState,
  index: number,
  bytes: Uint8Array,
  offset: number,
  timestampMs: number,
  valueLow: number,
  valueHigh: number,
): void {
  const count = state.count[index]!;
  let bit: number;
  if (count === 0) {
    let at = putUvarint(bytes, offset + 2, zigzag(timestampMs));
    at = putWord(bytes, at, valueHigh);
    at = putWord(bytes, at, valueLow);
    bit = (at - offset) * 8;
    state.leading[index] = NO_WINDOW;
    state.trailing[index] = 0;
    state.lastDeltaMs[index] = 0;
  } else {
    const delta = timestampMs - state.lastTimestampMs[index]!;
    bit = state.bitLength[index]!;
    if (count === 1) bit = (putUvarint(bytes, offset + (bit >>> 3), delta) - offset) * 8;
    else bit = putDeltaOfDelta(bytes, offset, bit, delta - state.lastDeltaMs[index]!);
    state.lastDeltaMs[index] = delta;
    const low = (valueLow ^ state.lastValueWords[index * 2]!) >>> 0;
    const high = (valueHigh ^ state.lastValueWords[index * 2 + 1]!) >>> 0;
    if (low === 0 && high === 0) bit = putBits(bytes, offset, bit, 0, 1);
    else bit = putXor(state, index, bytes, offset, bit, low, high);
  }
  state.lastTimestampMs[index] = timestampMs;
  state.lastValueWords[index * 2] = valueLow;
  state.lastValueWords[index * 2 + 1] = valueHigh;
  state.bitLength[index] = bit;
  state.count[index] = count + 1;
  bytes[offset] = (count + 1) >>> 8;
  bytes[offset + 1] = count + 1;
}

function putDeltaOfDelta(bytes: Uint8Array, offset: number, bit: number, dod: number): number {
  if (dod === 0) return putBits(bytes, offset, bit, 0, 1);
  if (dod >= -8191 && dod <= 8192) return putBits(bytes, offset, bit, 0x8000 | (dod & 0x3fff), 16);
  if (dod >= -65535 && dod <= 65536) {
    return putBits(bytes, offset, bit, 0xc0000 | (dod & 0x1ffff), 20);
  }
  if (dod >= -524287 && dod <= 524288) {
    return putBits(bytes, offset, bit, 0xe00000 | (dod & 0xfffff), 24);
  }
  const high = Math.floor(dod / 4294967296);
  let at = putBits(bytes, offset, bit, 0xf, 4);
  at = putBits(bytes, offset, at, high >>> 0, 32);
  return putBits(bytes, offset, at, dod >>> 0, 32);
}

function putXor(
  state: XorAppendState,
  index: number,
  bytes: Uint8Array,
  offset: number,
  bit: number,
  low: number,
  high: number,
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
    at = putBits(bytes, offset, bit, 0b10, 2);
  } else {
    state.leading[index] = leading;
    state.trailing[index] = trailing;
    const significant = 64 - leading - trailing;
    // 64 significant bits are written as 0: a changed value never has none.
    const header = (0b11 << 11) | (leading << 6) | (significant & 63);
    at = putBits(bytes, offset, bit, header, 13);
  }
  return putShifted(bytes, offset, at, low, high, trailing, 64 - leading - trailing);
}
