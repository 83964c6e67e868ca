import * as fs from 'node:fs';
import * as path from 'node:path';
import { SeededRandom, VirtualClock } from '@pollux/base';
import { NodeFiles } from '@pollux/base/node';
import { Matcher } from '@pollux/model';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Tsdb } from '../db.ts';
import { scanHeadChunks } from '../head-chunks/scan.ts';
import { verifyDirectory } from '../inspect/verify-directory.ts';
import type { TsdbOptions } from '../options.ts';
import { Slices } from '../slices.ts';
import {
  append,
  openTsdb,
  query,
  removeDirectory,
  series,
  T0,
  temporaryDirectory,
} from '../testing/fixtures.ts';

const HOUR = 3_600_000;
const OPTIONS: Partial<TsdbOptions> = { outOfOrderWindowMs: 3 * HOUR, retentionMs: 0 };
const NEWEST = T0 + HOUR;

let directory: string;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => removeDirectory(directory));

const open = (): Promise<Tsdb> => openTsdb(directory, { options: OPTIONS });

/** Late samples of two series, in any order, some of one time; 32 of one series go into a chunk. */
async function fill(db: Tsdb, count: number, seed = 1): Promise<void> {
  const random = new SeededRandom(seed);
  await append(db, [
    { labels: series(0), timestampMs: NEWEST, value: 1 },
    { labels: series(1), timestampMs: NEWEST, value: 1 },
  ]);
  for (let i = 0; i < count; i++) {
    const timestampMs = T0 + random.below(1_000) * 1_000;
    await append(db, [{ labels: series(i % 2), timestampMs, value: i + seed * 10_000 }]);
  }
}

type Entry = { readonly place: string; readonly minMs: number; readonly maxMs: number };

async function lateEntries(data = directory): Promise<Entry[]> {
  const entries: Entry[] = [];
  const { damage } = await scanHeadChunks({
    files: new NodeFiles(),
    directory: path.join(data, 'chunks_head'),
    slices: new Slices(new VirtualClock()),
    onChunk: ({ isOutOfOrder, minMs, maxMs }, { file, offset }) => {
      if (isOutOfOrder) entries.push({ place: `${file}:${offset}`, minMs, maxMs });
    },
  });
  expect(damage).toBeNull();
  return entries;
}

const headFiles = (): string[] =>
  fs.readdirSync(path.join(directory, 'chunks_head')).map((name) => `chunks_head/${name}`);

describe('full chunks of late samples', () => {
  it('lie in the head chunk files, marked, and are not written again by any start', async () => {
    const first = await open();
    await fill(first, 400);
    const answer = await query(first);
    await first.close();
    const written = await lateEntries();
    expect(written.length).toBeGreaterThanOrEqual(8);
    const files = new NodeFiles();
    const clock = new VirtualClock();
    const { signal } = new AbortController();
    expect((await verifyDirectory({ files, clock, directory, signal })).findings).toEqual([]);
    for (let start = 0; start < 3; start++) {
      const again = await open();
      expect(await query(again)).toEqual(answer);
      await again.close();
      expect(await lateEntries()).toEqual(written);
    }
    // What comes behind them goes on where it stood.
    const last = await open();
    await fill(last, 400, 2);
    const more = await query(last);
    await last.close();
    const all = await lateEntries();
    expect(all.slice(0, written.length)).toEqual(written);
    expect(all.length).toBeGreaterThan(written.length);
    const reopened = await open();
    expect(await query(reopened)).toEqual(more);
    await reopened.close();
    expect(await lateEntries()).toEqual(all);
  });

  it('are used by a start as far as deletions have left chunks as they were', async () => {
    const first = await open();
    await fill(first, 200);
    const range = { minMs: T0 + 100_000, maxMs: T0 + 300_000 };
    await first.deleteSamples(range, [new Matcher('i', '=', '0')]);
    await fill(first, 200, 3);
    const answer = await query(first);
    await first.close();
    const written = await lateEntries();
    const again = await open();
    expect(await query(again)).toEqual(answer);
    await again.close();
    expect(await lateEntries()).toEqual(written);
  });

  it.each([
    ['are gone', () => fs.rmSync(path.join(directory, 'chunks_head'), { recursive: true })],
    [
      'are torn',
      () => {
        for (const name of headFiles()) {
          const file = path.join(directory, name);
          fs.truncateSync(file, Math.floor(fs.statSync(file).size * 0.6));
        }
      },
    ],
    [
      'have a wrong byte',
      () => {
        for (const name of headFiles()) {
          const bytes = fs.readFileSync(path.join(directory, name));
          bytes[Math.floor(bytes.length / 2)]! ^= 4;
          fs.writeFileSync(path.join(directory, name), bytes);
        }
      },
    ],
  ])('come back from their log when the files %s', async (_, damage) => {
    const first = await open();
    await fill(first, 400);
    const answer = await query(first);
    await first.close();
    damage();
    const again = await open();
    expect(await query(again)).toEqual(answer);
    await again.close();
    const whole = await lateEntries();
    const last = await open();
    expect(await query(last)).toEqual(answer);
    await last.close();
    expect(await lateEntries()).toEqual(whole);
  });

  it('of series that have come to mean others are left alone', async () => {
    const first = await open();
    await fill(first, 200);
    await first.close();
    // Without its logs the directory has new series under the old references.
    for (const name of ['wal', 'wbl', 'head_snapshot']) {
      fs.rmSync(path.join(directory, name), { recursive: true, force: true });
    }
    const other = await open();
    await append(other, [{ labels: series(7), timestampMs: NEWEST, value: 7 }]);
    expect([...(await query(other)).keys()]).toEqual([series(7).toString()]);
    await other.close();
  });

  it('leave the disk when they have gone to blocks', async () => {
    const db = await open();
    await fill(db, 400);
    await append(db, [{ labels: series(0), timestampMs: NEWEST + 4 * HOUR, value: 2 }]);
    await append(db, [{ labels: series(1), timestampMs: NEWEST + 4 * HOUR, value: 2 }]);
    const before = await query(db);
    await db.tick();
    expect(await query(db)).toEqual(before);
    const blocks = fs.readdirSync(directory).filter((name) => name.length === 26);
    expect(blocks.length).toBeGreaterThan(0);
    await db.close();
    // What the move itself sealed, one a series, stands in a file of its own that goes with the next move.
    expect((await lateEntries()).length).toBeLessThanOrEqual(2);
    const again = await open();
    expect(await query(again)).toEqual(before);
    await again.close();
  });
});
