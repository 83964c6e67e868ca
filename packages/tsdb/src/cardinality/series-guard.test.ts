import { SeededRandom, VirtualClock } from '@pollux/base';
import { createHashKey } from '@pollux/index';
import { Labels } from '@pollux/model';
import { APPEND_OUTCOME } from '@pollux/storage';
import { Log, Registry } from '@pollux/telemetry';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Tsdb } from '../db.ts';
import { ExemplarRing } from '../head/exemplar-ring.ts';
import { Head } from '../head/head.ts';
import { tsdbMetrics } from '../metrics.ts';
import {
  append,
  chunksInMemory,
  finish,
  openTsdb,
  query,
  removeDirectory,
  T0,
  temporaryDirectory,
} from '../testing/fixtures.ts';
import { CardinalityHistory, SNAPSHOT_INTERVAL_MS } from './cardinality-history.ts';
import { NO_SERIES_LIMITS, SeriesGuard, type SeriesLimits } from './series-guard.ts';

let directory: string;
let clock: VirtualClock;
let registry: Registry;
let lines: string[];

beforeEach(() => {
  directory = temporaryDirectory();
  clock = new VirtualClock(T0);
  registry = new Registry();
  lines = [];
});

afterEach(() => removeDirectory(directory));

function open(limits: Partial<SeriesLimits>): Promise<Tsdb> {
  registry = new Registry();
  const seriesLimits = { ...NO_SERIES_LIMITS, ...limits };
  return openTsdb(directory, { clock, registry, lines, options: { seriesLimits } });
}

function of(job: string, instance: string, i: number): Labels {
  return Labels.from({ __name__: 'm', i: String(i), instance, job });
}

/** One sample to each of the series `from` to `to` of the target; the outcomes. */
function write(db: Tsdb, target: readonly [string, string], from: number, to: number, atMs = T0) {
  const [job, instance] = target;
  return append(
    db,
    Array.from({ length: to - from + 1 }, (_, i) => ({
      labels: of(job, instance, from + i),
      timestampMs: atMs,
      value: 1,
    })),
  );
}

function refused(...labels: string[]): number {
  return registry
    .counters('pollux_tsdb_series_refused_total', '', ['limit', 'job', 'instance'])
    .with(...labels).value;
}

const { ok, seriesLimit } = APPEND_OUTCOME;

describe('limits on series', () => {
  it('refuse new series of the database, in the same batch as they let the known ones go on', async () => {
    const db = await open({ total: 3 });
    expect(await write(db, ['a', 'x'], 1, 2)).toEqual([ok, ok]);
    expect(await write(db, ['a', 'x'], 1, 5, T0 + 1)).toEqual([
      ok,
      ok,
      ok,
      seriesLimit,
      seriesLimit,
    ]);
    expect(refused('total', 'a', '')).toBe(2);
    expect((await query(db)).size).toBe(3);
    await db.close();
  });

  it('hold per job and per target, and leave the others alone', async () => {
    const db = await open({ perJob: 3, perTarget: 2 });
    expect(await write(db, ['a', 'x'], 1, 3)).toEqual([ok, ok, seriesLimit]);
    expect(await write(db, ['a', 'y'], 1, 2)).toEqual([ok, seriesLimit]);
    expect(await write(db, ['b', 'x'], 1, 2)).toEqual([ok, ok]);
    expect(refused('target', 'a', 'x')).toBe(1);
    expect(refused('job', 'a', '')).toBe(1);
    await db.close();
  });

  it('count new series of the last hour only, also those that are gone', async () => {
    const db = await open({ newPerJobPerHour: 3 });
    expect(await write(db, ['a', 'x'], 1, 4)).toEqual([ok, ok, ok, seriesLimit]);
    await clock.advance(54 * 60_000);
    expect(await write(db, ['a', 'x'], 4, 4)).toEqual([seriesLimit]);
    await clock.advance(7 * 60_000);
    expect(await write(db, ['a', 'x'], 4, 4)).toEqual([ok]);
    expect(refused('churn', 'a', '')).toBe(2);
    await db.close();
  });

  it('are counted anew after a restart, where no replayed series is new', async () => {
    const first = await open({});
    await write(first, ['a', 'x'], 1, 3);
    await first.close();
    const db = await open({ perTarget: 3, newPerJobPerHour: 2 });
    expect(await write(db, ['a', 'x'], 3, 4, T0 + 1)).toEqual([ok, seriesLimit]);
    expect(await write(db, ['a', 'y'], 1, 3, T0 + 1)).toEqual([ok, ok, seriesLimit]);
    await db.close();
  });

  it('make room when series leave the head', async () => {
    const db = await open({ perJob: 2 });
    const hour = 3_600_000;
    await write(db, ['a', 'x'], 1, 2);
    expect(await write(db, ['a', 'x'], 3, 3)).toEqual([seriesLimit]);
    await write(db, ['b', 'x'], 1, 1, T0 + 4 * hour);
    await finish(clock, db.tick());
    expect(await write(db, ['a', 'x'], 3, 3, T0 + 4 * hour)).toEqual([ok]);
    await db.close();
  });

  it('change while the database runs; what is there stays', async () => {
    const db = await open({});
    await write(db, ['a', 'x'], 1, 5);
    db.setSeriesLimits({ ...NO_SERIES_LIMITS, total: 2 });
    expect(await write(db, ['a', 'x'], 5, 6, T0 + 1)).toEqual([ok, seriesLimit]);
    db.setSeriesLimits(NO_SERIES_LIMITS);
    expect(await write(db, ['a', 'x'], 6, 6, T0 + 1)).toEqual([ok]);
    await db.close();
  });

  it('are logged with the setting and the offender, once a minute', async () => {
    const db = await open({ perTarget: 1 });
    await write(db, ['a', 'x'], 1, 50);
    await write(db, ['a', 'x'], 1, 50, T0 + 1);
    const told = (): string[] => lines.filter((line) => line.includes('a limit refuses'));
    expect(told()).toHaveLength(1);
    expect(told()[0]).toContain('storage.tsdb.series_limits.per_target');
    expect(told()[0]).toContain('instance=x');
    await clock.advance(61_000);
    await write(db, ['a', 'x'], 2, 2, T0 + 2);
    expect(told()).toHaveLength(2);
    await db.close();
  });
});

describe('the history of cardinality', () => {
  const names = async (db: Tsdb, name: string, from: number, to: number): Promise<void> => {
    const writes = Array.from({ length: to - from + 1 }, (_, i) => ({
      labels: Labels.from({ __name__: name, i: String(from + i), job: 'a' }),
      timestampMs: clock.now(),
      value: 1,
    }));
    await append(db, writes);
  };

  it('tells what is large, and what grew since a time', async () => {
    const db = await open({});
    await names(db, 'large', 1, 50);
    await names(db, 'small', 1, 2);
    db.start();
    const thenMs = clock.now();
    await clock.advance(20 * 60_000);
    await names(db, 'small', 3, 12);
    await names(db, 'new', 1, 4);
    expect(db.cardinality('metric', 2, null)).toEqual({
      sinceMs: null,
      entries: [
        { name: 'large', count: 50, before: null },
        { name: 'small', count: 12, before: null },
      ],
    });
    expect(db.cardinality('metric', 3, thenMs)).toEqual({
      sinceMs: thenMs,
      entries: [
        { name: 'small', count: 12, before: 2 },
        { name: 'new', count: 4, before: null },
        { name: 'large', count: 50, before: 50 },
      ],
    });
    expect(db.cardinality('label', 1, null).entries).toEqual([
      { name: 'i', count: 50, before: null },
    ]);
    expect(db.cardinality('job', 1, thenMs).entries).toEqual([
      { name: 'a', count: 66, before: 52 },
    ]);
    await db.close();
  });

  it('keeps ten minutes apart for two hours, an hour apart for a day, and nothing longer', async () => {
    const metrics = tsdbMetrics(registry);
    const head = new Head({
      chunkRangeMs: 7_200_000,
      samplesPerChunk: 120,
      slabBytes: 64 * 1024,
      metrics,
      exemplars: new ExemplarRing(0),
      hasStartTimes: false,
      chunkFiles: chunksInMemory(),
      hashKey: createHashKey(new SeededRandom(1)),
    });
    const guard = new SeriesGuard(
      head.table,
      { clock, log: Log.silent(), metrics },
      NO_SERIES_LIMITS,
    );
    const history = new CardinalityHistory(head, guard);
    const endMs = T0 + 30 * 3_600_000;
    for (let atMs = T0; atMs <= endMs; atMs += SNAPSHOT_INTERVAL_MS) history.record(atMs);
    const ages = history.points().map(({ timeMs }) => (endMs - timeMs) / 60_000);
    expect(ages.filter((age) => age <= 120)).toEqual([
      120, 110, 100, 90, 80, 70, 60, 50, 40, 30, 20, 10, 0,
    ]);
    const old = ages.filter((age) => age > 120);
    expect(old.length).toBeGreaterThanOrEqual(20);
    expect(old.length).toBeLessThanOrEqual(23);
    expect(Math.max(...old)).toBeLessThanOrEqual(24 * 60);
    for (let i = 1; i < old.length; i++) expect(old[i - 1]! - old[i]!).toBeGreaterThanOrEqual(60);
  });
});
