import * as fs from 'node:fs';
import { SeededRandom } from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import { Labels, Matcher } from '@pollux/model';
import { MemoryBudget, NO_HINTS } from '@pollux/storage';
import { Log } from '@pollux/telemetry';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SampleSorter } from '../backfill/sample-sorter.ts';
import { writeRangeAsBlock } from '../backfill/write-blocks.ts';
import { Block } from '../block/block.ts';
import { FileCache } from '../block/file-cache.ts';
import { ReadOnlyTsdb } from '../read-only-tsdb.ts';
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
import { repairDirectory } from './repair-directory.ts';
import { verifyDirectory } from './verify-directory.ts';

const env = { ...nodeEnv(), random: new SeededRandom(3) };
const signal = new AbortController().signal;
const SERIES = 6;
const SAMPLES = 500;

let directory: string;
let block: string;

beforeEach(async () => {
  directory = temporaryDirectory();
  const sorter = new SampleSorter({
    env,
    directory,
    rangeMs: 7_200_000,
    duplicates: 'first',
    signal,
  });
  for (let i = 0; i < SERIES * SAMPLES; i++) {
    const labels = Labels.from({ __name__: 'm', i: String(i % SERIES) });
    const timestampMs = T0 + Math.floor(i / SERIES) * 1000;
    sorter.add(labels.key(), () => labels, { timestampMs, valueLow: i, valueHigh: 0x40590000 });
  }
  const [range] = await sorter.finish();
  const options = { env, directory, chunkRangeMs: 14_400_000, signal };
  block = (await writeRangeAsBlock(sorter, range!, options))!;
  sorter.close();
  const opened = Block.open(env.files, block, new FileCache(1e6));
  opened.deleteSamples({ minMs: T0, maxMs: T0 + 99_000 }, [new Matcher('i', '=', '2')]);
  opened.release();
});
afterEach(() => removeDirectory(directory));

async function repaired(isApplied = true): Promise<{ actions: string[]; unmended: string[] }> {
  const actions: string[] = [];
  const unmended = await repairDirectory({
    env,
    directory,
    isApplied,
    signal,
    onAction: ({ path, text }) => actions.push(`${path.slice(directory.length + 1)}: ${text}`),
  });
  return { actions, unmended: unmended.map(({ text }) => text) };
}

const faults = async (): Promise<number> =>
  (await verifyDirectory({ ...env, directory, signal })).findingCount;

async function counts(): Promise<Record<string, number>> {
  const database = await ReadOnlyTsdb.open({ directory, env, log: Log.silent() });
  try {
    const source = database.select(
      { range: ALL_TIME, matchers: EVERY, hints: NO_HINTS, sorted: true },
      { signal, budget: MemoryBudget.unlimited() },
    );
    const found: Record<string, number> = {};
    for (let batch = await source.next(); batch !== null; batch = await source.next())
      for (const { labels, count } of batch) found[labels.get('i')] = count;
    return found;
  } finally {
    database.close();
  }
}

function flip(file: string, offset: number): void {
  const bytes = fs.readFileSync(`${block}/${file}`);
  bytes[offset] = bytes[offset]! ^ 0x10;
  fs.writeFileSync(`${block}/${file}`, bytes);
}

const WHOLE = { 0: 500, 1: 500, 2: 400, 3: 500, 4: 500, 5: 500 };

describe('repair', () => {
  it('does nothing to a sound directory', async () => {
    expect(await repaired()).toEqual({ actions: [], unmended: [] });
    expect(await counts()).toEqual(WHOLE);
  });

  it('changes nothing unless it is told to', async () => {
    flip('chunks/000001', 50);
    const before = fs.readdirSync(directory);
    const { actions } = await repaired(false);
    expect(actions).toHaveLength(1);
    expect(fs.readdirSync(directory)).toEqual(before);
    expect(await faults()).toBeGreaterThan(0);
  });

  it('writes a block anew without a damaged chunk, deleted samples staying deleted', async () => {
    flip('chunks/000001', 50);
    const { actions, unmended } = await repaired();
    expect(unmended).toEqual([]);
    expect(actions).toEqual([
      expect.stringMatching(
        /: write anew with \d+ samples of 6 series; 0 series and 1 chunks are lost$/,
      ),
    ]);
    expect(await faults()).toBe(0);
    const { 0: damaged, ...others } = await counts();
    expect(damaged).toBeGreaterThan(300);
    expect(damaged).toBeLessThan(500);
    const { 0: _whole, ...otherWholes } = WHOLE;
    expect(others).toEqual(otherWholes);
  });

  it('writes a block anew without a damaged series, and with postings of its own', async () => {
    const index = fs.readFileSync(`${block}/index`);
    // The entries stand behind the symbols, each at a multiple of 16; the third belongs to series 2.
    const seriesAt = Number(index.readBigUInt64BE(index.length - 52 + 8));
    flip('index', seriesAt + 4);
    flip('index', index.length - 100);
    const { actions, unmended } = await repaired();
    expect(unmended).toEqual([]);
    expect(actions[0]).toContain('1 series and 0 chunks are lost');
    expect(await faults()).toBe(0);
    expect(Object.values(await counts())).toEqual([500, 400, 500, 500, 500]);
  });

  it('makes meta.json anew from the files, also when there is none', async () => {
    const before = fs.readFileSync(`${block}/meta.json`, 'utf8');
    fs.writeFileSync(`${block}/meta.json`, before.replace(/"numSamples": \d+/, '"numSamples": 1'));
    expect((await repaired()).actions).toHaveLength(1);
    expect(fs.readFileSync(`${block}/meta.json`, 'utf8')).toBe(before);
    fs.rmSync(`${block}/meta.json`);
    await repaired();
    expect(JSON.parse(fs.readFileSync(`${block}/meta.json`, 'utf8'))).toEqual(JSON.parse(before));
  });

  it('drops deletions that cannot be read and says so', async () => {
    flip('tombstones', 6);
    const { actions } = await repaired();
    expect(actions).toEqual([
      expect.stringContaining('what was deleted appears again'),
      expect.stringContaining('meta.json: write anew'),
    ]);
    expect(await faults()).toBe(0);
    expect(await counts()).toEqual({ ...WHOLE, 2: 500 });
  });

  it('says what it cannot mend and leaves it as it is', async () => {
    flip('index', 12);
    const before = fs.readFileSync(`${block}/index`);
    const { actions, unmended } = await repaired();
    expect(actions).toEqual([]);
    expect(unmended[0]).toContain('wrong checksum of the symbols');
    expect(fs.readFileSync(`${block}/index`).equals(before)).toBe(true);
  });

  it('drops head chunks behind damage, which the log has too', async () => {
    const header = Uint8Array.of(0x01, 0x30, 0xbc, 0x91, 1, 0, 0, 0);
    fs.mkdirSync(`${directory}/chunks_head`);
    fs.writeFileSync(`${directory}/chunks_head/000001`, Uint8Array.of(...header, 1, 2, 3));
    const { actions } = await repaired();
    expect(actions).toEqual([expect.stringMatching(/^chunks_head: drop what follows damage/)]);
    expect(fs.readFileSync(`${directory}/chunks_head/000001`)).toHaveLength(8);
    expect(await faults()).toBe(0);
  });

  it('removes leftovers and cuts the torn end of a log', async () => {
    fs.mkdirSync(`${directory}/01ARZ3NDEKTSV4RRFFQ69G5FAV.tmp-for-creation/chunks`, {
      recursive: true,
    });
    const data = temporaryDirectory();
    try {
      const db = await openTsdb(data);
      for (let i = 0; i < 50; i++)
        await append(db, [{ labels: series(1), timestampMs: T0 + i, value: i }]);
      await db.close();
      const log = fs.readFileSync(`${data}/wal/00000000`);
      const written = log.findLastIndex((byte) => byte !== 0) + 1;
      fs.mkdirSync(`${directory}/wal`);
      fs.writeFileSync(`${directory}/wal/00000000`, log.subarray(0, written - 2));
    } finally {
      removeDirectory(data);
    }
    const { actions, unmended } = await repaired();
    expect(unmended).toEqual([]);
    expect(actions).toEqual([
      '01ARZ3NDEKTSV4RRFFQ69G5FAV.tmp-for-creation: remove what an interrupted write left',
      expect.stringMatching(/^wal\/00000000: cut the torn end at \d+$/),
    ]);
    expect(await faults()).toBe(0);
  });
});
