import * as fs from 'node:fs';
import * as path from 'node:path';
import { Labels, Matcher } from '@pollux/model';
import { Registry, renderText } from '@pollux/telemetry';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TsdbOptions } from '../options.ts';
import { type BlockRow, writeTestBlock } from '../testing/block-fixtures.ts';
import {
  ALL_TIME,
  append,
  openTsdb,
  query,
  removeDirectory,
  T0,
  temporaryDirectory,
} from '../testing/fixtures.ts';

const RANGE_MS = 60_000;

let directory: string;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => removeDirectory(directory));

const billing = Labels.from({ __name__: 'm', job: 'billing' });
const debug = Labels.from({ __name__: 'debug_m', job: 'x' });
const plain = Labels.from({ __name__: 'm', job: 'x' });

const KEEP_BILLING = { matchers: [new Matcher('job', '=', 'billing')], keepMs: 100 * RANGE_MS };
const DROP_DEBUG = { matchers: [new Matcher('__name__', '=~', 'debug_.+')], keepMs: 2 * RANGE_MS };

/** `count` blocks of one range each, of all series. */
async function writeBlocks(count: number, all: readonly Labels[]): Promise<void> {
  for (let i = 0; i < count; i++) {
    const minTime = i * RANGE_MS;
    const rows = all.map(
      (labels): BlockRow => ({ labels, points: [{ timestampMs: minTime, bits: 1n }] }),
    );
    await writeTestBlock(directory, { minTime, maxTime: minTime + RANGE_MS, rows, seed: i + 1 });
  }
}

/** Rounds of maintenance with these settings, then the numbers of the ranges that each series has a sample in. */
async function after(
  rounds: number,
  options: Partial<TsdbOptions>,
  registry = new Registry(),
): Promise<Record<string, number[]>> {
  const all = {
    minBlockDurationMs: RANGE_MS,
    maxBlockDurationMs: RANGE_MS,
    retentionMs: 0,
    ...options,
  };
  const db = await openTsdb(directory, { options: all, registry });
  for (let i = 0; i < rounds; i++) await db.tick();
  const answer = await query(db);
  await db.close();
  return Object.fromEntries(
    [...answer].map(([labels, points]) => [
      labels,
      points.map(({ timestampMs }) => timestampMs / RANGE_MS),
    ]),
  );
}

function names(): string[] {
  return fs.readdirSync(directory).filter((name) => name.length === 26);
}

describe('retention', () => {
  it('by time drops blocks that end so far before the newest, and counts once', async () => {
    await writeBlocks(6, [plain]);
    const registry = new Registry();
    const left = await after(2, { retentionMs: 3 * RANGE_MS }, registry);
    expect(left).toEqual({ [plain.toString()]: [3, 4, 5] });
    expect(names()).toHaveLength(3);
    const text = renderText(registry.gather());
    expect(text).toContain('prometheus_tsdb_time_retentions_total 1');
    expect(fs.readdirSync(directory).filter((name) => name.includes('tmp'))).toEqual([]);
  });

  it('by size drops the oldest until head and blocks fit', async () => {
    await writeBlocks(6, [plain]);
    const sizes = names().map((name) =>
      fs
        .readdirSync(path.join(directory, name), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .reduce(
          (sum, { parentPath, name: file }) => sum + fs.statSync(path.join(parentPath, file)).size,
          0,
        ),
    );
    const registry = new Registry();
    const retentionBytes = sizes[0]! * 3.5;
    expect(await after(2, { retentionBytes }, registry)).toEqual({ [plain.toString()]: [3, 4, 5] });
    expect(renderText(registry.gather())).toContain('prometheus_tsdb_size_retentions_total 1');
  });

  it('by size keeps the newest block, without which a restart would take its samples from the log, deleted ones too', async () => {
    const options = {
      minBlockDurationMs: RANGE_MS,
      maxBlockDurationMs: RANGE_MS,
      retentionMs: 0,
      snapshotIntervalMs: 0,
    };
    const db = await openTsdb(directory, { options });
    for (let at = T0; at < T0 + 2 * RANGE_MS; at += 5_000) {
      const writes = [plain, billing].map((labels) => ({ labels, timestampMs: at, value: 1n }));
      await append(db, writes);
    }
    await db.tick();
    await db.deleteSamples(ALL_TIME, [new Matcher('job', '=', 'billing')]);
    const before = [...(await query(db)).keys()];
    expect(before).toEqual([plain.toString()]);
    const ends = db.extent.newestBlockMs;
    db.retention = { ...db.retention, bytes: 1 };
    for (let i = 0; i < 3; i++) await db.tick();
    expect([names().length, db.extent.newestBlockMs]).toEqual([1, ends]);
    const left = await query(db);
    await db.close();
    const again = await openTsdb(directory, { options });
    expect(await query(again)).toEqual(left);
    expect([...left.keys()]).toEqual(before);
    await again.close();
  });

  it('by rules keeps the series of one for long and drops those of another early', async () => {
    await writeBlocks(8, [billing, debug, plain]);
    const options = { retentionMs: 4 * RANGE_MS, retentionRules: [KEEP_BILLING, DROP_DEBUG] };
    expect(await after(12, options)).toEqual({
      [billing.toString()]: [0, 1, 2, 3, 4, 5, 6, 7],
      [debug.toString()]: [6, 7],
      [plain.toString()]: [4, 5, 6, 7],
    });
    // Nothing is left to do: no block is written again.
    const before = names();
    await after(3, options);
    expect(names()).toEqual(before);
  });

  it('by rules lets the first that matches decide, and drops a block as a whole when all of it is expired', async () => {
    await writeBlocks(5, [debug]);
    const keepAll = { matchers: [new Matcher('job', '=', 'x')], keepMs: 50 * RANGE_MS };
    expect(
      (await after(3, { retentionRules: [keepAll, DROP_DEBUG] }))[debug.toString()],
    ).toHaveLength(5);
    const before = new Set(names());
    const left = await after(1, { retentionRules: [DROP_DEBUG, keepAll] });
    expect(left).toEqual({ [debug.toString()]: [3, 4] });
    expect(names().every((name) => before.has(name))).toBe(true);
  });

  it('by rules does not rewrite a block for few series until they are overdue', async () => {
    const many = Array.from({ length: 40 }, (_, i) => Labels.from({ __name__: 'm', i: String(i) }));
    await writeBlocks(4, [...many, debug]);
    // The oldest ends three ranges before the newest: twice 1.5, so overdue; the next two, so not.
    const rule = { ...DROP_DEBUG, keepMs: 1.9 * RANGE_MS };
    const left = await after(8, { retentionRules: [rule] });
    expect(left[debug.toString()]).toEqual([1, 2, 3]);
    expect(left[many[0]!.toString()]).toEqual([0, 1, 2, 3]);
  });

  it('takes new settings while it runs', async () => {
    await writeBlocks(5, [plain]);
    const options = { minBlockDurationMs: RANGE_MS, maxBlockDurationMs: RANGE_MS, retentionMs: 0 };
    const db = await openTsdb(directory, { options });
    await db.tick();
    expect(names()).toHaveLength(5);
    db.retention = { timeMs: 2 * RANGE_MS, bytes: 0, percentage: 0, rules: [] };
    await db.tick();
    expect(names()).toHaveLength(2);
    await db.close();
  });

  it('by rules lets blocks grow over the shorter time only where the others have expired', async () => {
    await writeBlocks(40, [billing, plain]);
    const options = {
      maxBlockDurationMs: 0,
      retentionMs: 30 * RANGE_MS,
      retentionRules: [KEEP_BILLING],
    };
    const left = await after(60, options);
    expect(left[billing.toString()]).toHaveLength(40);
    expect(left[plain.toString()]!.every((range) => range >= 9)).toBe(true);
    const spans = names().map((name) => {
      const meta = JSON.parse(fs.readFileSync(path.join(directory, name, 'meta.json'), 'utf8'));
      return [meta.minTime / RANGE_MS, meta.maxTime / RANGE_MS];
    });
    for (const [from, to] of spans) expect(to! - from! <= 3 || to! <= 10).toBe(true);
    expect(spans).toContainEqual([0, 9]);
  });
});
