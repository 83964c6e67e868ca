import { execFileSync, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { Matcher } from '@pollux/model';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Tsdb } from './db.ts';
import {
  answerLines,
  append,
  bitsOf,
  dumpLines,
  HastyClock,
  openTsdb,
  query,
  removeDirectory,
  series,
  T0,
  temporaryDirectory,
} from './testing/fixtures.ts';

const hasPromtool = spawnSync('promtool', ['--version']).status === 0;
const REASON = hasPromtool
  ? ''
  : ' (skipped: no promtool on the PATH; install Debian package prometheus)';

const OPTIONS = { minBlockDurationMs: 60_000, retentionMs: 0 };

let directory: string;
let db: Tsdb;
beforeEach(async () => {
  directory = temporaryDirectory();
  db = await openTsdb(directory, { options: OPTIONS, clock: new HastyClock() });
  for (let second = 0; second < 400; second++) await appendAt(second);
  await db.deleteSamples({ minMs: T0 + 30_000, maxMs: T0 + 340_000 }, [new Matcher('i', '=', '1')]);
});
afterEach(async () => {
  await db.close();
  removeDirectory(directory);
});

async function appendAt(second: number): Promise<void> {
  const timestampMs = T0 + second * 1000;
  const writes = [0, 1, 2].map((i) => ({
    labels: series(i),
    timestampMs,
    value: bitsOf(second * (i + 0.1)),
  }));
  await append(db, writes);
  if (second % 20 === 0) await db.tick();
}

describe('a snapshot', () => {
  it('is a database that answers as this one did, and stays so while this one goes on', async () => {
    const before = await query(db);
    const name = await db.snapshot(false);
    expect(name).toMatch(/^\d{8}T\d{6}Z-[0-9a-f]{16}$/);
    for (let second = 400; second < 800; second++) await appendAt(second);
    await db.deleteSamples({ minMs: 0, maxMs: T0 + 800_000 }, [new Matcher('i', '=', '2')]);
    await db.cleanTombstones();
    const copy = await openTsdb(path.join(directory, 'snapshots', name), { options: OPTIONS });
    expect(await query(copy)).toEqual(before);
    await copy.close();
  });

  it('without the head has the blocks only', async () => {
    const name = await db.snapshot(true);
    const copy = await openTsdb(path.join(directory, 'snapshots', name), { options: OPTIONS });
    const answer = await query(copy);
    const newest = answer.get(series(0).toString())!.at(-1)!.timestampMs;
    expect(newest).toBeLessThan(T0 + 360_000);
    expect(newest).toBeGreaterThan(T0 + 200_000);
    await copy.close();
  });

  it('that was not finished is removed at the next start', async () => {
    const left = path.join(directory, 'snapshots', '20230101T000000Z-0.tmp-for-creation');
    fs.mkdirSync(left, { recursive: true });
    await db.close();
    db = await openTsdb(directory, { options: OPTIONS });
    expect(fs.existsSync(left)).toBe(false);
  });

  it.skipIf(!hasPromtool)(`is dumped by promtool with exactly our samples${REASON}`, async () => {
    const snapshot = path.join(directory, 'snapshots', await db.snapshot(false));
    // Debian's promtool wants a log beside the blocks.
    fs.mkdirSync(path.join(snapshot, 'wal'));
    const dump = execFileSync('promtool', ['tsdb', 'dump', snapshot], { maxBuffer: 1 << 28 });
    expect(dumpLines(dump.toString())).toEqual(answerLines(await query(db)));
    const list = execFileSync('promtool', ['tsdb', 'list', snapshot]).toString();
    const blocks = fs.readdirSync(snapshot).filter((name) => name.length === 26);
    expect(blocks.length).toBeGreaterThan(2);
    for (const name of blocks) expect(list).toContain(name);
  });
});
