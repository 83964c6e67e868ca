import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LabelPostings } from './label-postings.ts';
import { RefLists } from './ref-lists.ts';

describe('lists of references', () => {
  it('are what was put into them, ascending, whatever the order and the length', () => {
    const insert = fc.record({ list: fc.nat(2), ref: fc.nat(100_000) });
    fc.assert(
      fc.property(fc.array(insert, { maxLength: 4_000, size: 'max' }), (inserts) => {
        const lists = new RefLists(1);
        const model = new Map<number, Set<number>>();
        for (const { list, ref } of inserts) {
          const refs = model.get(list) ?? new Set();
          model.set(list, refs);
          if (!refs.has(ref)) lists.insert(list, ref);
          refs.add(ref);
        }
        for (const [list, refs] of model) {
          expect([...lists.view(list)]).toEqual([...refs].sort((a, b) => a - b));
          expect(lists.count(list)).toBe(refs.size);
        }
      }),
    );
  });

  it('stay whole while many of them grow past a slab and into arrays of their own', () => {
    const lists = new RefLists(4);
    const sizes = [1, 2, 3, 4, 5, 63, 64, 65, 1_023, 1_024, 1_025, 1_026, 60_000, 100_000];
    // Round after round, so that the lists are moved past each other.
    for (let i = 0; i < 100_000; i++) {
      for (const [list, size] of sizes.entries()) if (i < size) lists.insert(list, i * 2);
    }
    for (const [list, size] of sizes.entries()) {
      const view = lists.view(list);
      expect(view.length).toBe(size);
      expect(view.every((ref, i) => ref === i * 2)).toBe(true);
    }
    for (const list of sizes.keys()) lists.insert(list, 1);
    for (const [list, size] of sizes.entries()) {
      const view = lists.view(list);
      expect([...view.subarray(0, 2)]).toEqual([0, 1]);
      expect(view.length).toBe(size + 1);
      expect(view[size]).toBe(size === 1 ? 1 : (size - 1) * 2);
    }
  });
});

describe('postings of the head', () => {
  it('name the series of each pair, value and name, as a naive model does', () => {
    const pair = fc.tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 7, max: 40 }));
    const labels = fc.uniqueArray(pair, { selector: ([name]) => name, maxLength: 6 });
    fc.assert(
      fc.property(fc.array(labels, { maxLength: 80 }), fc.boolean(), (series, isReversed) => {
        const postings = new LabelPostings({ keepsAll: true });
        const refs = series.map((_, i) => i + 1);
        if (isReversed) refs.reverse();
        for (const [i, pairs] of series.entries()) {
          const words = Uint32Array.from([9, 9, ...pairs.flat(), 9]);
          postings.add(refs[i]!, words, 2, words.length - 1);
        }
        const withPair = (name: number, value: number | null): number[] =>
          refs
            .filter((_, i) =>
              series[i]!.some((pair) => pair[0] === name && (value ?? pair[1]) === pair[1]),
            )
            .sort((a, b) => a - b);
        expect([...postings.all()]).toEqual([...refs].sort((a, b) => a - b));
        for (let name = 1; name <= 6; name++) {
          const values = new Set<number>();
          for (let value = 7; value <= 40; value++) {
            const expected = withPair(name, value);
            expect([...postings.get(name, value)]).toEqual(expected);
            if (expected.length > 0) values.add(value);
          }
          expect(postings.valueCount(name)).toBe(values.size);
          const visited = new Set<number>();
          postings.forEachValue(name, (value, refs) => {
            visited.add(value);
            expect([...refs()]).toEqual(withPair(name, value));
          });
          expect(visited).toEqual(values);
          expect([...postings.names()].includes(name)).toBe(values.size > 0);
        }
        let pairs = 0;
        postings.forEachPair((name, value, count) => {
          pairs++;
          expect(count).toBe(withPair(name, value).length);
        });
        expect(pairs).toBe(postings.pairCount);
      }),
    );
  });
});
