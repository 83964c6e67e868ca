import * as fs from 'node:fs';
import * as path from 'node:path';
import { type Clock, SeededRandom, VirtualClock } from '@pollux/base';
import { NodeFiles, nodeEnv } from '@pollux/base/node';
import { Labels } from '@pollux/model';
import { APPEND_OUTCOME, staleHistogram, UnavailableError } from '@pollux/storage';
import { Log, Registry } from '@pollux/telemetry';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Tsdb } from './db.ts';
import type { TsdbOptions } from './options.ts';
import { copyLive } from './testing/copy-live.ts';
import {
  append,
  context,
  EVERY,
  HastyClock,
  openTsdb,
  query,
  removeDirectory,
  series,
  stage,
  T0,
  temporaryDirectory,
  type Write,
} from './testing/fixtures.ts';

let directory: string;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => removeDirectory(directory));

/** A start whose replay gives way after every record. */
function begin(
  options: Partial<TsdbOptions> = {},
  files = new NodeFiles(),
  clock: Clock = new HastyClock(),
): Promise<Tsdb> {
  const env = { ...nodeEnv(), clock, random: new SeededRandom(1), files };
  return Tsdb.begin({
    directory,
    env,
    log: Log.silent(),
    registry: new Registry(),
    options: { slabBytes: 64 * 1024, ...options },
  });
}

const sample = (index: number, step: number, value = index * 1000 + step): Write => ({
  labels: series(index),
  timestampMs: T0 + step * 1000,
  value,
});

/** A log of `steps` batches of ten series, left by a kill. */
async function leaveLog(steps: number, options: Partial<TsdbOptions> = {}): Promise<void> {
  const db = await openTsdb(directory, { options });
  for (let step = 1; step <= steps; step++) {
    await append(
      db,
      Array.from({ length: 10 }, (_, i) => sample(i, step)),
    );
  }
  await db.close();
}

function timesOf(answer: Awaited<ReturnType<typeof query>>, index: number): number[] {
  const points = answer.get(series(index).toString()) ?? [];
  return points.map(({ timestampMs }) => (timestampMs - T0) / 1000);
}

/** Sends again as often as it must. */
async function untilTaken(send: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      await send();
      return;
    } catch (error) {
      if (!(error instanceof UnavailableError)) throw error;
      await turn();
    }
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('while the log is replayed', () => {
  it('blocks are answered, and times that the head may hold are refused with the progress', async () => {
    const options = { minBlockDurationMs: 20_000, retentionMs: 0 };
    const db = await openTsdb(directory, { options, clock: new HastyClock() });
    for (let step = 1; step <= 45; step++) await append(db, [sample(1, step)]);
    await db.tick();
    const before = await query(db);
    await db.close();

    const starting = await begin(options);
    void starting.recovered();
    expect(starting.recovery.state).toBe('replaying');
    const inBlock = { minMs: T0, maxMs: T0 + 19_999 };
    const expected = timesOf(before, 1).filter((second) => second < 20);
    expect(expected.length).toBeGreaterThan(10);
    expect(timesOf(await query(starting, EVERY, inBlock), 1)).toEqual(expected);
    const names = await starting.labelNames(inBlock, [], 0, context());
    expect(names.values).toEqual(['__name__', 'i']);
    const all = { minMs: T0, maxMs: T0 + 60_000 };
    await expect(query(starting, EVERY, all)).rejects.toThrow(
      /being replayed: segment \d+ of \d+, \d+ %/,
    );
    await expect(starting.labelValues('i', all, [], 0, context())).rejects.toBeInstanceOf(
      UnavailableError,
    );
    await expect(starting.selectExemplars(all, [EVERY], context())).rejects.toThrow('replayed');
    await expect(starting.deleteSamples(all, EVERY)).rejects.toThrow('replayed');
    await starting.recovered();
    expect(starting.recovery).toMatchObject({ state: 'ready', fraction: 1 });
    expect(await query(starting, EVERY, all)).toEqual(before);
    await starting.close();
  });

  it('batches are taken, and are there with the rest when it is over and after a restart', async () => {
    await leaveLog(40);
    const db = await begin();
    const highest = 10;
    const appender = db.appender();
    // Known to the log, though not yet to the head, and new: both get references that the log does not use.
    const refs = [appender.series(series(3)), appender.series(series(77))];
    for (const ref of refs) expect(ref).toBeGreaterThan(highest);
    appender.rollback();
    const recovered = db.recovered();
    await append(db, [sample(3, 100), sample(77, 100)]);
    expect(db.recovery.state).toBe('replaying');
    await append(db, [sample(3, 101), sample(77, 101)]);
    await recovered;
    await append(db, [sample(3, 102), sample(77, 102)]);
    const answer = await query(db);
    expect(timesOf(answer, 3)).toEqual(
      [...Array(40).keys()].map((i) => i + 1).concat(100, 101, 102),
    );
    expect(timesOf(answer, 77)).toEqual([100, 101, 102]);
    expect(answer.size).toBe(11);
    await db.close();
    const again = await openTsdb(directory);
    expect(await query(again)).toEqual(answer);
    await again.close();
  });

  it('senders that send again are told to when a sample may not be in order, and nothing taken from them is lost', async () => {
    await leaveLog(40);
    const db = await begin();
    const send = async (...writes: Write[]): Promise<void> => {
      const appender = db.forResenders.appender();
      try {
        expect(stage(appender, writes)).toEqual(writes.map(() => APPEND_OUTCOME.ok));
        await appender.commit();
      } catch (error) {
        appender.rollback();
        throw error;
      }
    };
    // At or before the log's newest sample, also of a series that the log does not have, and one beside newer ones.
    for (const writes of [[sample(3, 40)], [sample(77, 12)], [sample(3, 50), sample(4, 40)]]) {
      await expect(send(...writes)).rejects.toThrow(UnavailableError);
      await expect(send(...writes)).rejects.toThrow(/segment \d+ of \d+, \d+ %/);
    }
    expect(db.recovery.state).toBe('replaying');
    // Until the log's end is known, nothing is.
    await untilTaken(() => send(sample(1, 41), sample(77, 41)));
    const recovered = db.recovered();
    await send(sample(1, 60));
    // Behind what was taken meanwhile, from it or from a scrape; other series may still be at that time.
    await expect(send(sample(1, 50))).rejects.toThrow(UnavailableError);
    await append(db, [sample(2, 70)]);
    await expect(send(sample(2, 65))).rejects.toThrow(UnavailableError);
    await send(sample(5, 50));
    expect(db.recovery.state).toBe('replaying');
    await recovered;
    await send(sample(5, 80));
    const answer = await query(db);
    const logged = [...Array(40).keys()].map((i) => i + 1);
    expect(timesOf(answer, 1)).toEqual([...logged, 41, 60]);
    expect(timesOf(answer, 2)).toEqual([...logged, 70]);
    expect(timesOf(answer, 5)).toEqual([...logged, 50, 80]);
    expect(timesOf(answer, 77)).toEqual([41]);
    // Now the database knows.
    const late = db.forResenders.appender();
    expect(stage(late, [sample(1, 50)])).toEqual([APPEND_OUTCOME.outOfOrder]);
    late.rollback();
    await db.close();
  });

  it('the time of what a snapshot or head chunks hold counts as that of the log', async () => {
    const options = { snapshotIntervalMs: 1, snapshotLogBytes: 0 };
    await leaveLog(300, options);
    expect(fs.existsSync(path.join(directory, 'head_snapshot'))).toBe(true);
    const db = await begin(options);
    const appender = db.forResenders.appender();
    await untilTaken(async () => {
      expect(() => stage(appender, [sample(3, 300)])).toThrow(UnavailableError);
      expect(stage(appender, [sample(4, 301)])).toEqual([APPEND_OUTCOME.ok]);
    });
    const ref = appender.series(series(9));
    const histogram = staleHistogram(true);
    expect(() => appender.appendHistogram(ref, T0 + 300_000, histogram, 0)).toThrow('replayed');
    expect(appender.appendHistogram(ref, T0 + 300_001, histogram, 0)).toBe(APPEND_OUTCOME.ok);
    appender.rollback();
    await db.recovered();
    await db.close();
  });

  it('a batch that was begun during it can be committed after it', async () => {
    await leaveLog(20);
    const db = await begin();
    const appender = db.appender();
    stage(appender, [sample(1, 50), sample(60, 50)]);
    await db.recovered();
    await appender.commit();
    const answer = await query(db);
    expect(timesOf(answer, 1).at(-1)).toBe(50);
    expect(timesOf(answer, 60)).toEqual([50]);
    await db.close();
  });

  it('nothing acknowledged is lost or doubled, whenever batches come and the process is killed', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), async (seed) => {
        removeDirectory(directory);
        const random = new SeededRandom(seed);
        const isSynced = random.below(2) === 0;
        const options: Partial<TsdbOptions> = {
          fsync: isSynced ? 'always' : 'interval',
          walSegmentBytes: 2 * 32 * 1024,
        };
        const ledger = new Map<string, number[]>();
        let step = 0;
        const write = async (db: Tsdb): Promise<void> => {
          step++;
          const writes: Write[] = [];
          for (let i = 0; i < 6; i++) if (random.below(2) === 0) writes.push(sample(i, step));
          const at = step;
          await append(db, writes);
          for (const { labels } of writes) {
            const key = labels.toString();
            ledger.set(key, [...(ledger.get(key) ?? []), at]);
          }
        };
        for (let life = 0; life < 4; life++) {
          const db = await begin(options);
          let isOver = false;
          const recovered = db.recovered().then(() => {
            isOver = true;
          });
          const during = random.below(12);
          for (let i = 0; i < during && !isOver; i++) {
            await write(db);
            for (let turns = random.below(4); turns > 0; turns--) await turn();
          }
          await recovered;
          for (let i = random.below(20); i > 0; i--) await write(db);
          const answer = await query(db);
          const found = [...answer].map(([key, points]): [string, number[]] => [
            key,
            points.map(({ timestampMs }) => (timestampMs - T0) / 1000),
          ]);
          for (const times of ledger.values()) times.sort((a, b) => a - b);
          expect(new Map(found)).toEqual(ledger);
          // Killed: a copy of the files is what the next life finds.
          const copy = `${directory}-copy`;
          copyLive(directory, copy);
          await db.close();
          removeDirectory(directory);
          fs.renameSync(copy, directory);
        }
      }),
      { numRuns: Number(process.env.TSDB_RUNS ?? 10) },
    );
  });

  it('it can be closed, and the next start finds all', async () => {
    await leaveLog(40);
    const db = await begin();
    const recovered = db.recovered();
    await append(db, [sample(5, 90)]);
    await db.close();
    await expect(recovered).rejects.toThrow();
    const again = await openTsdb(directory);
    expect(timesOf(await query(again), 5)).toEqual(
      [...Array(40).keys()].map((i) => i + 1).concat(90),
    );
    await again.close();
  });
});

describe('a log that cannot be replayed', () => {
  it('leaves the database failed: nothing is taken, blocks say why, no segment is left for each try', async () => {
    await leaveLog(5);
    const wal = path.join(directory, 'wal');
    const names = fs.readdirSync(wal);
    const failing = new NodeFiles();
    const open = failing.open.bind(failing);
    let isFailing = false;
    failing.open = (name, mode) => {
      if (isFailing && mode === 'r' && name.includes('/wal/')) {
        throw Object.assign(new Error('permission denied'), { code: 'EACCES' });
      }
      return open(name, mode);
    };
    const db = await begin({}, failing, new VirtualClock());
    isFailing = true;
    await expect(db.recovered()).rejects.toThrow('permission denied');
    expect(db.recovery.state).toBe('failed');
    expect(() => db.appender()).toThrow('permission denied');
    await expect(query(db)).rejects.toThrow('could not be replayed: permission denied');
    await db.close();
    expect(fs.readdirSync(wal)).toEqual(names);
  });
});

describe('the references of a damaged log', () => {
  it('are not given to series that come during the replay', async () => {
    const db = await openTsdb(directory, { options: { walCompression: 'none' } });
    for (let i = 0; i < 400; i++) {
      const labels = Labels.from({ __name__: 'm', i: String(i), pad: 'x'.repeat(200) });
      await append(db, [{ labels, timestampMs: T0 + i, value: i }]);
    }
    await append(db, [sample(1, 500)]);
    await db.close();
    const segment = path.join(directory, 'wal/00000000');
    const bytes = fs.readFileSync(segment);
    // The pages with the records of the newest series.
    bytes.fill(0xee, 64 * 1024);
    fs.writeFileSync(segment, bytes);
    const starting = await begin();
    const appender = starting.appender();
    expect(appender.series(series(9999))).toBeGreaterThan(401);
    appender.rollback();
    await starting.recovered();
    await starting.close();
  });

  it('that is closed on the way leaves no snapshot of half a head', async () => {
    await leaveLog(50);
    const options = { snapshotIntervalMs: 1, snapshotLogBytes: 0 };
    // Its slices are over at once, but nothing is ever late.
    const clock = Object.assign(new HastyClock(), { after: () => ({ cancel: () => {} }) });
    const starting = await begin(options, new NodeFiles(), clock);
    const recovered = starting.recovered();
    await append(starting, [sample(0, 51)]);
    await Promise.all([starting.close(), expect(recovered).rejects.toThrow()]);
    expect(fs.existsSync(path.join(directory, 'head_snapshot'))).toBe(false);
    const db = await openTsdb(directory, { options });
    expect(timesOf(await query(db), 0)).toEqual(Array.from({ length: 51 }, (_, i) => i + 1));
    await db.close();
    // The next start has a snapshot, and takes batches while it reads the log behind it.
    expect(fs.existsSync(path.join(directory, 'head_snapshot'))).toBe(true);
    const next = await begin(options);
    await append(next, [sample(0, 52), sample(77, 52)]);
    await next.recovered();
    const answer = await query(next);
    expect(timesOf(answer, 0)).toEqual(Array.from({ length: 52 }, (_, i) => i + 1));
    expect(timesOf(answer, 9)).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
    expect(timesOf(answer, 77)).toEqual([52]);
    await next.close();
  });
});
