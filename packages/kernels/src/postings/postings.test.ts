import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  intersectPostings,
  mergePostings,
  seekPostings,
  subtractPostings,
  unitePostings,
} from './postings.ts';

/** Short and long lists, so that both the walking and the skipping intersection run. */
const list = fc
  .tuple(fc.constantFrom(3, 40, 2000), fc.constantFrom(50, 5000, 2 ** 32 - 1))
  .chain(([maxLength, max]) => fc.uniqueArray(fc.nat(max), { maxLength, size: 'max' }))
  .map((numbers) => Uint32Array.from(numbers).sort());

function ascending(numbers: Iterable<number>): number[] {
  return [...numbers].sort((a, b) => a - b);
}

describe('postings', () => {
  it('intersect as sets do', () => {
    fc.assert(
      fc.property(list, list, (a, b) => {
        const target = new Uint32Array(Math.min(a.length, b.length));
        const count = intersectPostings(a, b, target);
        const other = new Set(b);
        expect([...target.subarray(0, count)]).toEqual([...a].filter((ref) => other.has(ref)));
      }),
    );
  });

  it('unite as sets do', () => {
    fc.assert(
      fc.property(list, list, (a, b) => {
        const target = new Uint32Array(a.length + b.length);
        const count = unitePostings(a, b, target);
        expect([...target.subarray(0, count)]).toEqual(ascending(new Set([...a, ...b])));
      }),
    );
  });

  it('subtract as sets do', () => {
    fc.assert(
      fc.property(list, list, (a, b) => {
        const target = new Uint32Array(a.length);
        const count = subtractPostings(a, b, target);
        const other = new Set(b);
        expect([...target.subarray(0, count)]).toEqual([...a].filter((ref) => !other.has(ref)));
      }),
    );
  });

  it('merge any number of lists', () => {
    fc.assert(
      fc.property(fc.array(list, { maxLength: 9 }), (lists) => {
        const all = new Set(lists.flatMap((refs) => [...refs]));
        expect([...mergePostings(lists)]).toEqual(ascending(all));
      }),
    );
  });

  it('are searched from any place on', () => {
    fc.assert(
      fc.property(list, fc.nat(2 ** 32 - 1), fc.nat(2000), (refs, wanted, from) => {
        const expected = refs.findIndex((ref, index) => index >= from && ref >= wanted);
        const end = Math.max(from, refs.length);
        expect(seekPostings(refs, wanted, from)).toBe(expected < 0 ? end : expected);
      }),
    );
  });
});
