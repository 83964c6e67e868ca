import * as fs from 'node:fs';
import * as path from 'node:path';
import { ByteReader, crc32c, type File, SeededRandom, VirtualClock } from '@pollux/base';
import { NodeFiles } from '@pollux/base/node';
import { Labels, Matcher } from '@pollux/model';
import { Registry } from '@pollux/telemetry';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Tsdb } from '../db.ts';
import {
  append,
  context,
  HastyClock,
  openTsdb,
  type Point,
  query,
  removeDirectory,
  series,
  T0,
  temporaryDirectory,
  type Write,
} from '../testing/fixtures.ts';

let directory: string;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => removeDirectory(directory));

/** By a hasty clock the interval is over at each tick. */
const OPTIONS = {
  retentionMs: 0,
  minBlockDurationMs: 60_000,
  samplesPerChunk: 12,
  headChunkFileBytes: 4_000,
  walSegmentBytes: 2 * 32 * 1024,
  snapshotIntervalMs: 1,
  snapshotLogBytes: 0,
  maxExemplars: 100,
};
const SNAPSHOT = 'head_snapshot';
const FAILURES = 'prometheus_tsdb_head_snapshots_failed_total';

function figure(registry: Registry, name: string): number {
  return registry.gather().find((family) => family.name === name)!.samples[0]!.value;
}

/** Takes away what a snapshot stands for: the samples of the log before its position. */
function forgetLog(data: string): void {
  const wal = path.join(data, 'wal');
  for (const name of fs.readdirSync(wal)) {
    const file = path.join(wal, name);
    const bytes = fs.readFileSync(file);
    // The end stays, by which the snapshot knows the log.
    const end = bytes.findLastIndex((byte) => byte !== 0);
    bytes.fill(0, 0, Math.max(0, end - 4500));
    fs.writeFileSync(file, bytes);
  }
}

async function fill(db: Tsdb, from: number, to: number, count = 30): Promise<void> {
  for (let step = from; step < to; step++) {
    const writes: Write[] = [];
    for (let i = 0; i < count; i++) {
      const value = BigInt(step * 7919 + i) * 0x9e3779b97f4a7c15n;
      const bits = BigInt.asUintN(64, i % 3 === 0 ? 0x4045000000000000n : value);
      writes.push({ labels: series(i), timestampMs: T0 + step * 1000 + i, value: bits });
    }
    await append(db, writes);
  }
}

describe('a head snapshot', () => {
  it('stands for the log before it: samples, open chunks, metadata, exemplars and deletions', async () => {
    const db = await openTsdb(directory, { options: OPTIONS });
    await fill(db, 0, 45);
    const appender = db.appender();
    const ref = appender.series(series(1));
    appender.setMetadata(ref, { type: 'counter', help: 'how many', unit: 's' });
    const exemplar = { labels: Labels.from({ trace: 'x' }), value: 2, timestampMs: T0 + 44_500 };
    appender.appendExemplar(ref, exemplar);
    await appender.commit();
    const range = { minMs: T0 + 10_000, maxMs: T0 + 20_000 };
    await db.deleteSamples(range, [new Matcher('i', '=', '2')]);
    const all = await query(db);
    await db.close();
    expect(fs.existsSync(path.join(directory, SNAPSHOT))).toBe(true);
    // Nothing is left of the log, so all comes from the snapshot and the head chunk files.
    forgetLog(directory);
    const registry = new Registry();
    const again = await openTsdb(directory, { options: OPTIONS, registry });
    expect(figure(registry, 'prometheus_tsdb_wal_corruptions_total')).toBe(0);
    expect(await query(again)).toEqual(all);
    const every = { minMs: 0, maxMs: 2 ** 50 };
    const matchers = [new Matcher('__name__', '=', 'm')];
    const [first] = await again.selectExemplars(every, [matchers], context());
    expect(first?.exemplars).toEqual([exemplar]);
    // Metadata that is known is not logged again.
    const position = again.walTail.position();
    const same = again.appender();
    same.setMetadata(same.series(series(1)), { type: 'counter', help: 'how many', unit: 's' });
    await same.commit();
    expect(again.walTail.position()).toEqual(position);
    // Open chunks go on where they were.
    await fill(again, 45, 50);
    const more = await query(again);
    expect([...more.values()].map((points) => points.length)).toEqual(
      [...all.values()].map((points) => points.length + 5),
    );
    await again.close();
    const third = await openTsdb(directory, { options: OPTIONS });
    expect(await query(third)).toEqual(more);
    await third.close();
  });

  it('is written while the program runs, with samples coming in, and hidden from no start', async () => {
    const db = await openTsdb(directory, { options: OPTIONS, clock: new HastyClock() });
    await fill(db, 0, 20, 500);
    const ticking = db.tick();
    await fill(db, 20, 40, 500);
    await ticking;
    expect(fs.existsSync(path.join(directory, SNAPSHOT))).toBe(true);
    await fill(db, 40, 45, 500);
    const all = await query(db);
    const copy = path.join(directory, 'copy');
    fs.mkdirSync(copy);
    for (const name of fs.readdirSync(directory)) {
      if (name !== 'copy')
        fs.cpSync(path.join(directory, name), path.join(copy, name), { recursive: true });
    }
    const again = await openTsdb(copy, { options: OPTIONS });
    expect(await query(again)).toEqual(all);
    await again.close();
    await db.close();
  });

  it('is not written before the log has grown, nor before its time', async () => {
    const clock = new VirtualClock();
    const options = { ...OPTIONS, snapshotIntervalMs: 60_000, snapshotLogBytes: 3_000 };
    const db = await openTsdb(directory, { options, clock });
    const exists = (): boolean => fs.existsSync(path.join(directory, SNAPSHOT));
    await fill(db, 0, 30);
    await db.tick();
    expect(exists()).toBe(false);
    await clock.advance(60_000);
    await db.tick();
    expect(exists()).toBe(true);
    const { mtimeMs } = fs.statSync(path.join(directory, SNAPSHOT));
    await clock.advance(60_000);
    await db.tick();
    await db.close();
    expect(fs.statSync(path.join(directory, SNAPSHOT)).mtimeMs).toBe(mtimeMs);
  });

  it('that is damaged anywhere, or of another log, or without its head chunks is given up for the log', async () => {
    const whole = path.join(directory, 'whole');
    const db = await openTsdb(whole, { options: OPTIONS });
    await fill(db, 0, 45);
    const all = await query(db);
    await db.close();
    const random = new SeededRandom(5);
    const flip = (data: string): void => {
      const file = path.join(data, SNAPSHOT);
      const bytes = fs.readFileSync(file);
      bytes[random.below(bytes.length)]! ^= 1 << random.below(8);
      fs.writeFileSync(file, bytes);
    };
    const cut = (data: string): void => {
      const file = path.join(data, SNAPSHOT);
      fs.truncateSync(file, random.below(fs.statSync(file).size));
    };
    const dropChunks = (data: string): void => {
      const chunks = path.join(data, 'chunks_head');
      fs.rmSync(path.join(chunks, fs.readdirSync(chunks).at(-1)!));
    };
    const otherLog = (data: string): void => {
      const wal = path.join(data, 'wal');
      fs.cpSync(path.join(whole, 'wal'), wal, { recursive: true });
      const last = path.join(wal, fs.readdirSync(wal).at(-1)!);
      const bytes = fs.readFileSync(last);
      // A byte of the last record that the snapshot stands for.
      bytes[bytes.findLastIndex((byte) => byte !== 0)]! ^= 1;
      fs.writeFileSync(last, bytes);
    };
    const harms = [...Array(12).fill(flip), ...Array(6).fill(cut), dropChunks, otherLog];
    for (const [i, harm] of harms.entries()) {
      const data = path.join(directory, String(i));
      fs.cpSync(whole, data, { recursive: true });
      harm(data);
      const registry = new Registry();
      const again = await openTsdb(data, { options: OPTIONS, registry });
      expect(figure(registry, 'prometheus_tsdb_snapshot_replay_error_total')).toBe(1);
      const answer = await query(again);
      if (harm === otherLog) expect(answer.size).toBe(all.size);
      else expect(answer).toEqual(all);
      await again.close();
    }
  });

  it('of another version, of another order of bytes, or of contents that do not go together is given up for the log', async () => {
    const whole = path.join(directory, 'whole');
    const db = await openTsdb(whole, { options: OPTIONS });
    // More series than a frame has.
    await fill(db, 0, 2, 1500);
    const all = await query(db);
    await db.close();
    const harms: readonly ((bytes: Buffer) => void)[] = [
      (bytes) => {
        bytes[4] = 1;
      },
      (bytes) =>
        changeFrame(bytes, 0, (body) => body.writeUInt8(3 - body.at(-1)!, body.length - 1)),
      // What is in the first frame of series has been taken then.
      (bytes) => changeRows(bytes, 2, (rows, count) => rows.writeUInt8(0, count * 4)),
      (bytes) => changeRows(bytes, 2, (rows, count) => rows.writeUInt32LE(5, count * 5)),
    ];
    for (const [i, harm] of harms.entries()) {
      const data = path.join(directory, String(i));
      fs.cpSync(whole, data, { recursive: true });
      const file = path.join(data, SNAPSHOT);
      const bytes = fs.readFileSync(file);
      harm(bytes);
      fs.writeFileSync(file, bytes);
      const registry = new Registry();
      const again = await openTsdb(data, { options: OPTIONS, registry });
      expect(figure(registry, 'prometheus_tsdb_snapshot_replay_error_total')).toBe(1);
      expect(fs.existsSync(file)).toBe(false);
      expect(await query(again)).toEqual(all);
      // Series that came from it and those that the log has are the same ones.
      expect(again.headStats(1).numSeries).toBe(1500);
      await again.close();
    }
  });

  it('is written before its time when many series have come and no more are coming', async () => {
    const clock = new VirtualClock();
    const options = { ...OPTIONS, snapshotIntervalMs: 3_600_000, snapshotSeries: 100 };
    const db = await openTsdb(directory, { options, clock });
    const file = path.join(directory, SNAPSHOT);
    const written = async (): Promise<boolean> => {
      fs.rmSync(file, { force: true });
      await db.tick();
      return fs.existsSync(file);
    };
    await fill(db, 0, 1, 1200);
    expect(await written()).toBe(false);
    await fill(db, 1, 2, 1205);
    expect(await written()).toBe(true);
    expect(await written()).toBe(false);
    // Not half as many again.
    await fill(db, 2, 3, 1700);
    expect(await written()).toBe(false);
    expect(await written()).toBe(false);
    await fill(db, 3, 4, 2400);
    expect(await written()).toBe(false);
    expect(await written()).toBe(true);
    const all = await query(db);
    const copy = path.join(directory, 'copy');
    fs.mkdirSync(copy);
    for (const name of ['wal', 'chunks_head', SNAPSHOT]) {
      fs.cpSync(path.join(directory, name), path.join(copy, name), { recursive: true });
    }
    const again = await openTsdb(copy, { options });
    expect(await query(again)).toEqual(all);
    await again.close();
    await db.close();
  });

  it('that cannot be written for new series is tried again when its time has come', async () => {
    const clock = new VirtualClock();
    const options = { ...OPTIONS, snapshotIntervalMs: 3_600_000, snapshotSeries: 100 };
    const disk = new CountingFiles();
    const registry = new Registry();
    const db = await openTsdb(directory, { options, clock, files: disk, registry });
    const failures = (): number => figure(registry, FAILURES);
    await fill(db, 0, 1, 300);
    await db.tick();
    disk.failAt = 1;
    await db.tick();
    expect(failures()).toBe(1);
    disk.failAt = 0;
    await db.tick();
    expect(fs.existsSync(path.join(directory, SNAPSHOT))).toBe(false);
    await clock.advance(3_600_000);
    await db.tick();
    expect(fs.existsSync(path.join(directory, SNAPSHOT))).toBe(true);
    expect(failures()).toBe(1);
    await db.close();
  });

  it('leaves the old one in place when the disk is full at any write', async () => {
    const disk = new CountingFiles();
    const db = await openTsdb(directory, {
      options: OPTIONS,
      clock: new HastyClock(),
      files: disk,
    });
    await fill(db, 0, 20);
    await db.tick();
    const first = fs.readFileSync(path.join(directory, SNAPSHOT));
    await fill(db, 20, 25);
    const all = await query(db);
    for (let failing = 1; ; failing++) {
      disk.failAt = failing;
      disk.count = 0;
      await db.tick();
      disk.failAt = 0;
      if (disk.count < failing) break;
      expect(fs.readFileSync(path.join(directory, SNAPSHOT)).equals(first)).toBe(true);
      expect(fs.existsSync(path.join(directory, `${SNAPSHOT}.tmp`))).toBe(false);
    }
    expect(fs.readFileSync(path.join(directory, SNAPSHOT)).equals(first)).toBe(false);
    await db.close();
    const again = await openTsdb(directory, { options: OPTIONS });
    expect(await query(again)).toEqual(all);
    await again.close();
  });

  it('and chunks and log together give what was acknowledged, whatever a kill has left of them', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), async (seed) => {
        const random = new SeededRandom(seed);
        let data = path.join(directory, `${seed}-0`);
        let expected = new Map<string, Point[]>();
        let step = 0;
        for (let life = 1; life <= 5; life++) {
          const clock = new HastyClock();
          const db = await openTsdb(data, { options: OPTIONS, seed: seed + life, clock });
          expect(await query(db)).toEqual(expected);
          for (let rounds = random.below(6); rounds >= 0; rounds--) {
            const to = step + 1 + random.below(40);
            await fill(db, step, to, 12);
            step = to;
            if (random.below(2) === 0) await db.tick();
            // Series that go away for a while come back under other references.
            if (random.below(4) === 0) step += 200;
          }
          const ticking = db.tick();
          for (let turn = random.below(40); turn > 0; turn--) await nextTurn();
          const to = step + random.below(5);
          await fill(db, step, to, 12);
          step = to;
          expected = await query(db);
          const copy = path.join(directory, `${seed}-${life}`);
          const isClosed = random.below(3) === 0;
          if (!isClosed) fs.cpSync(data, copy, { recursive: true });
          await ticking;
          await db.close();
          if (isClosed) fs.cpSync(data, copy, { recursive: true });
          removeDirectory(data);
          data = copy;
        }
        const db = await openTsdb(data, { options: OPTIONS, seed });
        expect(await query(db)).toEqual(expected);
        await db.close();
        removeDirectory(data);
      }),
      { numRuns: Number(process.env.TSDB_RUNS ?? 3), endOnFailure: true },
    );
  });
});

/** Changes the body of a frame behind its kind, and gives it the checksum of that. */
function changeFrame(bytes: Buffer, index: number, change: (body: Buffer) => void): void {
  let at = 5;
  for (let i = 0; i < index; i++) at += bytes.readUInt32BE(at) + 8;
  const end = at + 4 + bytes.readUInt32BE(at);
  change(bytes.subarray(at + 5, end));
  bytes.writeUInt32BE(crc32c(bytes, at + 4, end), end);
}

/** As {@link changeFrame}, of the columns of a frame of `count` series: references, flags, sizes and so on. */
function changeRows(
  bytes: Buffer,
  index: number,
  change: (rows: Buffer, count: number) => void,
): void {
  changeFrame(bytes, index, (body) => {
    const source = new ByteReader(body);
    for (let texts = source.uvarint(); texts > 0; texts--) source.uvarintText();
    const count = source.uvarint();
    change(body.subarray(source.offset), count);
  });
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A disk that refuses one write, counted from the last reset. */
class CountingFiles extends NodeFiles {
  failAt = 0;
  count = 0;

  override open(name: string, mode: 'r' | 'r+' | 'w' | 'wx' | 'a'): File {
    const file = super.open(name, mode);
    const write = file.write.bind(file);
    file.write = (source, offset, length, position) => {
      if (this.failAt > 0 && ++this.count === this.failAt) {
        throw new Error('ENOSPC: no space left on device');
      }
      write(source, offset, length, position);
    };
    return file;
  }
}
