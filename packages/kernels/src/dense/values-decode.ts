import {
  HAS_EXCEPTIONS,
  MAX_EXPONENT,
  POWERS_OF_TEN,
  VALUES_CONSTANT,
  VALUES_DECIMAL,
  VALUES_INT64,
  VALUES_NEAR,
  VALUES_RUNS,
  VALUES_WORDS,
} from './dense-format.ts';
import type { DenseLoops } from './dense-loops.ts';
import { type Cursor, readByte, readUvarint, readWord } from './number-bytes.ts';
import { decodeWhole, readLanes } from './whole-decode.ts';

/**
 * Reads a column of `count` (1 to DENSE_MAX_SAMPLES) values into `words`, two a value, low first, from word 2·at on. False
 * when the bytes are damaged; what lies in those words is then undefined.
 */
export function decodeValues(
  loops: DenseLoops,
  cursor: Cursor,
  count: number,
  words: Uint32Array,
  at: number,
): boolean {
  const kind = readByte(cursor);
  if (kind === VALUES_CONSTANT) {
    words[at * 2] = readWord(cursor);
    words[at * 2 + 1] = readWord(cursor);
    const start = at * 2;
    const end = start + count * 2;
    // What is there is doubled until it fills the column.
    for (let next = start + 2; next < end; next += next - start) {
      words.copyWithin(next, start, Math.min(next, start + end - next));
    }
    return !cursor.isBad;
  }
  if (kind === VALUES_RUNS) return decodeRuns(loops, cursor, count, words, at);
  return decodeSingly(loops, cursor, kind, count, words, at);
}

function decodeSingly(
  loops: DenseLoops,
  cursor: Cursor,
  kind: number,
  count: number,
  words: Uint32Array,
  at: number,
): boolean {
  switch (kind) {
    case VALUES_DECIMAL:
      return decodeDecimals(loops, cursor, count, words, at);
    case VALUES_DECIMAL | HAS_EXCEPTIONS:
      return (
        decodeDecimals(loops, cursor, count, words, at) && readExceptions(cursor, count, words, at)
      );
    case VALUES_NEAR:
      return decodeNear(loops, cursor, count, words, at);
    case VALUES_NEAR | HAS_EXCEPTIONS:
      return (
        decodeNear(loops, cursor, count, words, at) && readExceptions(cursor, count, words, at)
      );
    case VALUES_WORDS:
      return decodeWords(loops, cursor, count, words, at);
    case VALUES_INT64:
      return decodeInt64(loops, cursor, count, words, at);
    default:
      return false;
  }
}

function decodeDecimals(
  loops: DenseLoops,
  cursor: Cursor,
  count: number,
  words: Uint32Array,
  at: number,
): boolean {
  const exponent = readByte(cursor);
  if (exponent > MAX_EXPONENT || !decodeWhole(loops, cursor, count)) return false;
  if (exponent > 0) loops.divide(count, POWERS_OF_TEN[exponent]!);
  words.set(loops.numberWords.subarray(0, count * 2), at * 2);
  return true;
}

function decodeNear(
  loops: DenseLoops,
  cursor: Cursor,
  count: number,
  words: Uint32Array,
  at: number,
): boolean {
  if (!decodeDecimals(loops, cursor, count, words, at)) return false;
  if (!decodeWhole(loops, cursor, count)) return false;
  const { numbers } = loops;
  for (let i = at * 2, k = 0; k < count; i += 2, k++) {
    const sum = words[i]! + numbers[k]!;
    words[i] = sum;
    words[i + 1] = words[i + 1]! + Math.floor(sum / 4294967296);
  }
  return true;
}

function readExceptions(cursor: Cursor, count: number, words: Uint32Array, at: number): boolean {
  const exceptions = readUvarint(cursor);
  if (cursor.isBad || exceptions > count) return false;
  let next = 0;
  for (let i = 0; i < exceptions; i++) {
    next += readUvarint(cursor);
    const low = readWord(cursor);
    const high = readWord(cursor);
    if (cursor.isBad || next >= count) return false;
    words[(at + next) * 2] = low;
    words[(at + next) * 2 + 1] = high;
    next++;
  }
  return true;
}

function decodeWords(
  loops: DenseLoops,
  cursor: Cursor,
  count: number,
  words: Uint32Array,
  at: number,
): boolean {
  const zeros = readByte(cursor);
  if (zeros > 32 || !decodeWhole(loops, cursor, count)) return false;
  const { numbers, low } = loops;
  if (zeros === 32) low.fill(0, 0, count);
  else if (!readLanes(loops, cursor, count, 32 - zeros, 'low')) return false;
  for (let i = 0; i < count; i++) {
    words[(at + i) * 2] = low[i]! << zeros;
    words[(at + i) * 2 + 1] = numbers[i]!;
  }
  return true;
}

function decodeInt64(
  loops: DenseLoops,
  cursor: Cursor,
  count: number,
  words: Uint32Array,
  at: number,
): boolean {
  const low = readWord(cursor);
  const high = readWord(cursor);
  if (!decodeWhole(loops, cursor, count)) return false;
  const { numbers } = loops;
  for (let i = 0; i < count; i++) {
    const sum = low + numbers[i]!;
    words[(at + i) * 2] = sum;
    words[(at + i) * 2 + 1] = high + Math.floor(sum / 4294967296);
  }
  return true;
}

function decodeRuns(
  loops: DenseLoops,
  cursor: Cursor,
  count: number,
  words: Uint32Array,
  at: number,
): boolean {
  const runs = readUvarint(cursor);
  if (runs === 0 || runs > count || !decodeWhole(loops, cursor, runs)) return false;
  const { lengths, numbers } = loops;
  let total = runs;
  for (let i = 0; i < runs; i++) {
    const more = numbers[i]!;
    if (more < 0) return false;
    lengths[i] = more;
    total += more;
  }
  const kind = readByte(cursor);
  if (total !== count || !decodeSingly(loops, cursor, kind, runs, words, at)) return false;
  // From the last run to the first: no head is overwritten before it is spread.
  let end = at + count;
  for (let run = runs - 1; run >= 0; run--) {
    const low = words[(at + run) * 2]!;
    const high = words[(at + run) * 2 + 1]!;
    const start = end - lengths[run]! - 1;
    for (let i = start; i < end; i++) {
      words[i * 2] = low;
      words[i * 2 + 1] = high;
    }
    end = start;
  }
  return true;
}
