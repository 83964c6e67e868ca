import type { NativeKernels } from '../native/native-kernels.ts';
import { DENSE_MAX_SAMPLES, MAX_SYMBOLS } from './dense-format.ts';
import { type DenseLoops, LOOPS_SPARE } from './dense-loops.ts';

/** The loops in WebAssembly. Its memory never grows, so the views stay valid. */
export function createNativeLoops(native: NativeKernels): DenseLoops {
  const { buffer } = native.memory;
  const size = DENSE_MAX_SAMPLES + LOOPS_SPARE;
  const lowAt = native.lowAt();
  const highAt = native.highAt();
  const numbersAt = native.numbersAt();
  return {
    input: new Uint8Array(buffer, native.inputAt(), size * 4),
    inputHalves: new Uint16Array(buffer, native.inputAt(), size * 2),
    low: new Uint32Array(buffer, lowAt, size),
    high: new Uint32Array(buffer, highAt, size),
    numbers: new Float64Array(buffer, numbersAt, size),
    numberWords: new Uint32Array(buffer, numbersAt, size * 2),
    lengths: new Uint32Array(DENSE_MAX_SAMPLES),
    levels: new Uint8Array(MAX_SYMBOLS),
    frequencies: new Uint32Array(buffer, native.frequenciesAt(), MAX_SYMBOLS),
    unpack: (half, count, width) => native.unpack(half === 'low' ? lowAt : highAt, count, width),
    fillSlots: (symbols) => native.fillSlots(symbols),
    range: (even, odd, wordCount, count) => native.range(even, odd, wordCount, count) !== 0,
    join: (from, count, base, factor, highScale) =>
      native.join(from, count, base, factor, highScale),
    line: (count, first, step) => native.line(count, first, step),
    sum: (from, to) => native.sum(from, to),
    divide: (count, divisor) => native.divide(count, divisor),
  };
}
