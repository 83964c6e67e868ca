import { wordsOf } from '@pollux/model';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Memtable, type NumberColumn } from './memtable.ts';

const COLUMNS = 5;
const row = fc.record({
  column: fc.nat(COLUMNS - 1),
  ms: fc.integer({ min: -20, max: 20 }),
  nanos: fc.constantFrom(0, 0, 0, 1, 999_999),
  value: fc.double(),
});

it('reads many columns as it reads each of them', () => {
  fc.assert(
    fc.property(
      fc.array(row, { maxLength: 60 }),
      // Rows before those of interest, so that these lie in several slabs.
      fc.constantFrom(0, 0, 8_160, 16_370),
      fc.nat(100),
      fc.nat(70),
      fc.constantFrom('float', 'integer'),
      (rows, before, hidden, mostRows, kind) => {
        const memtable = new Memtable();
        for (let i = 0; i < before; i++) memtable.append(COLUMNS + 1, i, 0, i, 0);
        const cell = new Float64Array(1);
        const words = wordsOf(cell);
        for (const { column, ms, nanos, value } of rows) {
          cell[0] = value;
          memtable.append(column, ms, nanos, words[0]!, words[1]!);
        }
        const limit = Math.max(0, memtable.rows - hidden);
        const columns = Array.from(
          { length: COLUMNS + 1 },
          (_, column): NumberColumn => ({
            column,
            kind,
          }),
        );
        const found = memtable.readMany(columns, limit, mostRows);
        let taken = 0;
        let isOpen = true;
        for (const { column } of columns) {
          const single = memtable.read(column, kind, limit);
          const written = rows
            .slice(0, Math.max(0, limit - before))
            .filter((one) => one.column === column).length;
          taken += written;
          isOpen &&= taken <= mostRows;
          expect(found.has(column)).toBe(isOpen);
          if (!isOpen) continue;
          const many = found.get(column)!;
          if (single === null) {
            expect(many).toBe(null);
            continue;
          }
          const { count } = single;
          expect(many.count).toBe(count);
          expect(many.timesMs.slice(0, count)).toEqual(single.timesMs.slice(0, count));
          const nanos = (data: typeof many): Int32Array =>
            data.nanos?.slice(0, count) ?? new Int32Array(count);
          expect(nanos(many)).toEqual(nanos(single));
          expect(wordsOf(many.cells.slice(0, count))).toEqual(
            wordsOf(single.cells.slice(0, count)),
          );
        }
      },
    ),
    { numRuns: 300 },
  );
});
