import { SeededRandom, Slices, VirtualClock } from '@pollux/base';
import { createHashKey } from '@pollux/index';
import { Labels } from '@pollux/model';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { HeadSeriesWalk } from './head-series-walk.ts';
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
        // References of those that are gone are left out.
        const all = Uint32Array.from(sets, (_, i) => i + 1);
        for (const walk of [new HeadSeriesWalk(table, refs), new HeadSeriesWalk(table, all)]) {
          const walked: number[] = [];
          for (; walk.labels !== null; walk.advance()) walked.push(walk.ref);
          expect(walked).toEqual(expected);
        }
      },
    ),
  );
});

it('a walk that is sorted in slices goes over what is left when series leave meanwhile', async () => {
  const table = new SeriesTable(createHashKey(new SeededRandom(7)));
  const refs: number[] = [];
  for (let i = 0; i < 9_000; i++) {
    const symbols = Uint32Array.from(['id', `v${(i * 7_919) % 9_000}`], (part) =>
      table.symbols.idOf(part),
    );
    table.slotOfSymbols(symbols, symbols.length);
    refs.push(i + 1);
  }
  const walk = new HeadSeriesWalk(table, Uint32Array.from(refs));
  let pauses = 0;
  const slices = new Slices(new VirtualClock());
  Object.defineProperty(slices, 'isOver', { get: () => true });
  slices.pause = async () => {
    if (++pauses % 2 === 0) table.remove(table.slotOf(refs[pauses * 3]!));
  };
  await walk.prepare(slices);
  expect(pauses).toBeGreaterThan(5);
  const left = refs.filter((ref) => table.slotOf(ref) >= 0);
  expect(left.length).toBeLessThan(refs.length);
  const labelsOf = (ref: number): Labels => table.labelsOf(table.slotOf(ref));
  const walked: number[] = [];
  for (; walk.labels !== null; walk.advance()) walked.push(walk.ref);
  left.sort((a, b) => labelsOf(a).compare(labelsOf(b)));
  expect(walked).toEqual(left);
  // Now with some that were gone before, and none that leaves.
  slices.pause = async () => {};
  const later = new HeadSeriesWalk(table, Uint32Array.from(refs));
  await later.prepare(slices);
  const again: number[] = [];
  for (; later.labels !== null; later.advance()) again.push(later.ref);
  expect(again).toEqual(left);
});
