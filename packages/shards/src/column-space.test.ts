import type { ColumnData } from '@pollux/storage';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mergeColumns } from './column-data.ts';
import { ColumnArena, OWN_ARRAYS } from './column-space.ts';

const row = fc.record({
  ms: fc.integer({ min: 0, max: 20 }),
  nanos: fc.integer({ min: 0, max: 3 }),
  value: fc.double({ noNaN: true }),
});

function columnOf(rows: readonly { ms: number; nanos: number; value: number }[]): ColumnData {
  const hasNanos = rows.some(({ nanos }) => nanos !== 0);
  return {
    kind: 'float',
    count: rows.length,
    timesMs: Float64Array.from(rows, ({ ms }) => ms),
    nanos: hasNanos ? Int32Array.from(rows, ({ nanos }) => nanos) : null,
    cells: Float64Array.from(rows, ({ value }) => value),
    texts: null,
  };
}

function rowsOf(data: ColumnData): unknown[] {
  return Array.from({ length: data.count }, (_, i) => [
    data.timesMs[i],
    data.nanos?.[i] ?? 0,
    data.cells[i],
  ]);
}

describe('the arena of columns', () => {
  it('gives out arrays that do not overlap, also when it has to grow between them', () => {
    const arena = new ColumnArena(64);
    const arrays = Array.from({ length: 20 }, (_, i) => arena.floats(i).fill(i));
    for (const [i, array] of arrays.entries()) expect([...array]).toEqual(Array(i).fill(i));
  });

  it('needs no more memory for the same columns again and again', () => {
    const arena = new ColumnArena(64);
    const run = (): void => {
      arena.reset();
      for (const count of [3, 500, 1, 40]) arena.integers(count).fill(9);
    };
    run();
    const before = arena.capacityBytes;
    for (let i = 0; i < 50; i++) run();
    expect(arena.capacityBytes).toBe(before);
    arena.reset();
    expect([...arena.integers(5)]).toEqual([0, 0, 0, 0, 0]);
  });

  it('merges to the same rows as arrays of their own, over what earlier columns left in it', () => {
    const arena = new ColumnArena(64);
    fc.assert(
      fc.property(fc.array(fc.array(row, { maxLength: 12 }), { maxLength: 4 }), (parts) => {
        arena.reset();
        arena.floats(40).fill(Number.NaN);
        arena.reset();
        const columns = parts.map(columnOf);
        const merged = mergeColumns('float', columns, arena);
        expect(rowsOf(merged)).toEqual(rowsOf(mergeColumns('float', columns, OWN_ARRAYS)));
      }),
    );
  });
});
