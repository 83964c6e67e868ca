import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { NumberMap } from './number-map.ts';

it('numbers by number are found where they were put, until they are taken away', () => {
  // Neighbours, both ends of a page, and pages far apart.
  const key = fc.constantFrom(0, 1, 1_023, 1_024, 1_025, 70_000, 0x100000, 0xfffffffe);
  const step = fc.record({ key, value: fc.integer({ min: 0, max: 0xffffffff }) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const map = new NumberMap();
      const model = new Map<number, number>();
      for (const { key, value } of steps) {
        if (value === 0) {
          map.delete(key);
          model.delete(key);
        } else {
          map.set(key, value);
          model.set(key, value);
        }
        for (const near of [key - 1, key, key + 1]) {
          if (near >= 0) expect(map.get(near)).toBe(model.get(near) ?? 0);
        }
      }
      expect([...map.values()].sort()).toEqual([...model.values()].sort());
      map.clear();
      for (const known of model.keys()) expect(map.get(known)).toBe(0);
    }),
  );
});
