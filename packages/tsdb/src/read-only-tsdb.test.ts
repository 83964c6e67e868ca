import * as fs from 'node:fs';
import { nodeEnv } from '@pollux/base/node';
import { Labels, Matcher } from '@pollux/model';
import { MemoryBudget, NO_HINTS } from '@pollux/storage';
import { Log } from '@pollux/telemetry';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ReadOnlyTsdb } from './read-only-tsdb.ts';
import { append, openTsdb, removeDirectory, T0, temporaryDirectory } from './testing/fixtures.ts';

let directory: string;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => removeDirectory(directory));

async function timesOf(database: ReadOnlyTsdb): Promise<number[]> {
  const source = database.select(
    {
      range: { minMs: 0, maxMs: Number.MAX_SAFE_INTEGER },
      matchers: [Matcher.metric('m')],
      hints: NO_HINTS,
      sorted: true,
    },
    { signal: new AbortController().signal, budget: MemoryBudget.unlimited() },
  );
  const times: number[] = [];
  for (let batch = await source.next(); batch !== null; batch = await source.next()) {
    for (const { timestampsMs, count } of batch) times.push(...timestampsMs.subarray(0, count));
  }
  return times;
}

function open(): Promise<ReadOnlyTsdb> {
  return ReadOnlyTsdb.open({ directory, env: nodeEnv(), log: Log.silent() });
}

it('sees blocks and log of a directory that is in use, and changes no file', async () => {
  const db = await openTsdb(directory, { options: { minBlockDurationMs: 60_000, retentionMs: 0 } });
  const labels = Labels.from({ __name__: 'm' });
  const written: number[] = [];
  for (let i = 0; i < 30; i++) {
    written.push(T0 + i * 10_000);
    await append(db, [{ labels, timestampMs: T0 + i * 10_000, value: i }]);
    await db.tick();
  }
  const listing = (): string[] =>
    fs
      .readdirSync(directory, { recursive: true, encoding: 'utf8' })
      .map((name) => `${name} ${fs.statSync(`${directory}/${name}`).mtimeMs}`)
      .sort();
  // Head chunk files are written in the background.
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setTimeout(resolve, 50));
  const before = listing();
  const database = await open();
  expect(database.blocks().length).toBeGreaterThan(0);
  expect(await timesOf(database)).toEqual(written);
  database.close();
  expect(listing()).toEqual(before);
  await db.close();
});

it('reads a torn log up to its last whole record and leaves the rest', async () => {
  const db = await openTsdb(directory);
  const labels = Labels.from({ __name__: 'm' });
  for (const timestampMs of [T0, T0 + 1]) await append(db, [{ labels, timestampMs, value: 1 }]);
  const segment = `${directory}/wal/00000000`;
  // Closing fills the last page with zeros.
  const size = fs.statSync(segment).size;
  await db.close();
  fs.truncateSync(segment, size - 3);
  const database = await open();
  expect(await timesOf(database)).toEqual([T0]);
  database.close();
  expect(fs.statSync(segment).size).toBe(size - 3);
});

it('names a directory that is not there', async () => {
  directory += '/nosuch';
  await expect(open()).rejects.toThrow('nosuch: no such directory');
});
