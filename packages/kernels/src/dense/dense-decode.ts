import { CHOSEN_LOOPS } from './chosen-loops.ts';
import { DENSE_MALFORMED, DENSE_MAX_SAMPLES } from './dense-format.ts';
import type { Cursor } from './number-bytes.ts';
import { decodeValues } from './values-decode.ts';
import { decodeWhole } from './whole-decode.ts';

/** Number of samples that the chunk says it holds, at most DENSE_MAX_SAMPLES, or {@link DENSE_MALFORMED}. */
export function denseCount(bytes: Uint8Array, offset: number, length: number): number {
  if (length < 2) return DENSE_MALFORMED;
  const count = (bytes[offset]! << 8) | bytes[offset + 1]!;
  return isCount(count) ? count : DENSE_MALFORMED;
}

/**
 * Decodes the chunk in `bytes[offset, offset + length)` into `timestampsMs[at …]` and `valueWords` (two words a sample, low
 * first, from 2·at on). Returns the number of samples, or {@link DENSE_MALFORMED}, after which the outputs from `at` on are
 * undefined. The caller has sized the outputs by {@link denseCount}.
 */
export function denseDecode(
  bytes: Uint8Array,
  offset: number,
  length: number,
  timestampsMs: Float64Array,
  valueWords: Uint32Array,
  at: number,
  loops = CHOSEN_LOOPS,
): number {
  const count = denseCount(bytes, offset, length);
  if (count === DENSE_MALFORMED) return DENSE_MALFORMED;
  const cursor = cursorOn(bytes, offset + 2, offset + length);
  if (cursor.isBad || !decodeWhole(loops, cursor, count)) return DENSE_MALFORMED;
  timestampsMs.set(loops.numbers.subarray(0, count), at);
  if (!decodeValues(loops, cursor, count, valueWords, at)) return DENSE_MALFORMED;
  return cursor.at === cursor.end ? count : DENSE_MALFORMED;
}

/**
 * Reads a column that `denseEncodeWhole` wrote, `count` numbers, from `bytes[at, end)` into `target`. Returns the place
 * behind it, or {@link DENSE_MALFORMED}.
 */
export function denseDecodeWhole(
  bytes: Uint8Array,
  at: number,
  end: number,
  target: Float64Array | Int32Array,
  count: number,
  loops = CHOSEN_LOOPS,
): number {
  const cursor = cursorOn(bytes, at, end);
  if (cursor.isBad || !isCount(count) || !decodeWhole(loops, cursor, count)) return DENSE_MALFORMED;
  target.set(loops.numbers.subarray(0, count));
  return cursor.at;
}

/** As {@link denseDecodeWhole}, for a column of `denseEncodeValues`: two words a value, low first. */
export function denseDecodeValues(
  bytes: Uint8Array,
  at: number,
  end: number,
  target: Uint32Array,
  count: number,
  loops = CHOSEN_LOOPS,
): number {
  const cursor = cursorOn(bytes, at, end);
  if (cursor.isBad || !isCount(count)) return DENSE_MALFORMED;
  return decodeValues(loops, cursor, count, target, 0) ? cursor.at : DENSE_MALFORMED;
}

function isCount(count: number): boolean {
  return count > 0 && count <= DENSE_MAX_SAMPLES;
}

function cursorOn(bytes: Uint8Array, at: number, end: number): Cursor {
  return { bytes, at, end, isBad: end > bytes.length };
}
