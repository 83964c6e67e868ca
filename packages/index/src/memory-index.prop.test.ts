import { SeededRandom } from '@pollux/base';
import { Labels, Matcher, matchesAll } from '@pollux/model';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { createHashKey } from './hash-bytes.ts';
import { type LabelIndex, matchPostings } from './label-index.ts';
import { LabelPostings } from './label-postings.ts';
import { MemoryIndex } from './memory-index.ts';
import { Symbols } from './symbols.ts';

const values = ['', 'a', 'b', 'ab', 'c', 'd', 'e', 'f'];
const labels = fc
  .tuple(...['x', 'y', 'z'].map((name) => fc.tuple(fc.constant(name), fc.constantFrom(...values))))
  .map((pairs) => Labels.from(pairs.filter(([, value]) => value !== '')));
const matcher = fc
  .tuple(
    fc.constantFrom('x', 'y', 'z', 'other'),
    fc.constantFrom('=', '!=', '=~', '!~' as const),
    fc.constantFrom('', 'a', 'ab', 'nowhere', 'a|b', 'a|', '.+', '.*', 'a.*', '[^a]'),
  )
  .map(([name, operator, value]) => new Matcher(name, operator as '=', value));

function indexOf(sets: readonly Labels[]): MemoryIndex {
  const symbols = new Symbols(createHashKey(new SeededRandom(7)));
  const postings = new LabelPostings({ keepsAll: true });
  for (const [ref, set] of sets.entries()) {
    const words = [...set].flat().map((text) => symbols.idOf(text));
    postings.add(ref, Uint32Array.from(words), 0, words.length);
  }
  return new MemoryIndex({
    symbols,
    postings,
    valueOf: (ref, name) => symbols.find(sets[ref]!.get(symbols.text(name))),
  });
}

it('series in memory are chosen as if each were looked at, by their own values and by postings alone', () => {
  fc.assert(
    fc.property(
      fc.array(labels, { maxLength: 60 }),
      fc.array(matcher, { maxLength: 4 }),
      (sets, matchers) => {
        const index = indexOf(sets);
        const byPostings: LabelIndex = {
          all: () => index.all(),
          postings: (name, value) => index.postings(name, value),
          postingsWhere: (name, passes) => index.postingsWhere(name, passes),
        };
        const expected = sets.flatMap((set, ref) => (matchesAll(matchers, set) ? [ref] : []));
        expect([...matchPostings(byPostings, matchers)]).toEqual(expected);
        const found = matchPostings(index, matchers);
        expect([...found]).toEqual(expected);
        // The list is the caller's own.
        found.fill(77);
        expect([...matchPostings(index, matchers)]).toEqual(expected);
        const named = new Set(expected.map((ref) => sets[ref]!.get('x')));
        named.delete('');
        expect(index.valuesOf(expected, 'x').sort()).toEqual([...named].sort());
      },
    ),
    { numRuns: 400 },
  );
});
