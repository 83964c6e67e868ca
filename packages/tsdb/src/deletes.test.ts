import * as fs from 'node:fs';
import * as path from 'node:path';
import { VirtualClock } from '@pollux/base';
import { Labels, Matcher } from '@pollux/model';
import { NO_HINTS } from '@pollux/storage';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Tsdb } from './db.ts';
import { writeTestBlock } from './testing/block-fixtures.ts';
import {
  ALL_TIME,
  append,
  context,
  EVERY,
  openTsdb,
  query,
  type Range,
  removeDirectory,
  series,
  T0,
  temporaryDirectory,
} from './testing/fixtures.ts';

const RANGE_MS = 120_000;
const OPTIONS = { minBlockDurationMs: RANGE_MS, maxBlockDurationMs: RANGE_MS, retentionMs: 0 };

let directory: string;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => removeDirectory(directory));

type Meta = { readonly minTime: number; readonly stats: { readonly numSeries: number } };

const EXTRA = Labels.from({ __name__: 'extra', only_here: 'x', i: '1' });

/** 600 s of three series, blocks and head; one of them has a metric name, a label name and a value of its own. */
async function filled(): Promise<Tsdb> {
  const db = await openTsdb(directory, { options: OPTIONS });
  for (let second = 0; second < 600; second++) {
    const timestampMs = T0 + second * 1000;
    await append(
      db,
      [series(0), series(1), EXTRA].map((labels) => ({ labels, timestampMs, value: second })),
    );
    if (second % 20 === 0) await db.tick();
  }
  return db;
}

async function namesIn(db: Tsdb, range: Range, matchers: readonly Matcher[] = []) {
  const names = await db.labelNames(range, matchers, 0, context());
  const metrics = await db.labelValues('__name__', range, matchers, 0, context());
  const source = db.select(
    { range, matchers: EVERY, hints: { ...NO_HINTS, func: 'series' }, sorted: true },
    context(),
  );
  const shown: string[] = [];
  for (let batch = await source.next(); batch !== null; batch = await source.next()) {
    shown.push(...batch.map(({ labels }) => labels.toString()));
  }
  return { names: names.values, metrics: metrics.values, shown };
}

const ALL = [EXTRA.toString(), series(0).toString(), series(1).toString()];
const REST = ALL.slice(1);
const everything = { names: ['__name__', 'i', 'only_here'], metrics: ['extra', 'm'], shown: ALL };
const withoutExtra = { names: ['__name__', 'i'], metrics: ['m'], shown: REST };

describe('a series that was deleted as a whole', () => {
  it('is gone at once from samples, series, label names and values, of blocks and head', async () => {
    const db = await filled();
    expect(await namesIn(db, ALL_TIME)).toEqual(everything);
    await db.deleteSamples(ALL_TIME, [new Matcher('only_here', '=', 'x')]);
    expect([...(await query(db)).keys()].sort()).toEqual([...REST].sort());
    expect(await namesIn(db, ALL_TIME)).toEqual(withoutExtra);
    const matched = await namesIn(db, ALL_TIME, [new Matcher('i', '=', '1')]);
    expect([matched.names, matched.metrics]).toEqual([['__name__', 'i'], ['m']]);
    await db.close();
    const again = await openTsdb(directory, { options: OPTIONS });
    expect(await namesIn(again, ALL_TIME)).toEqual(withoutExtra);
    await append(again, [{ labels: EXTRA, timestampMs: T0 + 700_000, value: 1 }]);
    expect(await namesIn(again, ALL_TIME)).toEqual(everything);
    await again.close();
  });

  it('in part of the time shows where it has samples and nowhere else, whatever the bounds of its chunks', async () => {
    const db = await filled();
    const gone = { minMs: T0 + 130_500, maxMs: T0 + 429_500 };
    await db.deleteSamples(gone, [new Matcher('only_here', '=', 'x')]);
    const within = { minMs: T0 + 150_000, maxMs: T0 + 400_000 };
    expect(await namesIn(db, within)).toEqual(withoutExtra);
    // The deleted range reaches half a second beyond its last sample, the question almost a second.
    expect(await namesIn(db, { ...within, minMs: T0 + 130_001 })).toEqual(withoutExtra);
    expect(await namesIn(db, { ...within, minMs: T0 + 130_000 })).toEqual(everything);
    expect(await namesIn(db, { ...within, maxMs: T0 + 429_999 })).toEqual(withoutExtra);
    expect(await namesIn(db, { ...within, maxMs: T0 + 430_000 })).toEqual(everything);
    await db.close();
  });
});

describe('the space of deleted samples', () => {
  it('stays away after a start when nothing else was in its time, so that no block says where the head began', async () => {
    const options = { ...OPTIONS, samplesPerChunk: 12, snapshotIntervalMs: 0 };
    let db = await openTsdb(directory, { options });
    const fill = async (fromS: number, toS: number, index: number): Promise<void> => {
      for (let second = fromS; second < toS; second += 5) {
        const timestampMs = T0 + second * 1000;
        await append(db, [{ labels: series(index), timestampMs, value: second }]);
      }
    };
    await fill(0, 100, 0);
    await db.deleteSamples({ minMs: T0, maxMs: T0 + 100_000 }, [new Matcher('i', '=', '0')]);
    // Both go on in the same head chunk file and the same log.
    await fill(130, 180, 0);
    await fill(130, 300, 1);
    for (let restart = 0; restart < 6; restart++) {
      // By then the log has enough segments for a checkpoint.
      if (restart > 3) await db.tick();
      const times = ((await query(db)).get(series(0).toString()) ?? []).map((at) => at.timestampMs);
      expect(times).toEqual(Array.from({ length: 10 }, (_, i) => T0 + 130_000 + i * 5000));
      await db.close();
      db = await openTsdb(directory, { options });
    }
    expect(fs.readdirSync(path.join(directory, 'wal')).join()).toContain('checkpoint');
    expect(fs.readdirSync(directory).filter((name) => name.length === 26)).toEqual([]);
    await db.close();
  });

  it('is freed by itself when no deletion came for five minutes, in all blocks but the newest', async () => {
    const clock = new VirtualClock();
    // Too small for Prometheus' plan to rewrite them, and too far apart to be merged.
    for (let i = 0; i < 4; i++) {
      const minTime = i * 3 * RANGE_MS;
      const points = [{ timestampMs: minTime, bits: 1n }];
      const rows = [series(0), series(1), EXTRA].map((labels) => ({ labels, points }));
      const spec = { minTime, maxTime: minTime + RANGE_MS, rows, seed: i + 1 };
      await writeTestBlock(directory, spec);
    }
    const options = { ...OPTIONS, maxBlockDurationMs: 3 * RANGE_MS };
    const db = await openTsdb(directory, { options, clock });
    await db.deleteSamples(ALL_TIME, [new Matcher('only_here', '=', 'x')]);
    const seriesOf = (): number[] =>
      fs
        .readdirSync(directory)
        .filter((name) => name.length === 26)
        .map(
          (name): Meta =>
            JSON.parse(fs.readFileSync(path.join(directory, name, 'meta.json'), 'utf8')),
        )
        .sort((a, b) => a.minTime - b.minTime)
        .map(({ stats }) => stats.numSeries);
    await clock.advance(290_000);
    await db.tick();
    expect(seriesOf()).toEqual([3, 3, 3, 3]);
    await clock.advance(10_000);
    await db.tick();
    expect(seriesOf()).toEqual([2, 3, 3, 3]);
    await db.tick();
    await db.tick();
    await db.tick();
    expect(seriesOf()).toEqual([2, 2, 2, 3]);
    expect(await namesIn(db, ALL_TIME)).toEqual(withoutExtra);
    await db.close();
  });
});

describe('a damaged block', () => {
  async function readAll(
    db: Tsdb,
  ): Promise<{ counts: Record<string, number>; warnings: string[] }> {
    const request = { range: ALL_TIME, matchers: EVERY, hints: NO_HINTS, sorted: true };
    const source = db.select(request, context());
    const counts: Record<string, number> = {};
    for (let batch = await source.next(); batch !== null; batch = await source.next()) {
      for (const { labels, count } of batch) counts[labels.metricName + labels.get('i')] = count;
    }
    return { counts, warnings: source.warnings.map(({ text }) => text) };
  }

  function victim(): string {
    return fs.readdirSync(directory).filter((name) => name.length === 26)[0]!;
  }

  it('gives all that can be read of it, and the answer names it', async () => {
    await (await filled()).close();
    const file = path.join(directory, victim(), 'chunks', '000001');
    const bytes = fs.readFileSync(file);
    bytes[40]! ^= 0xff;
    fs.writeFileSync(file, bytes);
    const lines: string[] = [];
    const db = await openTsdb(directory, { options: OPTIONS, lines });
    const { counts, warnings } = await readAll(db);
    expect(counts.m0).toBe(600);
    expect(counts.m1).toBe(600);
    expect(counts.extra1).toBeLessThan(600);
    expect(counts.extra1).toBeGreaterThan(400);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(`block ${victim()} is damaged`);
    const meta = path.join(directory, victim(), 'meta.json');
    const { minTime, maxTime } = JSON.parse(fs.readFileSync(meta, 'utf8'));
    expect(db.lostTimes()).toEqual([{ startMs: minTime, endMs: maxTime }]);
    await readAll(db);
    expect(lines.filter((line) => line.includes(victim()))).toHaveLength(1);
    await db.close();
  });

  it('that cannot be opened is named by the answers of its time, and by no other', async () => {
    await (await filled()).close();
    fs.truncateSync(path.join(directory, victim(), 'index'), 60);
    const db = await openTsdb(directory, { options: OPTIONS });
    const { counts, warnings } = await readAll(db);
    expect(counts.m0).toBeGreaterThan(400);
    expect(warnings.join()).toContain(`block ${victim()} cannot be opened`);
    expect(db.lostTimes()).toHaveLength(1);
    expect(db.lostTimes()[0]!.endMs).toBeLessThan(T0 + 400_000);
    const names = await db.labelNames(ALL_TIME, [], 0, context());
    expect(names.warnings).toHaveLength(1);
    const later = { minMs: T0 + 400_000, maxMs: T0 + 500_000 };
    expect((await db.labelNames(later, [], 0, context())).warnings).toEqual([]);
    await db.close();
  });
});
