import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Fnv64, fnv1a64, hashableBytes } from './hash.ts';
import { Labels } from './labels.ts';

const name = fc.constantFrom('', 'a', 'ab', 'b', 'job', 'instance', 'ü', '漢');
const text = fc.oneof(fc.string({ unit: 'grapheme' }), name);
const labels = fc.array(fc.tuple(name, text)).map((pairs) => Labels.from(pairs));

it('the hash that is fed with texts is that of their bytes', () => {
  fc.assert(
    fc.property(labels, (all) => {
      const expected = fnv1a64(hashableBytes(all)).toString(16).padStart(16, '0');
      expect(new Fnv64().labels(all).toString()).toBe(expected);
    }),
  );
});
