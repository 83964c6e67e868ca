import { MAX_SYMBOLS, RANGE_BITS, RANGE_SLOTS } from './dense-format.ts';

/**
 * Frequencies travel as levels of five bits, four to each doubling: an error of up to a tenth costs next to nothing in the
 * coded stream, and a level costs a few bits. Encoder and decoder make the same frequencies of the same levels.
 *
 *     level   0 1 2 3 4 5 6 7 8  9  10 11 12 …  31
 *     weight  0 1 2 3 4 5 6 7 8 10 12 14 16 … 448
 */
export const MAX_LEVEL = 31;
const MAX_WEIGHT = 448;
/** One more place in the symbol. */
const SLOT_STEP = 1 << 20;

export function weightOfLevel(level: number): number {
  return level < 4 ? level : (4 + (level & 3)) << ((level >>> 2) - 1);
}

/** Levels of `counts[0, symbols)`, of which at least one is above zero. */
export function levelsOfCounts(counts: Uint32Array, symbols: number, levels: Uint8Array): void {
  let most = 1;
  for (let i = 0; i < symbols; i++) if (counts[i]! > most) most = counts[i]!;
  for (let i = 0; i < symbols; i++) {
    const count = counts[i]!;
    levels[i] = count === 0 ? 0 : levelOfWeight(Math.max(1, (count * MAX_WEIGHT) / most));
  }
}

function levelOfWeight(weight: number): number {
  if (weight < 7.5) return Math.round(weight);
  const exponent = 31 - Math.clz32(weight);
  const quarter = Math.round(weight / 2 ** (exponent - 2)) - 4;
  // Rounding up may reach the next doubling, which is the next level all the same.
  return Math.min(MAX_LEVEL, (exponent - 1) * 4 + quarter);
}

/**
 * Frequencies that add up to {@link RANGE_SLOTS}, at least 1 for each level above zero. False when all levels are zero.
 */
export function frequenciesOfLevels(
  levels: Uint8Array,
  symbols: number,
  frequencies: Uint32Array,
): boolean {
  let total = 0;
  for (let i = 0; i < symbols; i++) total += weightOfLevel(levels[i]!);
  if (total === 0 || symbols > MAX_SYMBOLS) return false;
  let left = RANGE_SLOTS;
  let largest = 0;
  for (let i = 0; i < symbols; i++) {
    const weight = weightOfLevel(levels[i]!);
    const share = Math.floor((weight << RANGE_BITS) / total);
    const frequency = weight === 0 ? 0 : Math.max(1, share);
    frequencies[i] = frequency;
    left -= frequency;
    if (frequency > frequencies[largest]!) largest = i;
  }
  if (left > 0) frequencies[largest] = frequencies[largest]! + left;
  // There are fewer symbols than slots, so this ends.
  for (let i = 0; left < 0; i = (i + 1) % symbols) {
    if (frequencies[i]! <= 1) continue;
    frequencies[i] = frequencies[i]! - 1;
    left++;
  }
  return true;
}

/** First slot of each symbol. */
export function startsOfFrequencies(
  frequencies: Uint32Array,
  symbols: number,
  starts: Uint32Array,
): void {
  let at = 0;
  for (let symbol = 0; symbol < symbols; symbol++) {
    starts[symbol] = at;
    at += frequencies[symbol]!;
  }
}

/** Fills `slots`, for each slot: its symbol (8 bits), the symbol's frequency (12), its place in the symbol (12). */
export function fillSlots(frequencies: Uint32Array, symbols: number, slots: Uint32Array): void {
  let at = 0;
  for (let symbol = 0; symbol < symbols; symbol++) {
    const frequency = frequencies[symbol]!;
    const end = at + frequency;
    for (let entry = symbol | (frequency << 8); at < end; entry += SLOT_STEP) slots[at++] = entry;
  }
}
