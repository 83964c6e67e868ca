import { Labels } from '@pollux/model';
import { describe, expect, it } from 'vitest';
import type { SeriesColumns } from '../queryable.ts';
import { columnsWithin } from './columns-within.ts';

const columns: SeriesColumns = {
  labels: Labels.from({ a: '1' }),
  count: 4,
  // Columns may be longer than what they hold.
  timestampsMs: Float64Array.of(10, 20, 30, 40, 25),
  values: Float64Array.of(1, 2, 3, 4, 9),
  histograms: null,
  startTimestampsMs: Float64Array.of(5, 15, 25, 35, 0),
  replica: '',
};

describe('columns within a range', () => {
  it('are the same ones when all samples lie in it', () => {
    expect(columnsWithin(columns, { minMs: 10, maxMs: 40 })).toBe(columns);
  });

  it('keep each sample with its value and its start, both ends of the range included', () => {
    const { count, timestampsMs, values, startTimestampsMs } = columnsWithin(columns, {
      minMs: 20,
      maxMs: 30,
    });
    expect(count).toBe(2);
    expect([...timestampsMs]).toEqual([20, 30]);
    expect([...values]).toEqual([2, 3]);
    expect([...(startTimestampsMs ?? [])]).toEqual([15, 25]);
  });

  it('hold nothing of a range between two samples or beside all', () => {
    for (const [minMs, maxMs] of [
      [21, 29],
      [0, 9],
      [41, 99],
    ] as const) {
      expect(columnsWithin(columns, { minMs, maxMs }).count).toBe(0);
    }
  });
});
