import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadNativeKernels } from '../native/native-kernels.ts';
import { createNativeFloatText } from './native-float-text.ts';
import { SAMPLES_TEXT_BYTES, sampleText } from './sample-text.ts';

const native = await loadNativeKernels();
/** The reference, and the twin where it is built. */
const IMPLEMENTATIONS = [null, ...(native === null ? [] : [createNativeFloatText(native)])];

/** Texts of the samples from `from` on, call by call, until a value has none. */
function textOf(timestampsMs: number[], values: number[], from: number): string {
  const texts = IMPLEMENTATIONS.map((implementation) => {
    const samples = {
      timestampsMs: Float64Array.from(timestampsMs),
      values: Float64Array.from(values),
      to: values.length,
    };
    const target = new Uint8Array(SAMPLES_TEXT_BYTES + 3);
    let text = '';
    for (let at = from; at < values.length; ) {
      const written = sampleText({ ...samples, from: at }, target, 3, implementation);
      if (written >>> 16 === 0) break;
      text += Buffer.from(target.subarray(3, 3 + (written & 0xffff))).toString('latin1');
      at += written >>> 16;
    }
    return text;
  });
  for (const text of texts) expect(text).toBe(texts[0]);
  return texts[0]!;
}

const value = fc.oneof(
  // Held over several steps.
  fc.constantFrom(0, 7, 1 / 3, -1e6 / 7, 123456789.125),
  fc.integer(),
  fc.maxSafeInteger(),
  fc.double(),
  fc.double({ min: -1e9, max: 1e9 }),
  fc.tuple(fc.integer(), fc.integer({ min: 0, max: 6 })).map(([a, places]) => a / 10 ** places),
  fc.tuple(fc.integer(), fc.integer({ min: 1, max: 1000 })).map(([a, b]) => a / b),
  fc.tuple(fc.integer(), fc.integer({ min: -8, max: 22 })).map(([a, places]) => a * 10 ** places),
);
const time = fc.oneof(
  // The same in several series.
  fc.constantFrom(-1500, 0, 7, 1435781451050, 1435781466050, 2 ** 48 + 7),
  fc.integer({ min: 0, max: 2_000_000_000 }).map((seconds) => seconds * 1000),
  fc.integer({ min: -(2 ** 48), max: 2 ** 48 }),
);

describe('texts of samples', () => {
  it(`are the same by WebAssembly${native === null ? ' (skipped: it is not built; npm run build)' : ''}, and read as the samples`, () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(time, value), { maxLength: 400 }), fc.nat(3), (list, from) => {
        const times = list.map(([timeMs]) => timeMs);
        const values = list.map(([, each]) => each);
        const read = JSON.parse(`[${textOf(times, values, from)}0]`).slice(0, -1);
        const isPlain = (each: number): boolean =>
          !/e|N|I/.test(String(each)) && !Object.is(each, -0);
        const wanted = values.slice(from);
        const end = wanted.findIndex((each) => !isPlain(each));
        const count = end < 0 ? wanted.length : end;
        expect(read).toEqual(
          wanted
            .slice(0, count)
            .map((each, i) => [Number((times[from + i]! / 1000).toFixed(3)), String(each)]),
        );
      }),
      { numRuns: 500 },
    );
  });

  it('are right where the series before had other times in the same places, and beyond the places that are kept', () => {
    const count = 2500;
    for (const startMs of [0, 1435781451050, 1435781451050, 999, -5000]) {
      const times = Array.from({ length: count }, (_, i) => startMs + i * 15_000);
      const values = times.map((_, i) => Math.floor(i / 3) / 7);
      const read = JSON.parse(`[${textOf(times, values, 0)}0]`).slice(0, -1);
      expect(read).toEqual(
        times.map((timeMs, i) => [Number((timeMs / 1000).toFixed(3)), String(values[i])]),
      );
    }
  });

  it('have three digits of a second or none', () => {
    expect(textOf([1435781451050, 7, 2000, -1500, 0], [1, 2, 3, 4, 0], 0)).toBe(
      '[1435781451.050,"1"],[0.007,"2"],[2,"3"],[-1.500,"4"],[0,"0"],',
    );
  });

  it('are of any number of digits', () => {
    for (let e = 0; e < 21; e++) {
      for (const each of [
        10 ** e,
        10 ** e - 1,
        -(10 ** e) - 1,
        2 ** (3 * e),
        10 ** e / 7,
        10 ** (e - 5),
      ])
        expect(textOf([1000], [each], 0)).toBe(/e/.test(String(each)) ? '' : `[1,"${each}"],`);
    }
    expect(textOf([1000, 1000], [99999999.5, 123456789012345.6], 0)).toBe(
      '[1,"99999999.5"],[1,"123456789012345.6"],',
    );
  });
});
