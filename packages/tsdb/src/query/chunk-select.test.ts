import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Tsdb } from '../db.ts';
import {
  ALL_TIME,
  append,
  EVERY,
  openTsdb,
  removeDirectory,
  series,
  T0,
  temporaryDirectory,
} from '../testing/fixtures.ts';
import { givenChunks } from '../testing/stored-chunks.ts';

let directory: string;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => removeDirectory(directory));

const OPTIONS = { minBlockDurationMs: 120_000, retentionMs: 0, outOfOrderWindowMs: 600_000 };

async function put(db: Tsdb, second: number): Promise<void> {
  await append(db, [{ labels: series(0), timestampMs: T0 + second * 1_000, value: second }]);
}

async function filled(): Promise<Tsdb> {
  const db = await openTsdb(directory, { options: OPTIONS });
  for (let second = 0; second < 590; second += 1) {
    await put(db, second);
    if (second % 100 === 0) await db.tick();
  }
  return db;
}

/** That these are the samples is what `query` of the fixtures checks, in every test that asks by it. */
describe('chunks as they are stored', () => {
  it('are given whole, from blocks and from the head', async () => {
    const db = await filled();
    const all = await givenChunks(db, ALL_TIME, EVERY);
    expect(all?.samples).toBe(0);
    expect(all?.chunks).toBeGreaterThan(4);
    expect([...(all?.series.values() ?? [])].map(({ count }) => count)).toEqual([590]);
    const range = { minMs: T0 + 30_000, maxMs: T0 + 110_000 };
    const few = await givenChunks(db, range, EVERY);
    expect(few).toMatchObject({ chunks: 1, samples: 0 });
    expect([...(few?.series.values() ?? [])].map(({ count }) => count)).toEqual([81]);
    // A chunk that is much longer than the range is cut to it.
    const cut = await givenChunks(db, { minMs: T0 + 30_000, maxMs: T0 + 31_000 }, EVERY);
    expect(cut).toMatchObject({ chunks: 0, samples: 2 });
    await db.close();
  });

  it('have no sample that came later: the newest chunk alone is decoded', async () => {
    const db = await filled();
    const later = await givenChunks(db, ALL_TIME, EVERY, () => put(db, 590));
    const before = await givenChunks(db, ALL_TIME, EVERY);
    expect([...(later?.series.values() ?? [])].map(({ count }) => count)).toEqual([590]);
    expect([...(before?.series.values() ?? [])].map(({ count }) => count)).toEqual([591]);
    expect(later?.samples).toBeGreaterThan(0);
    expect(later?.chunks).toBe((before?.chunks ?? 0) - 1);
    await db.close();
  });

  it('are decoded where samples were deleted, or came late', async () => {
    const db = await filled();
    await db.deleteSamples({ minMs: T0 + 580_000, maxMs: T0 + 581_000 }, EVERY);
    const cut = await givenChunks(db, ALL_TIME, EVERY);
    expect([...(cut?.series.values() ?? [])].map(({ count }) => count)).toEqual([588]);
    expect(cut?.chunks).toBeGreaterThan(0);
    expect(cut?.samples).toBeGreaterThan(0);
    await put(db, 580);
    const late = await givenChunks(db, ALL_TIME, EVERY);
    expect([...(late?.series.values() ?? [])].map(({ count }) => count)).toEqual([589]);
    expect(late?.chunks).toBe(0);
    await db.close();
  });
});
