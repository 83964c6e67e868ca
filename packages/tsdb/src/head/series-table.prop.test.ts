import { ByteReader, SeededRandom, VirtualClock } from '@pollux/base';
import { createHashKey } from '@pollux/index';
import { Labels } from '@pollux/model';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeSeries, encodeSeries, recordBytes } from '../format/wal-record.ts';
import { Slices } from '../slices.ts';
import { LabelBytes } from './label-bytes.ts';
import { SeriesRecords } from './series-records.ts';
import { SeriesTable } from './series-table.ts';

const label = fc.constantFrom('a', 'b', 'B', 'é', 'job');
const value = fc.oneof(
  fc.constantFrom('1', '2', 'ü', '\u{1f600}', 'l'.repeat(200)),
  fc.string({ minLength: 1, maxLength: 4, unit: 'grapheme' }),
);
const labelSet = fc
  .dictionary(label, value, { maxKeys: 4 })
  .map((labels) => Labels.from({ ...labels, __name__: 'm' }));

function create(table: SeriesTable, labels: Labels): number {
  expect(table.find(labels)).toBe(-1);
  const bytes = new LabelBytes();
  bytes.set(labels);
  return table.createUtf8(bytes.data, bytes.spans, labels.size);
}

describe('the table of series', () => {
  it('finds each series by its labels, by reference and by postings, whatever came and went', async () => {
    const step = fc.record({ labels: labelSet, removes: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 80 }), fc.nat(80), async (steps, rebuildAt) => {
        const table = new SeriesTable(createHashKey(new SeededRandom(7)));
        const model = new Map<string, { labels: Labels; ref: number }>();
        for (const [i, { labels, removes }] of steps.entries()) {
          const known = model.get(labels.key());
          if (known === undefined) {
            const slot = create(table, labels);
            table.index(slot);
            model.set(labels.key(), { labels, ref: table.refs[slot]! });
          } else if (removes) {
            table.remove(table.slotOf(known.ref));
            model.delete(labels.key());
          }
          if (i === rebuildAt) {
            const slices = new Slices(new VirtualClock(0), new AbortController().signal);
            await table.rebuildPostings(slices);
          }
        }
        expect(table.count).toBe(model.size);
        const live = [...model.values()];
        for (const { labels, ref } of live) {
          const slot = table.slotOf(ref);
          expect(table.find(labels)).toBe(slot);
          expect(table.labelsOf(slot).equals(labels)).toBe(true);
          for (const [name, value] of labels) {
            const pair = [table.symbols.find(name), table.symbols.find(value)] as const;
            const found = [...table.postings.get(...pair)].filter((ref) => table.slotOf(ref) >= 0);
            const expected = live.filter(({ labels }) => labels.get(name) === value);
            expect(found).toEqual(expected.map(({ ref }) => ref).sort((a, b) => a - b));
            expect(table.valueOf(slot, pair[0])).toBe(pair[1]);
          }
          for (const other of live) {
            const order = Math.sign(table.compare(slot, table.slotOf(other.ref)));
            expect(order).toBe(Math.sign(labels.compare(other.labels)));
          }
        }
      }),
    );
  });

  it('writes records of series as their labels would be written, each once', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(labelSet, { selector: (labels) => labels.key(), minLength: 1 }),
        (sets) => {
          const table = new SeriesTable(createHashKey(new SeededRandom(7)));
          table.reserveRef(2 ** 31 + 5);
          const series = sets.map((labels) => {
            const slot = create(table, labels);
            return { slot, ref: table.refs[slot]!, labels };
          });
          const records = new SeriesRecords(table);
          const write = (isWritten: boolean): Uint8Array => {
            records.begin();
            for (const { slot } of [...series, ...series]) records.add(slot);
            const record = records.record().slice();
            records.settle(isWritten);
            return record;
          };
          const expected = recordBytes((target) => encodeSeries(target, series));
          // What the log did not take is written the next time; what it took is not.
          expect(write(false)).toEqual(expected);
          expect(write(true)).toEqual(expected);
          expect(write(true).length).toBe(1);
          const reader = new ByteReader(expected);
          reader.skip(1);
          expect(decodeSeries(reader).map(({ ref }) => ref)).toEqual(series.map(({ ref }) => ref));
        },
      ),
    );
  });
});
