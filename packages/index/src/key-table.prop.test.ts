import { SeededRandom } from '@pollux/base';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createHashKey } from './hash-bytes.ts';
import { KeyTable } from './key-table.ts';

const word = fc.oneof(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 0xffffffff }));
const key = fc.array(word, { minLength: 1, maxLength: 6 });

describe('keys of rows', () => {
  it('tell rows apart by all numbers and the length', () => {
    fc.assert(
      fc.property(fc.array(key, { maxLength: 500 }), (keys) => {
        const table = new KeyTable(createHashKey(new SeededRandom(7)));
        const known = new Map<string, number>();
        for (const words of keys) {
          const text = words.join();
          const row = known.get(text) ?? known.size;
          // What stands behind the length does not count.
          const given = Uint32Array.from([...words, 9]);
          expect(table.rowOf(given, words.length, known.size)).toBe(row);
          known.set(text, row);
        }
        for (const [text, row] of known) {
          const words = [...table.keyOf(row)];
          expect(words.join()).toBe(text);
          expect(words.map((_, i) => table.itemOf(row, i))).toEqual(words);
          expect(table.sizeOf(row)).toBe(words.length);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('may be longer than a slab, and fill many', () => {
    const table = new KeyTable(createHashKey(new SeededRandom(7)));
    const long = new Uint32Array(100_000).map((_, i) => i);
    const short = (i: number): Uint32Array => Uint32Array.of(1, i, i * 2, 0, 0, 0, i);
    for (let i = 0; i < 20_000; i++) expect(table.rowOf(short(i), 7, i)).toBe(i);
    expect(table.rowOf(long, long.length, 20_000)).toBe(20_000);
    expect(table.rowOf(short(20_000), 7, 20_001)).toBe(20_001);
    expect(table.rowOf(long, long.length, 20_002)).toBe(20_000);
    expect(table.keyOf(20_000)).toEqual(long);
    for (const [i, size] of [254, 255, 256].entries()) {
      expect(table.rowOf(long, size, 20_002 + i)).toBe(20_002 + i);
      expect(table.keyOf(20_002 + i)).toEqual(long.subarray(0, size));
    }
    table.remove(20_003);
    expect(table.rowOf(short(0), 7, 20_005)).toBe(0);
    expect(table.rowOf(long, 200, 20_003)).toBe(20_003);
    expect(table.keyOf(20_003)).toEqual(long.subarray(0, 200));
    expect(table.rowOf(long, 255, 20_005)).toBe(20_005);
    expect([...table.keyOf(19_999)]).toEqual([...short(19_999)]);
  });
});
