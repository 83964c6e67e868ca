import { SeededRandom } from '@pollux/base';
import { createHashKey } from '@pollux/index';
import { Labels } from '@pollux/model';
import type { TagCondition } from '@pollux/storage';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Catalogue } from './catalogue.ts';
import { SeriesNames } from './series-names.ts';

const HASH_KEY = createHashKey(new SeededRandom(7));
const names = ['a', 'b', 'c'];
const values = ['', 'x', 'y', 'z', 'xy'];
const tags = fc
  .array(fc.constantFrom(...values), { minLength: 3, maxLength: 3 })
  .map((picked) => Labels.from(names.map((name, i) => [name, picked[i]!] as const)));
const series = fc.array(fc.tuple(fc.constantFrom('m', 'n'), tags), { maxLength: 300, size: 'max' });
const condition: fc.Arbitrary<TagCondition> = fc.oneof(
  fc
    .tuple(fc.constantFrom(...names, 'unknown'), fc.constantFrom(...values, 'nowhere'))
    .map(([tag, equals]) => ({ tag, equals, matches: (value: string) => value === equals })),
  fc
    .tuple(fc.constantFrom(...names, 'unknown'), fc.subarray([...values, 'nowhere']))
    .map(([tag, passing]) => ({
      tag,
      equals: null,
      matches: (value: string) => passing.includes(value),
    })),
);

describe('the names of series', () => {
  it('are one number each, whatever came before, also when the same come again in another order', () => {
    fc.assert(
      fc.property(series, fc.array(fc.nat(), { maxLength: 300 }), (added, again) => {
        const index = new SeriesNames(HASH_KEY);
        const known = new Map<string, number>();
        const order = [...added, ...again.map((at) => added[at % Math.max(1, added.length)])];
        for (const one of order) {
          if (one === undefined) continue;
          const [measurement, labels] = one;
          const key = measurement + labels.key();
          const ref = known.get(key) ?? known.size;
          known.set(key, ref);
          expect(index.series(measurement, labels)).toBe(ref);
          expect(index.tagsOf(ref).equals(labels)).toBe(true);
          expect(index.text(index.measurementOf(ref))).toBe(measurement);
          const symbols = Uint32Array.from(index.symbolsOf(ref));
          expect(index.seriesOfSymbols(symbols, labels.size)).toBe(ref);
        }
        expect(index.count).toBe(known.size);
      }),
      { numRuns: 30 },
    );
  });

  it('are selected by conditions as if each were looked at', () => {
    fc.assert(
      fc.property(series, fc.array(condition, { maxLength: 3 }), (added, conditions) => {
        const index = new SeriesNames(HASH_KEY);
        for (const [measurement, labels] of added) index.series(measurement, labels);
        const expected: number[] = [];
        for (let ref = 0; ref < index.count; ref++) {
          if (index.text(index.measurementOf(ref)) !== 'm') continue;
          const labels = index.tagsOf(ref);
          if (conditions.every(({ tag, matches }) => matches(labels.get(tag)))) expected.push(ref);
        }
        expect([...index.select('m', conditions)]).toEqual(expected);
        for (const tag of [...names, 'unknown']) {
          const values = new Set(expected.map((ref) => index.tagsOf(ref).get(tag)));
          values.delete('');
          expect(index.valuesOf(Uint32Array.from(expected), tag).sort()).toEqual(
            [...values].sort(),
          );
        }
        expect(index.select('other', conditions)).toHaveLength(0);
      }),
      { numRuns: 200 },
    );
  });
});

describe('the catalogue', () => {
  it('shows measurements, fields and tags of series with data only', () => {
    const catalogue = new Catalogue(HASH_KEY);
    const columnOf = (tagName: string, field: string, kind: 'float' | 'string'): number => {
      const ref = catalogue.series('m', Labels.from({ [tagName]: 'v' }));
      const symbol = catalogue.names.symbol(field);
      catalogue.fieldKind(ref, symbol, kind);
      return catalogue.column(ref, catalogue.columnClass(symbol, kind, 0));
    };
    const first = columnOf('a', 'f', 'float');
    const second = columnOf('b', 'g', 'string');
    const third = columnOf('b', 'f', 'float');
    expect([catalogue.measurements(), catalogue.hasMeasurement('m')]).toEqual([[], false]);
    for (const column of [first, second, third]) catalogue.setHasData(column, true);
    expect([...catalogue.fieldsOf('m')]).toEqual([
      ['f', 'float'],
      ['g', 'string'],
    ]);
    expect([...catalogue.tagNames('m')]).toEqual(['a', 'b']);
    catalogue.setHasData(first, false);
    catalogue.setHasData(second, false);
    catalogue.forgetEmptyFields();
    expect([...catalogue.fieldsOf('m').keys()]).toEqual(['f']);
    expect([...catalogue.tagNames('m')]).toEqual(['b']);
    expect([...catalogue.select('m')]).toEqual([catalogue.seriesOf(third)]);
    expect(catalogue.fieldKind(0, catalogue.names.symbol('g'), 'float')).toBe('float');
    catalogue.setHasData(third, false);
    expect([catalogue.measurements(), catalogue.hasMeasurement('m')]).toEqual([[], false]);
  });
});
