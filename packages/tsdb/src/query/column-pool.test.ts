import { expect, it } from 'vitest';
import { ColumnPool, grownColumns } from './column-pool.ts';

it('lends columns to one at a time, keeps two that are given back, and none that have grown large', () => {
  const pool = new ColumnPool();
  const [a, b, c] = [pool.take(), pool.take(), pool.take()];
  expect(new Set([a, b, c]).size).toBe(3);
  const grown = grownColumns(a, 2, 4_096);
  pool.give(grown);
  pool.give(grownColumns(b, 0, 65_536));
  pool.give(c);
  pool.give(pool.take());
  expect([pool.take(), pool.take()]).toEqual([c, grown]);
  expect(pool.take().timestampsMs.length).toBe(1_024);
});

it('grows with the bits of what was there, whatever NaN they are', () => {
  const columns = new ColumnPool().take();
  columns.timestampsMs[1] = 5;
  columns.words.set([1, 2, 0x0000_0002, 0x7ff0_0000]);
  const grown = grownColumns(columns, 2, 2_048);
  expect([...grown.timestampsMs.subarray(0, 3)]).toEqual([0, 5, 0]);
  expect([...grown.words.subarray(0, 5)]).toEqual([1, 2, 2, 0x7ff0_0000, 0]);
  expect(grown.values).toHaveLength(2_048);
  expect(grown.values.buffer).toBe(grown.words.buffer);
});
