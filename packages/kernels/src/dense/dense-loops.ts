import { DENSE_MAX_SAMPLES, MAX_SYMBOLS, RANGE_SLOTS } from './dense-format.ts';
import { fillSlots } from './frequencies.ts';
import { unpackLanes } from './lanes.ts';
import { decodeRange } from './range-decode.ts';

/**
 * The hot loops of decoding, on memory of their own: the caller has checked every length and bound, copies packed bytes in
 * and takes numbers out. The twin in WebAssembly has the same face and gives the same bits.
 */
export type DenseLoops = {
  /** Packed lanes or a range coder's words go here. */
  readonly input: Uint8Array;
  readonly inputHalves: Uint16Array;
  readonly low: Uint32Array;
  readonly high: Uint32Array;
  readonly numbers: Float64Array;
  /** The bytes of `numbers`. */
  readonly numberWords: Uint32Array;
  readonly lengths: Uint32Array;
  readonly levels: Uint8Array;
  readonly frequencies: Uint32Array;
  /** Unpacks `input` into `low` or `high`; up to three elements more are written. */
  unpack(half: 'low' | 'high', count: number, width: number): void;
  /** Makes the range decoder's table of `frequencies[0, symbols)`, which add up to RANGE_SLOTS. */
  fillSlots(symbols: number): void;
  /** Decodes `inputHalves[0, wordCount)` into `high`; false when they are damaged. */
  range(even: number, odd: number, wordCount: number, count: number): boolean;
  /** numbers[from + i] = base + factor × (high[i] × highScale + low[i]); a `highScale` of 0 leaves `high` out. */
  join(from: number, count: number, base: number, factor: number, highScale: number): void;
  /** numbers[i] = first + i × step. */
  line(count: number, first: number, step: number): void;
  /** Each of numbers[from, to) becomes the sum of itself and those before it from `from` on. */
  sum(from: number, to: number): void;
  /** numbers[i] becomes numbers[i] / divisor. */
  divide(count: number, divisor: number): void;
};

/** Elements behind the last that whole vectors may touch. */
export const LOOPS_SPARE = 16;

export function createReferenceLoops(): DenseLoops {
  const size = DENSE_MAX_SAMPLES + LOOPS_SPARE;
  const input = new Uint32Array(size);
  const inputHalves = new Uint16Array(input.buffer);
  const low = new Uint32Array(size);
  const high = new Uint32Array(size);
  const numbers = new Float64Array(size);
  const frequencies = new Uint32Array(MAX_SYMBOLS);
  const slots = new Uint32Array(RANGE_SLOTS);
  return {
    input: new Uint8Array(input.buffer),
    inputHalves,
    low,
    high,
    numbers,
    numberWords: new Uint32Array(numbers.buffer),
    lengths: new Uint32Array(DENSE_MAX_SAMPLES),
    levels: new Uint8Array(MAX_SYMBOLS),
    frequencies,
    unpack: (half, count, width) => unpackLanes(input, count, width, half === 'low' ? low : high),
    fillSlots: (symbols) => fillSlots(frequencies, symbols, slots),
    range: (even, odd, wordCount, count) =>
      decodeRange({ even, odd, words: inputHalves, wordCount }, slots, high, count),
    join: (from, count, base, factor, highScale) =>
      joinUnits({ low, high, numbers: numbers.subarray(from) }, count, base, factor, highScale),
    line: (count, first, step) => fillLine(numbers, count, first, step),
    sum: (from, to) => sumUp(numbers, from, to),
    divide: (count, divisor) => divideBy(numbers, count, divisor),
  };
}

function joinUnits(
  arrays: { readonly low: Uint32Array; readonly high: Uint32Array; readonly numbers: Float64Array },
  count: number,
  base: number,
  factor: number,
  highScale: number,
): void {
  const { low, high, numbers } = arrays;
  if (highScale === 0) {
    for (let i = 0; i < count; i++) numbers[i] = base + factor * low[i]!;
    return;
  }
  for (let i = 0; i < count; i++) numbers[i] = base + factor * (high[i]! * highScale + low[i]!);
}

function fillLine(numbers: Float64Array, count: number, first: number, step: number): void {
  for (let i = 0; i < count; i++) numbers[i] = first + i * step;
}

function sumUp(numbers: Float64Array, from: number, to: number): void {
  let sum = 0;
  for (let i = from; i < to; i++) {
    sum += numbers[i]!;
    numbers[i] = sum;
  }
}

function divideBy(numbers: Float64Array, count: number, divisor: number): void {
  for (let i = 0; i < count; i++) numbers[i] = numbers[i]! / divisor;
}
