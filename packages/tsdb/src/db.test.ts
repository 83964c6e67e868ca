import * as fs from 'node:fs';
import * as path from 'node:path';
import { LimitError, VirtualClock } from '@pollux/base';
import { Labels, Matcher } from '@pollux/model';
import { APPEND_OUTCOME, MemoryBudget, NO_HINTS } from '@pollux/storage';
import { Registry } from '@pollux/telemetry';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Tsdb } from './db.ts';
import {
  ALL_TIME,
  append,
  bitsOf,
  context,
  EVERY,
  finish,
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

const STALE = 0x7ff0000000000002n;
const RANGE_MS = 120_000;

let directory: string;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => removeDirectory(directory));

function one(timestampMs: number, value: number | bigint, index = 0): Write[] {
  return [{ labels: series(index), timestampMs, value }];
}

async function times(db: Tsdb, index = 0): Promise<number[]> {
  const answer = await query(db);
  return (answer.get(series(index).toString()) ?? []).map(({ timestampMs }) => timestampMs);
}

/** `seconds` samples a second apart of `seriesCount` series, with a tick each 10 s. */
async function fill(db: Tsdb, start: number, seconds: number, seriesCount: number): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    const writes: Write[] = [];
    for (let i = 0; i < seriesCount; i++) {
      writes.push({ labels: series(i), timestampMs: start + second * 1000, value: second * i });
    }
    await append(db, writes);
    if (second % 10 === 0) await db.tick();
  }
}

function blocksOf(data: string): string[] {
  return fs.readdirSync(data).filter((name) => name.length === 26);
}

describe('appending', () => {
  it('keeps stale markers, NaN payloads, infinities and −0 bit for bit, also over a restart', async () => {
    const values = [
      STALE,
      0x7ff8000000000001n,
      0xfff8dead0000beefn,
      bitsOf(Number.NEGATIVE_INFINITY),
      bitsOf(-0),
      bitsOf(5e-324),
    ];
    const db = await openTsdb(directory);
    for (const [i, value] of values.entries()) await append(db, one(T0 + i, value));
    const expected = values.map((bits, i) => ({ timestampMs: T0 + i, bits }));
    expect((await query(db)).get(series(0).toString())).toEqual(expected);
    await db.close();
    const again = await openTsdb(directory);
    expect((await query(again)).get(series(0).toString())).toEqual(expected);
    await again.close();
  });

  it('answers each sample as Prometheus does', async () => {
    const db = await openTsdb(directory, { options: { minBlockDurationMs: RANGE_MS } });
    expect(await append(db, one(T0, 1))).toEqual([APPEND_OUTCOME.ok]);
    expect(await append(db, one(T0, 1))).toEqual([APPEND_OUTCOME.ok]);
    expect(await append(db, one(T0, 2))).toEqual([APPEND_OUTCOME.duplicate]);
    expect(await append(db, one(T0 - 1, 2))).toEqual([APPEND_OUTCOME.outOfOrder]);
    // Half a block range behind the newest sample is the bound, whatever the series.
    expect(await append(db, one(T0 - RANGE_MS / 2 - 1, 2, 1))).toEqual([APPEND_OUTCOME.ok]);
    expect(await append(db, one(T0 - RANGE_MS / 2 - 2, 2, 2))).toEqual([
      APPEND_OUTCOME.outOfBounds,
    ]);
    expect(await append(db, one(T0, STALE, 3))).toEqual([APPEND_OUTCOME.ok]);
    expect(await append(db, one(T0, STALE, 3))).toEqual([APPEND_OUTCOME.ok]);
    expect(await append(db, one(T0, 0x7ff8000000000001n, 3))).toEqual([APPEND_OUTCOME.duplicate]);
    const appender = db.appender();
    const outcomes = new Uint8Array(1);
    const taken = appender.appendFloats(
      Uint32Array.of(999),
      Float64Array.of(T0),
      Float64Array.of(1),
      null,
      1,
      outcomes,
    );
    expect([taken, outcomes[0]]).toEqual([0, APPEND_OUTCOME.unknownRef]);
    appender.rollback();
    expect(await times(db)).toEqual([T0]);
    await db.close();
  });

  it('shows nothing of a batch before its commit, and nothing of one rolled back, names included', async () => {
    const db = await openTsdb(directory);
    const appender = db.appender();
    stage(appender, one(T0, 1));
    expect((await query(db)).size).toBe(0);
    expect((await db.labelNames(ALL_TIME, [], 0, context())).values).toEqual([]);
    const undone = db.appender();
    stage(undone, one(T0 + 5, 1, 7));
    undone.rollback();
    await appender.commit();
    expect([...(await query(db)).keys()]).toEqual([series(0).toString()]);
    expect((await db.labelValues('i', ALL_TIME, [], 0, context())).values).toEqual(['0']);
    await db.close();
  });

  it('keeps a batch from a query that began before, in all of its later batches', async () => {
    const db = await openTsdb(directory);
    const writes = (timestampMs: number): Write[] =>
      Array.from({ length: 300 }, (_, i) => ({ labels: series(i), timestampMs, value: i }));
    // The later samples make new chunks as well: the cut must not confuse what is hidden.
    for (let i = 0; i < 115; i++) await append(db, writes(T0 + i));
    const request = { range: ALL_TIME, matchers: EVERY, hints: NO_HINTS, sorted: true };
    const source = db.select(request, context());
    const counts: number[] = [];
    for (;;) {
      const batch = await source.next();
      if (batch === null) break;
      for (const columns of batch) counts.push(columns.count);
      for (let i = 0; i < 130; i++) await append(db, writes(T0 + 1000 * counts.length + i));
    }
    expect(counts).toEqual(new Array(300).fill(115));
    await db.close();
  });

  it('refuses bad label sets and use after the end', async () => {
    const db = await openTsdb(directory);
    const appender = db.appender();
    expect(() => appender.series(Labels.EMPTY)).toThrow('empty labelset');
    appender.series(series(0));
    appender.series(series(1));
    await appender.commit();
    expect(() => appender.series(series(0))).toThrow('this appender is closed');
    const late = db.appender();
    stage(late, one(T0, 1));
    await db.close();
    await expect(late.commit()).rejects.toThrow('the database is closed');
    await expect(query(db)).rejects.toThrow('the database is closed');
  });

  it('accepts a batch that other batches overtook, in the order of the commits', async () => {
    const db = await openTsdb(directory, { options: { fsync: 'always' } });
    const first = db.appender();
    const second = db.appender();
    stage(first, one(T0, 1));
    stage(second, one(T0 + 1, 2));
    await Promise.all([second.commit(), first.commit()]);
    expect(await times(db)).toEqual([T0 + 1]);
    await db.close();
    const again = await openTsdb(directory);
    expect(await times(again)).toEqual([T0 + 1]);
    await again.close();
  });
});

describe('reading', () => {
  it('filters by every kind of matcher and by time, sorted by labels', async () => {
    const db = await openTsdb(directory);
    const sets = [
      { __name__: 'up', job: 'a', dc: 'x' },
      { __name__: 'up', job: 'b' },
      { __name__: 'up', job: 'c', dc: 'y' },
      { __name__: 'down', job: 'a' },
    ].map((labels) => Labels.from(labels));
    await append(
      db,
      sets.map((labels, i) => ({ labels, timestampMs: T0 + i, value: i })),
    );
    const found = async (...matchers: [string, '=' | '!=' | '=~' | '!~', string][]) => [
      ...(
        await query(
          db,
          matchers.map(([n, o, v]) => new Matcher(n, o, v)),
        )
      ).keys(),
    ];
    const [upA, upB, upC, downA] = sets.map((labels) => labels.toString());
    expect(await found(['__name__', '=', 'up'])).toEqual([upB, upA, upC].sort());
    expect(await found(['job', '=', 'a'])).toEqual([downA, upA]);
    expect(await found(['job', '!=', 'a'], ['__name__', '=', 'up'])).toEqual([upC, upB]);
    expect(await found(['job', '=~', 'a|b'], ['__name__', '=', 'up'])).toEqual([upA, upB]);
    expect(await found(['job', '!~', 'a|b'])).toEqual([upC]);
    expect(await found(['dc', '=', ''])).toEqual([downA, upB]);
    expect(await found(['dc', '!=', ''])).toEqual([upA, upC]);
    expect(await found(['dc', '=~', 'x?'])).toEqual([downA, upA, upB].sort());
    expect(await found(['dc', '=~', '.+'])).toEqual([upA, upC]);
    expect(await found(['nope', '=', 'x'])).toEqual([]);
    expect([...(await query(db, EVERY, { minMs: T0 + 1, maxMs: T0 + 2 })).keys()]).toEqual([
      upC,
      upB,
    ]);
    const names = await db.labelNames(ALL_TIME, [new Matcher('job', '=', 'b')], 0, context());
    expect(names.values).toEqual(['__name__', 'job']);
    const values = await db.labelValues('job', ALL_TIME, [Matcher.metric('up')], 2, context());
    expect(values.values).toEqual(['a', 'b']);
    await db.close();
  });

  it('stops at the memory budget, and at an abort', async () => {
    const db = await openTsdb(directory);
    await append(
      db,
      Array.from({ length: 200 }, (_, i) => one(T0, 1, i)[0]!),
    );
    const request = { range: ALL_TIME, matchers: EVERY, hints: NO_HINTS, sorted: true };
    const poor = db.select(request, context(new MemoryBudget(16 * 100)));
    await expect(poor.next()).rejects.toThrow(LimitError);
    const controller = new AbortController();
    const source = db.select(request, { ...context(), signal: controller.signal });
    expect((await source.next())?.length).toBe(128);
    controller.abort(new Error('gone'));
    await expect(source.next()).rejects.toThrow('query canceled');
    await db.close();
  });
});

describe('blocks', () => {
  const options = { minBlockDurationMs: RANGE_MS, maxBlockDurationMs: RANGE_MS, retentionMs: 0 };

  it('take over from the head without a change in answers, and are read after a restart', async () => {
    const db = await openTsdb(directory, { options });
    await fill(db, T0, 1000, 5);
    expect(blocksOf(directory).length).toBeGreaterThanOrEqual(6);
    const before = await query(db);
    expect(before.get(series(3).toString())).toEqual(
      Array.from({ length: 1000 }, (_, i) => ({ timestampMs: T0 + i * 1000, bits: bitsOf(i * 3) })),
    );
    await db.close();
    const again = await openTsdb(directory, { options });
    expect(await query(again)).toEqual(before);
    expect((await again.labelValues('i', ALL_TIME, [], 0, context())).values).toEqual([
      '0',
      '1',
      '2',
      '3',
      '4',
    ]);
    await again.close();
  });

  it('leave the head with constant memory at constant load', async () => {
    const registry = new Registry();
    const db = await openTsdb(directory, { options, registry });
    const slabBytes = (): number =>
      registry.gather().find(({ name }) => name === 'prometheus_tsdb_head_slab_bytes')!.samples[0]!
        .value;
    const after: number[] = [];
    for (let cycle = 0; cycle < 10; cycle++) {
      await fill(db, T0 + cycle * RANGE_MS, 120, 200);
      after.push(slabBytes());
    }
    expect(new Set(after.slice(3)).size).toBe(1);
    await db.close();
  });

  it('are cut in slices, so that a scrape is never held for long', async () => {
    const db = await openTsdb(directory, { options, clock: new HastyClock() });
    for (let second = 0; second < 200; second += 10) {
      const writes: Write[] = [];
      for (let i = 0; i < 3000; i++) {
        writes.push({ labels: series(i), timestampMs: T0 + second * 1000, value: second });
      }
      await append(db, writes);
    }
    let turns = 0;
    let isCutting = true;
    const count = (): void => {
      turns++;
      if (isCutting) setImmediate(count);
    };
    setImmediate(count);
    await db.tick();
    isCutting = false;
    expect(blocksOf(directory).length).toBe(1);
    // By that clock each slice is over at the first look, so every look of the work at the clock is a turn.
    expect(turns).toBeGreaterThan(3000);
    await db.close();
  });

  it('that are being cut at the close are given up without a trace', async () => {
    const db = await openTsdb(directory, { options, clock: new HastyClock() });
    for (let second = 0; second < 190; second++) await append(db, one(T0 + second * 1000, second));
    const before = await query(db);
    const ticked = db.tick();
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
    await db.close();
    await ticked;
    expect(fs.readdirSync(directory).sort()).toEqual(['chunks_head', 'pollux.json', 'wal']);
    const again = await openTsdb(directory, { options });
    expect(await query(again)).toEqual(before);
    await again.close();
  });

  it('forget series that have ended, with their labels, but not their samples', async () => {
    const db = await openTsdb(directory, { options });
    for (let i = 0; i < 40; i++) {
      const name = `short_${i}`;
      const writes: Write[] = [];
      for (let s = 0; s < 20; s++) {
        const labels = Labels.from({ __name__: name, pod: `pod-${i}` });
        writes.push({ labels, timestampMs: T0 + (i * 20 + s) * 1000, value: s });
      }
      for (const write of writes) await append(db, [write]);
      await db.tick();
    }
    expect(db.headStats().numSeries).toBeLessThan(12);
    expect(db.headStats().numLabelPairs).toBeLessThan(24);
    const answer = await query(db);
    expect(answer.size).toBe(40);
    expect([...answer.values()].every((points) => points.length === 20)).toBe(true);
    await db.close();
    const again = await openTsdb(directory, { options });
    expect(await query(again)).toEqual(answer);
    await again.close();
  });

  it('wait for a batch that was begun before, so that no accepted sample falls behind them', async () => {
    const clock = new VirtualClock();
    const db = await openTsdb(directory, { options, clock });
    await append(db, one(T0, 0));
    const slow = db.appender();
    stage(slow, one(T0 + 1000, 1));
    await append(db, one(T0 + RANGE_MS * 2, 2));
    const ticked = db.tick();
    await clock.advance(1000);
    expect(blocksOf(directory)).toEqual([]);
    await slow.commit();
    await finish(clock, ticked);
    expect(blocksOf(directory).length).toBe(1);
    expect(await times(db)).toEqual([T0, T0 + RANGE_MS * 2]);
    await db.close();
  });

  it('are cut while a query goes on that began before, which misses nothing', async () => {
    const clock = new VirtualClock();
    const db = await openTsdb(directory, { options, clock });
    for (let second = 0; second < 179; second++) {
      const writes: Write[] = [];
      for (let i = 0; i < 200; i++) {
        writes.push({ labels: series(i), timestampMs: T0 + second * 1000, value: second });
      }
      await append(db, writes);
    }
    const request = { range: ALL_TIME, matchers: EVERY, hints: NO_HINTS, sorted: true };
    const source = db.select(request, context());
    const counts = (await source.next())!.map(({ count }) => count);
    await append(db, one(T0 + 400_000, 1));
    const ticked = db.tick();
    await clock.advance(1000);
    for (;;) {
      const batch = await source.next();
      if (batch === null) break;
      counts.push(...batch.map(({ count }) => count));
    }
    expect(counts).toEqual(new Array(200).fill(179));
    await finish(clock, ticked);
    expect(db.headStats().numSeries).toBe(1);
    await db.close();
  });

  it('are deleted behind the retention time and beyond the retention size', async () => {
    const db = await openTsdb(directory, { options: { ...options, retentionMs: 240_000 } });
    await fill(db, T0, 1200, 2);
    const oldest = (await times(db, 1))[0]!;
    expect(oldest).toBeGreaterThan(T0 + 500_000);
    expect(blocksOf(directory).length).toBeLessThan(4);
    await db.close();
    const small = await openTsdb(directory, { options: { ...options, retentionBytes: 1 } });
    await small.tick();
    // The newest stays: without it the log's samples would be back.
    expect(blocksOf(directory)).toHaveLength(1);
    expect(fs.readdirSync(directory).some((name) => name.includes('tmp'))).toBe(false);
    await small.close();
  });

  it('that are broken are left out with a log line, and the others answer', async () => {
    const db = await openTsdb(directory, { options });
    await fill(db, T0, 600, 2);
    await db.close();
    const [victim] = blocksOf(directory);
    fs.truncateSync(path.join(directory, victim!, 'index'), 60);
    fs.mkdirSync(path.join(directory, `${victim!.slice(0, 25)}X.tmp-for-creation`));
    const lines: string[] = [];
    const again = await openTsdb(directory, { options, lines });
    expect(lines.join('\n')).toContain(`block=${victim}`);
    expect((await times(again, 1)).length).toBeGreaterThan(300);
    expect(fs.readdirSync(directory).some((name) => name.includes('tmp'))).toBe(false);
    await again.close();
  });
});

describe('deleting', () => {
  it('hides samples at once in head and blocks, for good, and not later ones', async () => {
    const options = { minBlockDurationMs: RANGE_MS, retentionMs: 0 };
    const db = await openTsdb(directory, { options });
    await fill(db, T0, 600, 3);
    const range = { minMs: T0 + 100_000, maxMs: T0 + 10_000_000 };
    await db.deleteSamples(range, [new Matcher('i', '=', '1')]);
    const early = Array.from({ length: 100 }, (_, i) => T0 + i * 1000);
    expect(await times(db, 1)).toEqual(early);
    expect((await times(db, 2)).length).toBe(600);
    await append(db, one(T0 + 600_000, 5, 1));
    const expected = [...early, T0 + 600_000];
    expect(await times(db, 1)).toEqual(expected);
    await db.close();
    const again = await openTsdb(directory, { options });
    expect(await times(again, 1)).toEqual(expected);
    // What was hidden in the head stays so when it becomes a block.
    await fill(again, T0 + 601_000, 400, 3);
    expect((await times(again, 1)).slice(0, 101)).toEqual(expected);
    await again.close();
  });
});

describe('the directory', () => {
  it('that cannot be used gives a clear error', async () => {
    const file = path.join(directory, 'file');
    fs.writeFileSync(file, '');
    await expect(openTsdb(path.join(file, 'data'))).rejects.toThrow('cannot be made or written');
    fs.writeFileSync(path.join(directory, 'pollux.json'), '{"formatVersion": 99}');
    await expect(openTsdb(directory)).rejects.toThrow('format version is 99');
  });

  it('is locked and given back', async () => {
    const calls: string[] = [];
    const lockDirectory = (name: string): (() => void) => {
      calls.push(`lock ${path.basename(name)}`);
      return () => calls.push('unlock');
    };
    const db = await openTsdb(directory, { options: { lockDirectory } });
    await db.close();
    await db.close();
    expect(calls).toEqual([`lock ${path.basename(directory)}`, 'unlock']);
  });
});
