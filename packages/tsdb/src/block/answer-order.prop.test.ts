import { Labels, Matcher } from '@pollux/model';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FROM_OUT_OF_ORDER } from '../format/meta.ts';
import { type BlockRow, writeTestBlock } from '../testing/block-fixtures.ts';
import {
  bitsOf,
  EVERY,
  openTsdb,
  query,
  removeDirectory,
  temporaryDirectory,
} from '../testing/fixtures.ts';

const RUNS = Number(process.env.TSDB_RUNS ?? 12);
const RANGE_MS = 60_000;
const OPTIONS = { minBlockDurationMs: RANGE_MS, retentionMs: 0, snapshotIntervalMs: 0 };
const rows = [0, 1, 2].map((i) => Labels.from({ __name__: 'm', i: String(i) }));

/** Blocks over some of six ranges; each has, of some series, a sample every 15 s that tells which block it is of. */
const blocks = fc.array(
  fc.record({
    first: fc.nat(5),
    length: fc.integer({ min: 1, max: 3 }),
    isLate: fc.boolean(),
    hasFailed: fc.integer({ min: 0, max: 5 }).map((number) => number === 0),
    series: fc.subarray([0, 1, 2], { minLength: 1 }),
  }),
  { minLength: 2, maxLength: 6 },
);
const deletions = fc.array(
  fc.record({ index: fc.nat(2), fromMs: fc.nat(8 * RANGE_MS), lengthMs: fc.nat(3 * RANGE_MS) }),
  { minLength: 1, maxLength: 3 },
);
const orders = fc.constantFrom('cleaned first', 'compacted first');

describe('the shown value of a time that several blocks hold', () => {
  it(
    'stays when deletions are cleaned and blocks compacted, now and after a restart',
    async () => {
      await fc.assert(
        fc.asyncProperty(
          blocks,
          fc.array(deletions, { maxLength: 3 }),
          orders,
          async (all, rounds, order) => {
            const directory = temporaryDirectory();
            try {
              for (const [seed, { first, length, isLate, hasFailed, series }] of all.entries()) {
                const minTime = first * RANGE_MS;
                const maxTime = minTime + length * RANGE_MS;
                const points = Array.from({ length: (maxTime - minTime) / 15_000 }, (_, i) => ({
                  timestampMs: minTime + i * 15_000,
                  bits: bitsOf(seed),
                }));
                const spec = {
                  minTime,
                  maxTime,
                  rows: series.map((i): BlockRow => ({ labels: rows[i]!, points })),
                  seed: seed + 1,
                };
                const compaction = {
                  level: 1,
                  sources: [],
                  ...(isLate ? { hints: [FROM_OUT_OF_ORDER] } : {}),
                  ...(hasFailed ? { failed: true } : {}),
                };
                await writeTestBlock(directory, { ...spec, compaction });
              }
              let db = await openTsdb(directory, { options: OPTIONS });
              for (const round of rounds) {
                for (const { index, fromMs, lengthMs } of round) {
                  const range = { minMs: fromMs, maxMs: fromMs + lengthMs };
                  await db.deleteSamples(range, [new Matcher('i', '=', String(index))]);
                }
                const before = await query(db, EVERY);
                if (order === 'cleaned first') await db.cleanTombstones();
                expect(await query(db, EVERY)).toEqual(before);
                await db.tick();
                expect(await query(db, EVERY)).toEqual(before);
                if (order === 'compacted first') await db.cleanTombstones();
                expect(await query(db, EVERY)).toEqual(before);
                await db.close();
                db = await openTsdb(directory, { options: OPTIONS });
                expect(await query(db, EVERY)).toEqual(before);
              }
              await db.close();
            } finally {
              removeDirectory(directory);
            }
          },
        ),
        { numRuns: RUNS },
      );
    },
    Math.max(60_000, RUNS * 5_000),
  );
});
