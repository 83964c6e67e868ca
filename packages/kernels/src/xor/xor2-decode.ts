import { DecodeError } from '@pollux/base';
import { BitReader } from '../bits/bit-reader.ts';
import { readStartTime, startTimeState } from '../bits/start-time.ts';
import { createXorValues, readXorWindow, type XorValues } from '../bits/xor-value.ts';

/** The samples of one chunk; value i has its bits in words 2i (low) and 2i + 1 (high). */
export type Xor2Columns = {
  readonly count: number;
  readonly timestampsMs: Float64Array;
  readonly valueWords: Uint32Array;
  /** 0 where it is not known. */
  readonly startTimestampsMs: Float64Array;
};

export const XOR2_HEADER_BYTES = 3;
/** The two halves of Prometheus' stale marker. */
export const STALE_HIGH = 0x7ff00000;
export const STALE_LOW = 2;

/**
 * Decodes Prometheus' XOR2 chunk (encoding 4) in `bytes[offset, offset + length)`; layout in `xor2-chunk.md`. Throws
 * DecodeError when it is malformed.
 */
export function xor2Decode(bytes: Uint8Array, offset: number, length: number): Xor2Columns {
  if (length < XOR2_HEADER_BYTES || offset + length > bytes.length) {
    throw new DecodeError('XOR2 chunk too short', offset);
  }
  const count = (bytes[offset]! << 8) | bytes[offset + 1]!;
  // Each sample after the first two takes at least a bit.
  if (count > length * 8) throw new DecodeError('more samples than bits', offset);
  const start = startTimeState(bytes[offset + 2]!);
  const reader = new BitReader(bytes, offset + XOR2_HEADER_BYTES, offset + length);
  const timestampsMs = new Float64Array(count);
  const valueWords = new Uint32Array(count * 2);
  const startTimestampsMs = new Float64Array(count);
  /** The last value that was no stale marker. */
  const value = createXorValues(1, false);
  let timestampMs = 0;
  let deltaMs = 0;
  for (let i = 0; i < count; i++) {
    const beforeMs = timestampMs;
    let isStale: boolean;
    if (i === 0) {
      timestampMs = reader.varint();
      isStale = readFirstValue(reader, value);
    } else if (i === 1) {
      deltaMs = reader.uvarint();
      timestampMs += deltaMs;
      isStale = readValue(reader, value);
    } else {
      const control = controlOf(reader);
      if (control > CONTROL.value && control < CONTROL.stale) {
        deltaMs += readDeltaChange(reader, control);
        isStale = readValue(reader, value);
      } else {
        isStale = control === CONTROL.stale;
        // Its value is known to be another one, so only the window is told.
        if (control === CONTROL.value) readXorWindow(reader, value, 0, reader.bits(1) === 1);
      }
      timestampMs += deltaMs;
    }
    timestampsMs[i] = timestampMs;
    valueWords[i * 2] = isStale ? STALE_LOW : value.words[0]!;
    valueWords[i * 2 + 1] = isStale ? STALE_HIGH : value.words[1]!;
    startTimestampsMs[i] = readStartTime(reader, start, i, timestampMs, beforeMs);
  }
  return { count, timestampsMs, valueWords, startTimestampsMs };
}

/** Control codes by their number of ones. */
const CONTROL = {
  /** `0`: the expected time, the value again. */
  same: 0,
  /** `10`: the expected time, another value. */
  value: 1,
  /** `11111`: the expected time, a stale marker. Between them are the three widths of a changed time. */
  stale: 5,
} as const;

function controlOf(reader: BitReader): number {
  let ones = 0;
  while (ones < 5 && reader.bits(1) === 1) ones++;
  return ones;
}

/** The change of the distance in time: 13, 20 or 64 bits, two's complement. */
function readDeltaChange(reader: BitReader, control: number): number {
  if (control === 4) {
    const high = reader.words();
    const change = (high | 0) * 2 ** 32 + reader.low;
    if (Number.isSafeInteger(change)) return change;
    throw new DecodeError('time beyond 2^53', 0);
  }
  const width = control === 2 ? 13 : 20;
  const raw = reader.bits(width);
  return raw >= 2 ** (width - 1) ? raw - 2 ** width : raw;
}

/** True for a stale marker, which leaves the value as it was. */
function readFirstValue(reader: BitReader, value: XorValues): boolean {
  const high = reader.words();
  if (high === STALE_HIGH && reader.low === STALE_LOW) return true;
  value.words[1] = high;
  value.words[0] = reader.low;
  return false;
}

/** `0` the value again, `10` the last window, `110` a new window, `111` a stale marker (then true). */
function readValue(reader: BitReader, value: XorValues): boolean {
  if (reader.bits(1) === 0) return false;
  const isOther = reader.bits(1) === 1;
  if (isOther && reader.bits(1) === 1) return true;
  readXorWindow(reader, value, 0, isOther);
  return false;
}
