import * as fs from 'node:fs';
import { CanceledError, SeededRandom } from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import { Labels } from '@pollux/model';
import { MemoryBudget, NO_HINTS } from '@pollux/storage';
import { Log } from '@pollux/telemetry';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ReadOnlyTsdb } from '../read-only-tsdb.ts';
import {
  ALL_TIME,
  bitsOf,
  EVERY,
  pointsOf,
  removeDirectory,
  T0,
  temporaryDirectory,
} from '../testing/fixtures.ts';
import type { Duplicates } from './range-merge.ts';
import { SampleSorter } from './sample-sorter.ts';
import { writeRangeAsBlock } from './write-blocks.ts';

const env = { ...nodeEnv(), random: new SeededRandom(5) };
const HOUR_MS = 3_600_000;
const words = new Uint32Array(2);
const bits = new BigUint64Array(words.buffer);

let directory: string;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => removeDirectory(directory));

type Row = { readonly series: number; readonly timestampMs: number; readonly value: number };

async function backfill(
  rows: readonly Row[],
  options: { memoryBytes?: number; duplicates?: Duplicates; signal?: AbortSignal } = {},
): Promise<{ paths: string[]; sorter: SampleSorter }> {
  const signal = options.signal ?? new AbortController().signal;
  const sorter = new SampleSorter({
    env,
    directory,
    rangeMs: 2 * HOUR_MS,
    duplicates: options.duplicates ?? 'first',
    signal,
    ...(options.memoryBytes === undefined ? {} : { memoryBytes: options.memoryBytes }),
  });
  try {
    for (const { series, timestampMs, value } of rows) {
      bits[0] = bitsOf(value);
      // Two spellings of the key of every series: they must become one.
      sorter.add(`${series}/${timestampMs % 2}`, () => labelsOf(series), {
        timestampMs,
        valueLow: words[0]!,
        valueHigh: words[1]!,
      });
      if (sorter.isFull) await sorter.spill();
    }
    const paths: string[] = [];
    const target = { env, directory, chunkRangeMs: 4 * HOUR_MS, signal };
    for (const range of await sorter.finish()) {
      const path = await writeRangeAsBlock(sorter, range, target);
      if (path !== null) paths.push(path);
    }
    return { paths, sorter };
  } finally {
    sorter.close();
  }
}

function labelsOf(series: number): Labels {
  return Labels.from({ __name__: series % 2 === 0 ? 'even' : 'zählt', i: String(series) });
}

async function answer(): Promise<Record<string, [number, string][]>> {
  const database = await ReadOnlyTsdb.open({ directory, env, log: Log.silent() });
  const found: Record<string, [number, string][]> = {};
  try {
    const source = database.select(
      { range: ALL_TIME, matchers: EVERY, hints: NO_HINTS, sorted: true },
      { signal: new AbortController().signal, budget: MemoryBudget.unlimited() },
    );
    for (let batch = await source.next(); batch !== null; batch = await source.next()) {
      for (const columns of batch) {
        found[columns.labels.toString()] = pointsOf(columns).map((point) => [
          point.timestampMs,
          String(point.bits),
        ]);
      }
    }
  } finally {
    database.close();
  }
  return found;
}

/** What the blocks must hold. */
function model(rows: readonly Row[], duplicates: Duplicates): Record<string, [number, string][]> {
  const bySeries = new Map<string, Map<number, string>>();
  for (const { series, timestampMs, value } of rows) {
    const key = labelsOf(series).toString();
    const points = bySeries.get(key) ?? new Map<number, string>();
    if (duplicates === 'last' || !points.has(timestampMs))
      points.set(timestampMs, String(bitsOf(value)));
    bySeries.set(key, points);
  }
  return Object.fromEntries(
    [...bySeries].map(([key, points]) => [key, [...points].sort(([a], [b]) => a - b)]),
  );
}

describe('a backfill', () => {
  it('stores samples of any order and age, whatever fits into memory', async () => {
    const row = fc.record({
      series: fc.nat(6),
      timestampMs: fc.oneof(
        fc.integer({ min: T0, max: T0 + 5 * HOUR_MS }),
        fc.integer({ min: T0, max: T0 + 20 }),
        fc.integer({ min: -1e12, max: 1e12 }),
      ),
      value: fc.oneof(fc.integer({ min: 0, max: 3 }), fc.double()),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(row, { minLength: 1, maxLength: 120 }),
        fc.constantFrom<Duplicates>('first', 'last'),
        fc.constantFrom(1, 600, 1e6),
        async (rows, duplicates, memoryBytes) => {
          removeDirectory(directory);
          fs.mkdirSync(directory);
          const { sorter } = await backfill(rows, { duplicates, memoryBytes });
          expect(await answer()).toEqual(model(rows, duplicates));
          expect(sorter.samples).toBe(rows.length);
          expect(fs.readdirSync(directory).filter((name) => name.includes('tmp'))).toEqual([]);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('cuts blocks at the range and gives them the time of their samples', async () => {
    const start = Math.floor(T0 / (2 * HOUR_MS)) * 2 * HOUR_MS;
    const rows = [-1, 0, 5, 2 * HOUR_MS - 1, 2 * HOUR_MS].map((offset) => ({
      series: 0,
      timestampMs: start + offset,
      value: offset,
    }));
    const { paths } = await backfill(rows.reverse());
    const times = paths.map((path) => {
      const meta = JSON.parse(fs.readFileSync(`${path}/meta.json`, 'utf8'));
      return [meta.minTime - start, meta.maxTime - start, meta.stats.numSamples];
    });
    expect(times).toEqual([
      [-1, 0, 1],
      [0, 2 * HOUR_MS, 3],
      [2 * HOUR_MS, 2 * HOUR_MS + 1, 1],
    ]);
  });

  it('counts samples of one time that contradict each other, in a run and between runs', async () => {
    const at = (value: number): Row => ({ series: 0, timestampMs: T0, value });
    const inOneRun = await backfill([at(1), at(2), at(2), at(1)]);
    expect(inOneRun.sorter.conflicts).toBe(2);
    expect(Object.values(await answer())).toEqual([[[T0, String(bitsOf(1))]]]);
    const inRuns = await backfill([at(1), at(2), at(1)], { memoryBytes: 1 });
    expect(inRuns.sorter.conflicts).toBe(1);
  });

  it('leaves nothing behind when it is given up', async () => {
    const rows = Array.from({ length: 50_000 }, (_, i) => ({
      series: i % 100,
      timestampMs: T0 + i * 1000,
      value: i,
    }));
    const stop = new AbortController();
    stop.abort();
    const attempt = backfill(rows, { signal: stop.signal, memoryBytes: 100_000 });
    await expect(attempt).rejects.toThrow(CanceledError);
    expect(fs.readdirSync(directory)).toEqual([]);
  });

  it('refuses times that are no whole milliseconds', async () => {
    for (const timestampMs of [1.5, Number.NaN, 2 ** 54]) {
      await expect(backfill([{ series: 0, timestampMs, value: 1 }])).rejects.toThrow(
        'out of range',
      );
    }
  });
});
