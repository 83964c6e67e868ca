import * as fs from 'node:fs';
import * as path from 'node:path';
import { type Files, VirtualClock } from '@pollux/base';
import { NodeFiles } from '@pollux/base/node';
import { Matcher } from '@pollux/model';
import { APPEND_OUTCOME, NO_HINTS } from '@pollux/storage';
import { Registry, renderText } from '@pollux/telemetry';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Tsdb } from '../db.ts';
import { WalWriteError } from '../errors.ts';
import { RECORD } from '../format/wal-record.ts';
import type { TsdbOptions } from '../options.ts';
import {
  append,
  context,
  EVERY,
  finish,
  openTsdb,
  pointsOf,
  query,
  removeDirectory,
  series,
  stage,
  T0,
  temporaryDirectory,
  type Write,
} from '../testing/fixtures.ts';
import { SegmentWriter } from '../wal/segment-writer.ts';
import { WalReader } from '../wal/wal-reader.ts';

const { ok, duplicate, outOfOrder, outOfBounds, tooOld } = APPEND_OUTCOME;
const HOUR = 3_600_000;
const OPEN: Partial<TsdbOptions> = { outOfOrderWindowMs: 3 * HOUR, retentionMs: 0 };

let directory: string;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => removeDirectory(directory));

const at = (offsetMs: number, value: number, index = 0): Write => ({
  labels: series(index),
  timestampMs: T0 + offsetMs,
  value,
});

/** Offsets to T0 and values of one series. */
async function samplesOf(db: Tsdb, index = 0): Promise<[number, number][]> {
  const points = (await query(db)).get(series(index).toString()) ?? [];
  const view = new DataView(new ArrayBuffer(8));
  return points.map(({ timestampMs, bits }) => {
    view.setBigUint64(0, bits);
    return [timestampMs - T0, view.getFloat64(0)];
  });
}

function metric(registry: Registry, name: string): number {
  const line = renderText(registry.gather())
    .split('\n')
    .find((text) => text.startsWith(`prometheus_tsdb_${name}`));
  return Number(line?.split(' ').at(-1));
}

const blocksIn = (): string[] => fs.readdirSync(directory).filter((name) => name.length === 26);
const hintsOf = (block: string): unknown =>
  JSON.parse(fs.readFileSync(path.join(directory, block, 'meta.json'), 'utf8')).compaction.hints;

describe('the out-of-order window', () => {
  it('decides as Prometheus: by the series, the head and the window', async () => {
    const registry = new Registry();
    const db = await openTsdb(directory, { options: OPEN, registry });
    await append(db, [at(10 * HOUR, 1), at(10 * HOUR, 1, 1)]);
    expect(await append(db, [at(10 * HOUR - 1, 2)])).toEqual([ok]);
    // The newest of the series: equal is taken, other is not, in the window or out of it.
    expect(await append(db, [at(10 * HOUR, 1)])).toEqual([ok]);
    expect(await append(db, [at(10 * HOUR, 3)])).toEqual([duplicate]);
    // Exactly as old as the window is in it.
    expect(await append(db, [at(7 * HOUR, 4), at(7 * HOUR - 1, 5)])).toEqual([ok, tooOld]);
    // A series without a sample takes in order only what is not in the next block's time.
    expect(await append(db, [at(9.5 * HOUR, 6, 2), at(8 * HOUR, 7, 3)])).toEqual([ok, ok]);
    expect(await samplesOf(db)).toEqual([
      [7 * HOUR, 4],
      [10 * HOUR - 1, 2],
      [10 * HOUR, 1],
    ]);
    expect(await samplesOf(db, 3)).toEqual([[8 * HOUR, 7]]);
    expect(metric(registry, 'head_out_of_order_samples_appended_total{type="float"}')).toBe(3);
    expect(metric(registry, 'too_old_samples_total{type="float"}')).toBe(1);
    expect(metric(registry, 'out_of_order_samples_total{type="float"}')).toBe(0);
    expect(metric(registry, 'sample_ooo_delta_count')).toBe(4);
    await db.close();
  });

  it('shut, refuses as before, and says which rule refused', async () => {
    const registry = new Registry();
    const db = await openTsdb(directory, { options: { retentionMs: 0 }, registry });
    await append(db, [at(10 * HOUR, 1)]);
    expect(await append(db, [at(10 * HOUR - 1, 2), at(8 * HOUR, 2)])).toEqual([
      outOfOrder,
      outOfBounds,
    ]);
    expect(metric(registry, 'out_of_order_samples_total{type="float"}')).toBe(1);
    expect(metric(registry, 'out_of_bound_samples_total{type="float"}')).toBe(1);
    expect(fs.existsSync(path.join(directory, 'wbl'))).toBe(false);
    await db.close();
  });

  it('takes a batch that goes back and forth, and one that another has overtaken', async () => {
    const db = await openTsdb(directory, { options: OPEN });
    expect(await append(db, [at(30, 3), at(10, 1), at(20, 2), at(20, 9)])).toEqual([
      ok,
      ok,
      ok,
      ok,
    ]);
    const slow = db.appender();
    stage(slow, [at(40, 4)]);
    await append(db, [at(50, 5)]);
    await slow.commit();
    expect(await samplesOf(db)).toEqual([10, 20, 30, 40, 50].map((time, i) => [time, i + 1]));
    await db.close();
  });

  it('logs a sample that became late while its batch waited for the disk', async () => {
    const synced: Partial<TsdbOptions> = { ...OPEN, fsync: 'always' };
    let db = await openTsdb(directory, { options: synced });
    await append(db, [at(10, 1)]);
    const fast = db.appender();
    const slow = db.appender();
    stage(fast, [at(50, 5)]);
    stage(slow, [at(40, 4)]);
    await Promise.all([fast.commit(), slow.commit()]);
    const expected = [10, 40, 50].map((time) => [time, time / 10]);
    expect(await samplesOf(db)).toEqual(expected);
    await db.close();
    db = await openTsdb(directory, { options: synced });
    expect(await samplesOf(db)).toEqual(expected);
    await db.close();
  });

  it('refuses markers and results that are late when their writer asks for that', async () => {
    const db = await openTsdb(directory, { options: OPEN });
    await append(db, [at(1000, 1)]);
    const appender = db.appender();
    appender.refusesOutOfOrder = true;
    expect(stage(appender, [at(500, 2), at(2000, 3)])).toEqual([outOfOrder, ok]);
    appender.refusesOutOfOrder = false;
    expect(stage(appender, [at(600, 4)])).toEqual([ok]);
    await appender.commit();
    expect(await samplesOf(db)).toEqual([
      [600, 4],
      [1000, 1],
      [2000, 3],
    ]);
    await db.close();
  });

  it('shows whole commits only: what arrives behind a query is not in it, sealed or not', async () => {
    const db = await openTsdb(directory, { options: OPEN });
    const late = Array.from({ length: 70 }, (_, i) => at(((i * 37) % 70) * 10, i));
    await append(db, [at(5000, -1), ...late.slice(0, 40)]);
    const seen = await samplesOf(db);
    expect(seen).toHaveLength(41);
    const request = { range: { minMs: T0, maxMs: T0 + HOUR }, matchers: EVERY, hints: NO_HINTS };
    const source = db.select({ ...request, sorted: true }, context());
    await append(db, late.slice(40));
    const batch = await source.next();
    expect(pointsOf(batch![0]!).map(({ timestampMs }) => timestampMs - T0)).toEqual(
      seen.map(([time]) => time),
    );
    source.close();
    expect(await samplesOf(db)).toHaveLength(71);
    await db.close();
  });

  it('brings back after a restart what was acknowledged, also when the window is shut by then', async () => {
    let db = await openTsdb(directory, { options: OPEN });
    const late = Array.from({ length: 100 }, (_, i) => at(((i * 53) % 100) * 7, i));
    await append(db, [at(9000, -1)]);
    for (const write of late) await append(db, [write]);
    const before = await samplesOf(db);
    expect(before).toHaveLength(101);
    await db.close();
    db = await openTsdb(directory, { options: { retentionMs: 0 } });
    expect(await samplesOf(db)).toEqual(before);
    expect(await append(db, [at(1, 1)])).toEqual([outOfOrder]);
    await db.close();
    db = await openTsdb(directory, { options: OPEN });
    expect(await samplesOf(db)).toEqual(before);
    await db.close();
  });

  it('opens and shuts while the database runs', async () => {
    const db = await openTsdb(directory, { options: { retentionMs: 0 } });
    await append(db, [at(9000, 1)]);
    const open = db.prepareOutOfOrderWindow(HOUR);
    expect(await append(db, [at(8000, 2)])).toEqual([outOfOrder]);
    open();
    expect(await append(db, [at(8000, 2)])).toEqual([ok]);
    db.prepareOutOfOrderWindow(0)();
    expect(await append(db, [at(7000, 2)])).toEqual([outOfOrder]);
    expect(await samplesOf(db)).toHaveLength(2);
    await db.close();
  });
});

describe('out-of-order samples and blocks', () => {
  const SMALL: Partial<TsdbOptions> = {
    minBlockDurationMs: 60_000,
    maxBlockDurationMs: 60_000,
    outOfOrderWindowMs: 600_000,
    retentionMs: 0,
  };

  /** Fills the head so far that a block is due. */
  async function fill(db: Tsdb, fromMs: number, toMs: number): Promise<void> {
    for (let time = fromMs; time <= toMs; time += 5000) await append(db, [at(time, time)]);
  }

  it('move to blocks of their own, marked, when the head does; then the log is short again', async () => {
    const clock = new VirtualClock();
    const registry = new Registry();
    let db = await openTsdb(directory, { options: SMALL, clock, registry });
    await fill(db, 300_000, 330_000);
    for (let i = 0; i < 200; i++) await append(db, [at(((i * 71) % 200) * 1500 + 3, i)]);
    await append(db, [at(301, 7, 5)]);
    const before = [await samplesOf(db), await samplesOf(db, 5)];
    await fill(db, 335_000, 400_000);
    await finish(clock, db.tick());
    const marked = blocksIn().filter((block) => hintsOf(block) !== undefined);
    expect(marked.map(hintsOf)).toEqual(Array(5).fill(['from-out-of-order']));
    expect(blocksIn().length).toBe(6);
    expect((await samplesOf(db)).filter(([time]) => time <= 330_000)).toEqual(before[0]);
    expect(await samplesOf(db, 5)).toEqual(before[1]);
    expect(metric(registry, 'out_of_order_wbl_storage_size_bytes')).toBe(0);
    const all = await samplesOf(db);
    // The head begins behind the block that was cut, not behind the blocks of late samples.
    expect(await append(db, [at(401_000, 1)])).toEqual([ok]);
    await db.close();
    db = await openTsdb(directory, { options: SMALL, clock });
    expect(await samplesOf(db)).toEqual([...all, [401_000, 1]]);
    await db.close();
  });

  it('lose to one of the same time that was there before, wherever the two have gone', async () => {
    const clock = new VirtualClock();
    let db = await openTsdb(directory, { options: SMALL, clock });
    // The first block begins behind the beginning of its time, its fellow of late samples at it.
    await fill(db, 301_000, 346_000);
    await append(db, [at(316_000, 1), at(316_001, 1)]);
    await append(db, [at(400_000, 0)]);
    await append(db, [at(396_000, 1)]);
    await append(db, [at(396_000, 2)]);
    const expected = [
      [316_000, 316_000],
      [316_001, 1],
      [396_000, 1],
    ];
    const doubtful = async (): Promise<unknown> =>
      (await samplesOf(db)).filter(([time]) => expected.some(([other]) => time === other));
    expect(await doubtful()).toEqual(expected);
    await finish(clock, db.tick());
    // Those of the same time have been made one.
    expect(blocksIn().length).toBe(2);
    expect(await doubtful()).toEqual(expected);
    await db.close();
    db = await openTsdb(directory, { options: SMALL, clock });
    expect(await doubtful()).toEqual(expected);
    await db.close();
  });

  it('lose to one that went to a block before, also when the wall clock was set back since', async () => {
    for (const byMs of [0, -60_000, -HOUR]) {
      const home = temporaryDirectory();
      const clock = new VirtualClock(T0);
      let db = await openTsdb(home, { options: SMALL, clock });
      await fill(db, 600_000, 700_000);
      await append(db, [at(300_001, 1)]);
      await finish(clock, db.tick());
      clock.jump(byMs);
      await append(db, [at(300_001, 2), at(300_002, 3)]);
      await fill(db, 705_000, 780_000);
      await finish(clock, db.tick());
      const late = async (): Promise<unknown> =>
        (await samplesOf(db)).filter(([time]) => time === 300_001 || time === 300_002);
      expect(await late()).toEqual([
        [300_001, 1],
        [300_002, 3],
      ]);
      await db.close();
      db = await openTsdb(home, { options: SMALL, clock });
      await finish(clock, db.tick());
      expect(await late()).toEqual([
        [300_001, 1],
        [300_002, 3],
      ]);
      await db.close();
      removeDirectory(home);
    }
  });

  it('go to blocks also when the window was shut meanwhile', async () => {
    const clock = new VirtualClock();
    let db = await openTsdb(directory, { options: SMALL, clock });
    await fill(db, 300_000, 330_000);
    await append(db, [at(100_000, 1)]);
    await db.close();
    db = await openTsdb(directory, { options: { ...SMALL, outOfOrderWindowMs: 0 }, clock });
    await fill(db, 335_000, 400_000);
    await finish(clock, db.tick());
    expect(blocksIn().some((block) => hintsOf(block) !== undefined)).toBe(true);
    expect((await samplesOf(db))[0]).toEqual([100_000, 1]);
    await db.close();
    const left = fs.readdirSync(path.join(directory, 'wbl'));
    expect(left.map((name) => fs.statSync(path.join(directory, 'wbl', name)).size)).toEqual([0]);
  });

  it('keep a series that has nothing else in the head, and its record in the log', async () => {
    const clock = new VirtualClock();
    let db = await openTsdb(directory, { options: SMALL, clock });
    await fill(db, 300_000, 400_000);
    await append(db, [at(10, 1, 9)]);
    const hold = db.select(
      { range: { minMs: T0, maxMs: T0 + 20 }, matchers: EVERY, hints: NO_HINTS, sorted: true },
      context(),
    );
    // The query holds the late samples, so they cannot leave; the head moves on.
    const tick = db.tick();
    await clock.advance(1000);
    await db.close().catch(() => {});
    hold.close();
    await tick;
    db = await openTsdb(directory, { options: SMALL, clock });
    expect(await samplesOf(db, 9)).toEqual([[10, 1]]);
    await db.close();
  });

  it('are answered once, whole, to a query that began before they moved', async () => {
    const clock = new VirtualClock();
    const db = await openTsdb(directory, { options: SMALL, clock });
    await fill(db, 300_000, 400_000);
    for (let i = 0; i < 50; i++) await append(db, [at(i * 7, i)]);
    const before = await samplesOf(db);
    const range = { minMs: T0 - HOUR, maxMs: T0 + HOUR };
    const old = db.select({ range, matchers: EVERY, hints: NO_HINTS, sorted: true }, context());
    const tick = db.tick();
    await clock.advance(2000);
    expect(await samplesOf(db)).toEqual(before);
    const batch = await old.next();
    expect(batch![0]!.count).toBe(before.length);
    old.close();
    await finish(clock, tick);
    expect(await samplesOf(db)).toEqual(before);
    await db.close();
  });

  it('stay deleted where the log has them still: also without the head snapshot, and of series that have left the head', async () => {
    const EVERYTHING = { minMs: Number.MIN_SAFE_INTEGER, maxMs: Number.MAX_SAFE_INTEGER };
    for (const isSnapshotLost of [true, false]) {
      const home = temporaryDirectory();
      const clock = new VirtualClock();
      const options = { ...SMALL, snapshotLogBytes: 1 };
      let db = await openTsdb(home, { options, clock });
      await fill(db, 300_000, 400_000);
      // Late for a series without samples: the log does not tell it from one in order.
      await append(db, [at(365_000, 7, 5), at(365_000, 7, 6)]);
      await finish(clock, db.tick());
      await db.close();
      db = await openTsdb(home, { options, clock });
      expect(await samplesOf(db, 5)).toEqual([[365_000, 7]]);
      await db.deleteSamples(EVERYTHING, [new Matcher('i', '=', '5')]);
      await append(db, [at(400_001, 8, 5)]);
      await db.close();
      if (isSnapshotLost) fs.rmSync(path.join(home, 'head_snapshot'));
      db = await openTsdb(home, { options, clock });
      expect(await samplesOf(db, 5)).toEqual([[400_001, 8]]);
      expect(await samplesOf(db, 6)).toEqual([[365_000, 7]]);
      await db.close();
      removeDirectory(home);
    }
  });

  it('are hidden by a deletion, which later samples of the same times survive', async () => {
    const clock = new VirtualClock();
    const options = SMALL;
    let db = await openTsdb(directory, { options, clock });
    await fill(db, 300_000, 330_000);
    for (let i = 0; i < 20; i++) await append(db, [at(i * 10, i), at(i * 10, i, 1)]);
    await db.deleteSamples({ minMs: T0 + 50, maxMs: T0 + 120 }, [new Matcher('i', '=', '0')]);
    await append(db, [at(60, 600)]);
    const expected = [
      ...[0, 10, 20, 30, 40].map((time, i) => [time, i]),
      [60, 600],
      ...[130, 140, 150, 160, 170, 180, 190].map((time, i) => [time, i + 13]),
    ];
    const early = async (): Promise<unknown> => (await samplesOf(db)).filter(([t]) => t < 1000);
    expect(await early()).toEqual(expected);
    await db.close();
    db = await openTsdb(directory, { options, clock });
    expect(await early()).toEqual(expected);
    await fill(db, 335_000, 400_000);
    await finish(clock, db.tick());
    expect(await early()).toEqual(expected);
    expect((await samplesOf(db, 1)).length).toBe(20);
    await db.deleteSamples({ minMs: T0, maxMs: T0 + 1000 }, [new Matcher('i', '=', '1')]);
    const names = await db.labelValues('i', { minMs: T0, maxMs: T0 + 1000 }, [], 0, context());
    expect(names.values).toEqual(['0']);
    await db.close();
  });
});

describe('the out-of-order log', () => {
  it('refuses the whole batch when it cannot be written', async () => {
    let isFull = false;
    class FullDisk extends NodeFiles {
      override open(...args: Parameters<Files['open']>): ReturnType<Files['open']> {
        const file = super.open(...args);
        if (!args[0].includes('/wbl/')) return file;
        const write = file.write.bind(file);
        file.write = (...parts) => {
          if (isFull) throw Object.assign(new Error('no space left'), { code: 'ENOSPC' });
          return write(...parts);
        };
        return file;
      }
    }
    const db = await openTsdb(directory, { options: OPEN, files: new FullDisk() });
    await append(db, [at(1000, 1)]);
    isFull = true;
    await expect(append(db, [at(500, 2), at(2000, 3)])).rejects.toThrow(WalWriteError);
    expect(await samplesOf(db)).toEqual([[1000, 1]]);
    isFull = false;
    expect(await append(db, [at(500, 2), at(2000, 3)])).toEqual([ok, ok]);
    expect(await samplesOf(db)).toHaveLength(3);
    await db.close();
  });

  it('loses only what a torn end held, and goes on', async () => {
    let db = await openTsdb(directory, { options: OPEN });
    await append(db, [at(1000, 1)]);
    for (let i = 0; i < 10; i++) await append(db, [at(i, i)]);
    await db.close();
    const file = path.join(directory, 'wbl', '00000000');
    fs.truncateSync(file, 200);
    const lines: string[] = [];
    db = await openTsdb(directory, { options: OPEN, lines });
    const left = await samplesOf(db);
    expect(left.length).toBeGreaterThan(2);
    expect(left.length).toBeLessThan(11);
    expect(lines.join('\n')).toContain('out-of-order log');
    expect(await append(db, [at(500, 2)])).toEqual([ok]);
    await db.close();
  });

  it('of Prometheus is read whole, and left without the markers that send it to its chunk files', async () => {
    let db = await openTsdb(directory, { options: OPEN });
    await append(db, [at(1000, 1)]);
    for (let i = 0; i < 5; i++) await append(db, [at(i, i)]);
    await db.close();
    // Series 1, chunk 2^32 + 8 in both markers.
    const entry = [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 8];
    const marker = Uint8Array.from([RECORD.mmapMarkers, ...entry, ...entry]);
    const writer = new SegmentWriter(
      { files: new NodeFiles(), directory: path.join(directory, 'wbl') },
      7,
    );
    writer.write([marker]);
    await writer.close();
    for (let name = 1; name < 7; name++) {
      fs.writeFileSync(path.join(directory, 'wbl', `0000000${name}`), '');
    }
    db = await openTsdb(directory, { options: OPEN });
    expect(await samplesOf(db)).toHaveLength(6);
    expect(fs.readdirSync(path.join(directory, 'wbl'))).toEqual(['00000008']);
    await db.close();
    const lines: string[] = [];
    db = await openTsdb(directory, { options: OPEN, lines });
    expect(await samplesOf(db)).toHaveLength(6);
    expect(lines.join('\n')).not.toContain('out-of-order');
    await db.close();
  });

  it('leaves followers of the write-ahead log each sample exactly once', async () => {
    const db = await openTsdb(directory, { options: OPEN });
    await append(db, [at(1000, 1)]);
    await append(db, [at(500, 2), at(1500, 3), at(400, 4)]);
    const reader = new WalReader({
      files: new NodeFiles(),
      from: { segment: 0, offset: 0 },
      pathOf: (segment) => db.walTail.segmentPath(segment),
      watermark: () => db.walTail.position(),
    });
    const seen: number[] = [];
    for (let record = reader.next(); record !== null; record = reader.next()) {
      if (record.kind !== 'samples') continue;
      seen.push(...record.samples.timestampsMs.subarray(0, record.samples.count));
    }
    reader.close();
    expect(seen.map((time) => time - T0)).toEqual([1000, 500, 1500, 400]);
    await db.close();
  });
});
