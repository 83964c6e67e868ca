import {
  CODING_EQUAL,
  CODING_MASK,
  CODING_PACKED,
  CODING_RANGED,
  HAS_FACTOR,
  HAS_PATCHES,
  ORDER_MASK,
} from './dense-format.ts';
import type { DenseLoops } from './dense-loops.ts';
import { isExactSum } from './exact-sum.ts';
import { frequenciesOfLevels } from './frequencies.ts';
import { lanesBytes, loadLanes } from './lanes.ts';
import { type Cursor, readByte, readUvarint, readVarint, readWord } from './number-bytes.ts';

/**
 * Reads a column of `count` (1 to DENSE_MAX_SAMPLES) whole numbers into `loops.numbers`. False when the bytes are damaged;
 * what the numbers are is then undefined. Reads nothing behind the cursor's end.
 */
export function decodeWhole(loops: DenseLoops, cursor: Cursor, count: number): boolean {
  const head = readByte(cursor);
  const order = head & ORDER_MASK;
  const coding = head & CODING_MASK;
  if (order > 2 || order >= count || head > 0x3f) return false;
  const first = order > 0 ? readVarint(cursor) : 0;
  const delta = order > 1 ? readVarint(cursor) : 0;
  const base = readVarint(cursor);
  const factor = (head & HAS_FACTOR) !== 0 ? readUvarint(cursor) : 1;
  if (cursor.isBad || factor === 0) return false;
  const left = count - order;
  const greatestUnit = readUnits(loops, cursor, { coding, order, left, base, factor });
  if (greatestUnit < 0) return false;
  const patches = (head & HAS_PATCHES) !== 0 ? readPatches(loops, cursor, order, left) : 0;
  if (patches < 0) return false;
  if (!isExactSum({ order, first, delta, base, factor, greatestUnit, patches }, left)) return false;
  const { numbers } = loops;
  if (order === 1 && greatestUnit === 0 && patches === 0) {
    loops.line(count, first, base);
    return true;
  }
  if (order === 2) {
    numbers[1] = delta;
    loops.sum(1, count);
  }
  if (order > 0) {
    numbers[0] = first;
    loops.sum(0, count);
  }
  return true;
}

type Units = {
  readonly coding: number;
  readonly order: number;
  readonly left: number;
  readonly base: number;
  readonly factor: number;
};

/** Puts base + factor × unit into `numbers` from `order` on. Returns the greatest unit that there may be, or −1. */
function readUnits(loops: DenseLoops, cursor: Cursor, units: Units): number {
  const { coding, order, left, base, factor } = units;
  if (coding === CODING_EQUAL) {
    loops.numbers.fill(base, order, order + left);
    return 0;
  }
  if (coding === CODING_PACKED) {
    const width = readByte(cursor);
    const lowBits = Math.min(32, width);
    if (width === 0 || width > 53 || !readLanes(loops, cursor, left, lowBits, 'low')) return -1;
    if (width > 32 && !readLanes(loops, cursor, left, width - 32, 'high')) return -1;
    loops.join(order, left, base, factor, width > 32 ? 2 ** 32 : 0);
    return 2 ** width - 1;
  }
  if (coding !== CODING_RANGED) return -1;
  const lowBits = readByte(cursor);
  const symbols = readByte(cursor) + 1;
  if (lowBits > 32 || !readRange(loops, cursor, left, symbols)) return -1;
  if (lowBits === 0) loops.low.fill(0, 0, left);
  else if (!readLanes(loops, cursor, left, lowBits, 'low')) return -1;
  loops.join(order, left, base, factor, 2 ** lowBits);
  return symbols * 2 ** lowBits - 1;
}

/** Reads `count` numbers of `width` (1 to 32) bits. */
export function readLanes(
  loops: DenseLoops,
  cursor: Cursor,
  count: number,
  width: number,
  half: 'low' | 'high',
): boolean {
  const size = lanesBytes(count, width);
  if (cursor.isBad || size > cursor.end - cursor.at) return false;
  loadLanes(cursor.bytes, cursor.at, count, width, loops.input);
  loops.unpack(half, count, width);
  cursor.at += size;
  return true;
}

function readRange(loops: DenseLoops, cursor: Cursor, count: number, symbols: number): boolean {
  const { levels } = loops;
  if (!readLevels(cursor, symbols, levels)) return false;
  if (!frequenciesOfLevels(levels, symbols, loops.frequencies)) return false;
  loops.fillSlots(symbols);
  const wordCount = readUvarint(cursor);
  const even = readWord(cursor);
  const odd = readWord(cursor);
  // A symbol takes at most one word.
  if (cursor.isBad || wordCount > count || wordCount * 2 > cursor.end - cursor.at) return false;
  const { bytes, at } = cursor;
  const { inputHalves } = loops;
  for (let i = 0; i < wordCount; i++) {
    inputHalves[i] = bytes[at + i * 2]! | (bytes[at + i * 2 + 1]! << 8);
  }
  cursor.at += wordCount * 2;
  return loops.range(even, odd, wordCount, count);
}

function readLevels(cursor: Cursor, symbols: number, levels: Uint8Array): boolean {
  const head = readByte(cursor);
  const least = head & 31;
  const width = head >>> 5;
  if (width > 5) return false;
  const mask = (1 << width) - 1;
  let held = 0;
  let heldBits = 0;
  for (let i = 0; i < symbols; i++) {
    if (heldBits < width) {
      held |= readByte(cursor) << heldBits;
      heldBits += 8;
    }
    const level = least + (held & mask);
    if (level > 31) return false;
    levels[i] = level;
    held >>>= width;
    heldBits -= width;
  }
  return !cursor.isBad;
}

/** Sets the numbers that lie outside the frame. Returns the sum of their magnitudes, or −1. */
function readPatches({ numbers }: DenseLoops, cursor: Cursor, order: number, left: number): number {
  const patchCount = readUvarint(cursor);
  if (cursor.isBad || patchCount > left) return -1;
  let at = 0;
  let sum = 0;
  for (let i = 0; i < patchCount; i++) {
    at += readUvarint(cursor);
    const number = readVarint(cursor);
    if (cursor.isBad || at >= left) return -1;
    sum += Math.abs(number);
    numbers[order + at++] = number;
  }
  return sum;
}
