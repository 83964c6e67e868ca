import { SeededRandom } from '@pollux/base';
import { createHashKey } from '@pollux/index';
import { Labels } from '@pollux/model';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { sortByLabels } from './label-order.ts';
import { SeriesTable } from './series-table.ts';

const text = fc.constantFrom('a', 'b', 'ab', 'é', 'z', '\u{1f600}', '￿');

it('references are sorted by labels, as the labels compare, few or many of them', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.dictionary(text, text, { maxKeys: 5 }), {
        selector: (pairs) => Labels.from(pairs).key(),
        maxLength: 150,
        size: 'max',
      }),
      fc.array(fc.nat(200), { maxLength: 20 }),
      (sets, removed) => {
        const table = new SeriesTable(createHashKey(new SeededRandom(7)));
        const symbolsOf = (labels: Labels): Uint32Array =>
          Uint32Array.from([...labels].flat(), (part) => table.symbols.idOf(part));
        for (const pairs of sets) {
          const symbols = symbolsOf(Labels.from(pairs));
          table.slotOfSymbols(symbols, symbols.length);
        }
        for (const ref of removed) if (table.slotOf(ref) >= 0) table.remove(table.slotOf(ref));
        const refs = Uint32Array.from(sets, (_, i) => i + 1).filter(
          (ref) => table.slotOf(ref) >= 0,
        );
        const labelsOf = (ref: number): Labels => table.labelsOf(table.slotOf(ref));
        const expected = [...refs].sort((a, b) => labelsOf(a).compare(labelsOf(b)));
        expect([...sortByLabels(table, refs)]).toEqual(expected);
      },
    ),
  );
});
