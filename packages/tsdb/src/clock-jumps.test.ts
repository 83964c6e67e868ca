import * as fs from 'node:fs';
import { VirtualClock } from '@pollux/base';
import { APPEND_OUTCOME } from '@pollux/storage';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Tsdb } from './db.ts';
import {
  append,
  finish,
  openTsdb,
  query,
  removeDirectory,
  series,
  T0,
  temporaryDirectory,
} from './testing/fixtures.ts';

const BLOCK_MS = 60_000;
const DAY_MS = 24 * 60 * 60 * 1_000;
const MONTH_MS = 30 * DAY_MS;
const OPTIONS = { minBlockDurationMs: BLOCK_MS, retentionMs: 15 * DAY_MS, snapshotIntervalMs: 1 };
const M = series(0);
const { ok, outOfBounds } = APPEND_OUTCOME;

let directory: string;
let clock: VirtualClock;
let lines: string[];
beforeEach(() => {
  directory = temporaryDirectory();
  clock = new VirtualClock(T0);
  lines = [];
});
afterEach(() => removeDirectory(directory));

function open(): Promise<Tsdb> {
  return openTsdb(directory, { options: OPTIONS, clock, lines });
}

async function put(db: Tsdb, atMs: number): Promise<number> {
  return (await append(db, [{ labels: M, timestampMs: T0 + atMs, value: atMs }]))[0]!;
}

async function times(db: Tsdb): Promise<number[]> {
  return ((await query(db)).get(M.toString()) ?? []).map(({ timestampMs }) => timestampMs - T0);
}

function blocks(): string[] {
  return fs.readdirSync(directory).filter((name) => name.length === 26);
}

/** Maintenance as the loop does it, for so long. */
async function run(db: Tsdb, durationMs: number): Promise<void> {
  await clock.advance(durationMs);
  await finish(clock, db.tick());
}

describe('when the wall clock jumps', () => {
  it('samples that keep their own time are all there, and no block goes, whichever way and over restarts', async () => {
    for (const [round, byMs] of [MONTH_MS, -2 * MONTH_MS, MONTH_MS].entries()) {
      let db = await open();
      db.start();
      clock.jump(byMs);
      const fromMs = round * 300_000;
      for (let at = 0; at < 300_000; at += 10_000) {
        expect(await put(db, fromMs + at)).toBe(ok);
        await clock.advance(10_000);
      }
      await run(db, 10_000);
      const expected = Array.from({ length: (round + 1) * 30 }, (_, i) => i * 10_000);
      expect(await times(db)).toEqual(expected);
      await finish(clock, db.close());
      db = await open();
      expect(await times(db)).toEqual(expected);
      const kept = blocks();
      await run(db, DAY_MS);
      expect(blocks()).toEqual(kept);
      await finish(clock, db.close());
    }
    expect(lines.filter((line) => /level=(WARN|ERROR)|retention/.test(line))).toEqual([]);
  });

  it('ahead for a moment with the samples, nothing goes; samples of the right time are refused as by Prometheus', async () => {
    let db = await open();
    for (let at = 0; at <= 300_000; at += 10_000) await put(db, at);
    await run(db, 10_000);
    const written = (): number => lines.filter((line) => line.includes('wrote a block')).length;
    const before = written();
    expect(await put(db, MONTH_MS)).toBe(ok);
    await run(db, 10_000);
    // The month between costs nothing: two blocks for what the head had.
    expect(written() - before).toBeLessThanOrEqual(2);
    expect(fs.readdirSync(`${directory}/wal`).length).toBeLessThan(10);
    expect(await put(db, 310_000)).toBe(outOfBounds);
    const expected = [...Array.from({ length: 31 }, (_, i) => i * 10_000), MONTH_MS];
    for (let round = 0; round < 3; round++) {
      await run(db, 60_000);
      expect(await times(db)).toEqual(expected);
      await finish(clock, db.close());
      db = await open();
    }
    expect(await times(db)).toEqual(expected);
    await finish(clock, db.close());
    expect(lines.join('\n')).not.toContain('retention');
  });

  it('ahead for good, what is past the retention time goes when a block of the new time is there, not before', async () => {
    const db = await open();
    for (let at = 0; at <= 300_000; at += 10_000) await put(db, at);
    await put(db, MONTH_MS);
    await run(db, 10_000);
    expect((await times(db))[0]).toBe(0);
    for (let at = 10_000; at <= 150_000; at += 10_000) await put(db, MONTH_MS + at);
    await run(db, 10_000);
    await run(db, 10_000);
    expect((await times(db))[0]).toBe(MONTH_MS);
    await finish(clock, db.close());
  });

  it('back with the samples, they are refused until their time comes again, and nothing else changes', async () => {
    const db = await open();
    for (let at = 0; at <= 300_000; at += 10_000) await put(db, at);
    await run(db, 10_000);
    const before = blocks();
    for (let at = 0; at < 100_000; at += 10_000) {
      expect(await put(db, at - MONTH_MS)).toBe(outOfBounds);
    }
    await run(db, 10_000);
    expect(blocks()).toEqual(before);
    expect(await put(db, 310_000)).toBe(ok);
    expect(await times(db)).toHaveLength(32);
    await finish(clock, db.close());
  });
});
