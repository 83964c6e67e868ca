import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HashIndex } from './hash-index.ts';

function allWith(index: HashIndex, hash: number): number[] {
  const found: number[] = [];
  for (let id = index.first(hash); id >= 0; id = index.next(hash)) found.push(id);
  return found.sort((a, b) => a - b);
}

describe('numbers by hash', () => {
  it('are those that were added and not removed, through growth and with equal hashes', () => {
    // Few hashes, some of which fall into one part, at one place of it, or at its end.
    const hash = fc.constantFrom(0, 1, 16, 17, 0x3ffffff, 0x4000000, -1, -2, -0x80000000, 12345);
    const step = fc.record({ hash, removes: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const index = new HashIndex();
        const model = new Map<number, number[]>();
        for (const [id, { hash, removes }] of steps.entries()) {
          const ids = model.get(hash) ?? [];
          model.set(hash, ids);
          if (removes && ids.length > 0) index.remove(hash, ids.shift()!);
          else {
            index.add(hash, id);
            ids.push(id);
          }
        }
        for (const [hash, ids] of model) expect(allWith(index, hash)).toEqual(ids);
      }),
    );
  });

  it('are found each among many, and nothing else is', () => {
    const index = new HashIndex(100);
    const count = 50_000;
    const hashOf = (id: number): number => Math.imul(id, 0x9e3779b1);
    for (let id = 0; id < count; id++) index.add(hashOf(id), id);
    for (let id = 0; id < count; id += 2) index.remove(hashOf(id), id);
    for (let id = 0; id < count + 1000; id++) {
      expect(index.first(hashOf(id))).toBe(id % 2 === 1 && id < count ? id : -1);
    }
  });

  it('do not fill up with marks of what came and went', () => {
    const index = new HashIndex();
    // All in one part: without dropping the marks the search for an absent number would not end.
    for (let id = 0; id < 10_000; id++) {
      index.add(id, id);
      index.remove(id, id);
    }
    expect(index.first(10_000)).toBe(-1);
  });
});
