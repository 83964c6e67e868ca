import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadNativeKernels } from '../native/native-kernels.ts';
import { floatText } from './float-text.ts';
import { createNativeFloatText, type NativeFloatText } from './native-float-text.ts';

const native = await loadNativeKernels();
const twin = native === null ? null : createNativeFloatText(native);

function textOf(value: number, by: NativeFloatText | null): string {
  const target = new Uint8Array(64);
  const end = floatText(value, target, 8, by);
  return Buffer.from(target.subarray(8, end)).toString();
}

/** What the language says, where that has no exponent. */
function expected(value: number): string {
  const abs = Math.abs(value);
  return abs >= 1e-6 && abs < 1e21 ? String(value) : '';
}

const word = fc.integer({ min: 0, max: 0xffffffff });
/** Any bits, of which most are far from 1, and the floats around those of few digits. */
const anyBits = fc
  .tuple(word, word)
  .map(([low, high]) => new Float64Array(Uint32Array.of(low, high).buffer)[0]!);
const nearOne = fc
  .tuple(word, word, fc.integer({ min: 1000, max: 1100 }))
  .map(
    ([low, high, exponent]) =>
      new Float64Array(Uint32Array.of(low, (high & 0x800fffff) | (exponent << 20)).buffer)[0]!,
  );
const quotient = fc
  .tuple(fc.integer(), fc.integer({ min: 1, max: 100_000 }))
  .map(([a, b]) => a / b);
const few = fc.tuple(fc.integer(), fc.integer({ min: -12, max: 12 })).map(([a, e]) => a * 10 ** e);

describe('texts of floats', () => {
  const edges = [
    0,
    -0,
    1,
    -1,
    10,
    1e15,
    1e20,
    1e21,
    1e22,
    1e23,
    1e-6,
    9.9e-7,
    0.1,
    0.3,
    0.1 + 0.2,
    2 ** 53,
    2 ** 60,
    4.35,
    5e-324,
    123456789012345680000,
    0.000001,
    1.7976931348623157e308,
    NaN,
    Infinity,
    -Infinity,
    1 / 3,
    2 / 3,
    100,
    123000,
    9.5367431640625e-7,
  ];

  it('without WebAssembly are those of the language', () => {
    for (const value of edges) expect(textOf(value, null)).toBe(expected(value));
  });

  it.skipIf(twin === null)(
    `by WebAssembly are those of the language, too${twin === null ? ' (skipped: it is not built; npm run build)' : ''}`,
    () => {
      for (const value of edges) expect(textOf(value, twin)).toBe(expected(value));
      for (let e = -20; e < 70; e++) {
        const powerOfTwo = 2 ** e;
        expect(textOf(powerOfTwo, twin)).toBe(expected(powerOfTwo));
        expect(textOf(10 ** e, twin)).toBe(expected(10 ** e));
      }
      const values = fc.oneof(anyBits, nearOne, quotient, few, fc.double());
      fc.assert(
        fc.property(values, (value) => {
          expect(textOf(value, twin)).toBe(expected(value));
        }),
        { numRuns: 20_000 },
      );
    },
  );
});
