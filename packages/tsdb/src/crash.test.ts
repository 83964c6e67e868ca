import * as fs from 'node:fs';
import * as path from 'node:path';
import { type File, type Files, SeededRandom } from '@pollux/base';
import { NodeFiles } from '@pollux/base/node';
import { Labels } from '@pollux/model';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Tsdb } from './db.ts';
import { WalWriteError } from './errors.ts';
import {
  createSampleColumns,
  encodeSamples,
  encodeSeries,
  recordBytes,
} from './format/wal-record.ts';
import { copyLive } from './testing/copy-live.ts';
import {
  append,
  HastyClock,
  openTsdb,
  type Point,
  pointWith,
  query,
  removeDirectory,
  series,
  startOf,
  T0,
  temporaryDirectory,
  type Write,
} from './testing/fixtures.ts';
import { SegmentWriter } from './wal/segment-writer.ts';

let directory: string;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => removeDirectory(directory));

const OPTIONS = { minBlockDurationMs: 20_000, retentionMs: 0, walSegmentBytes: 4 * 32 * 1024 };

/** Random histories per property; more by hand: TSDB_RUNS=500 with --testTimeout. */
const RUNS = Number(process.env.TSDB_RUNS ?? 6);

/** What has been acknowledged. */
type Ledger = Map<string, Map<number, bigint>>;

function note(ledger: Ledger, writes: readonly Write[], outcomes: readonly number[]): void {
  for (const [i, { labels, timestampMs, value }] of writes.entries()) {
    if (outcomes[i] !== 0) continue;
    const key = labels.toString();
    const points = ledger.get(key) ?? new Map<number, bigint>();
    points.set(timestampMs, value as bigint);
    ledger.set(key, points);
  }
}

function expected(ledger: Ledger, hasStarts = false): Map<string, Point[]> {
  const answer = new Map<string, Point[]>();
  for (const [key, points] of ledger) {
    const list = [...points].map(([timestampMs, bits]) => pointWith(hasStarts, timestampMs, bits));
    answer.set(
      key,
      list.sort((a, b) => a.timestampMs - b.timestampMs),
    );
  }
  return answer;
}

function randomWrites(random: SeededRandom, nowMs: number): Write[] {
  const writes: Write[] = [];
  const used = new Set<number>();
  for (let i = random.below(30); i >= 0; i--) {
    const index = random.below(40);
    if (used.has(index)) continue;
    used.add(index);
    const bits = (BigInt(random.below(2 ** 32)) << 32n) | BigInt(random.below(2 ** 32));
    const timestampMs = nowMs + random.below(900);
    const startMs = startOf(timestampMs);
    writes.push({ labels: series(index), timestampMs, value: bits, startMs });
  }
  return writes;
}

/** Commits from the start of the log on, so that the place of a cut tells what must be there. */
type Mark = { readonly segment: number; readonly offset: number };

describe('a killed process', () => {
  it('loses nothing that was acknowledged, bit for bit, wherever it was killed, block cuts included', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), async (seed) => {
        const random = new SeededRandom(seed);
        const startTimestamps = random.below(2) === 0;
        const options = { ...OPTIONS, startTimestamps };
        const ledger: Ledger = new Map();
        let nowMs = T0;
        let data = path.join(directory, `${seed}-0`);
        for (let life = 1; life <= 4; life++) {
          const clock = new HastyClock();
          const db = await openTsdb(data, { options, seed: seed + life, clock });
          expect(await query(db)).toEqual(expected(ledger, startTimestamps));
          for (let step = random.below(60); step >= 0; step--) {
            nowMs += 1000;
            const writes = randomWrites(random, nowMs);
            note(ledger, writes, await append(db, writes));
            if (random.below(8) === 0) await db.tick();
          }
          // The files as a kill leaves them: at some moment, perhaps in the middle of cutting a block or the log.
          const cutting = db.tick();
          for (let turn = random.below(60); turn > 0; turn--) await nextTurn();
          const copy = path.join(directory, `${seed}-${life}`);
          copyLive(data, copy);
          await cutting;
          await db.close();
          removeDirectory(data);
          data = copy;
        }
        const db = await openTsdb(data, { options, seed });
        expect(await query(db)).toEqual(expected(ledger, startTimestamps));
        await db.close();
        removeDirectory(data);
      }),
      { numRuns: RUNS },
    );
  });

  it('that left half a record keeps every whole one before it and takes new ones after it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.integer({ min: 1, max: 400 }), async (seed, torn) => {
        removeDirectory(directory);
        const random = new SeededRandom(seed);
        const db = await openTsdb(directory, { options: OPTIONS });
        const marks: { readonly mark: Mark; readonly ledger: Map<string, Point[]> }[] = [];
        const ledger: Ledger = new Map();
        for (let step = 0; step < 20; step++) {
          const writes = randomWrites(random, T0 + step * 1000);
          note(ledger, writes, await append(db, writes));
          marks.push({ mark: db.walTail.position(), ledger: expected(ledger) });
        }
        abandon(db);
        const last = marks.at(-1)!.mark;
        const file = path.join(directory, 'wal', String(last.segment).padStart(8, '0'));
        const size = Math.max(0, last.offset - torn);
        fs.truncateSync(file, size);
        const whole = marks.filter(
          ({ mark }) =>
            mark.segment < last.segment || (mark.segment === last.segment && mark.offset <= size),
        );
        const again = await openTsdb(directory, { options: OPTIONS });
        const answer = await query(again);
        const kept = whole.at(-1)?.ledger ?? new Map<string, Point[]>();
        // The torn commit's series record may be whole; samples before the tear must be there.
        for (const [key, points] of kept) expect(answer.get(key)).toEqual(points);
        const more: Write[] = [{ labels: series(999), timestampMs: T0 + 20_000, value: 1n }];
        await append(again, more);
        abandon(again);
        const third = await openTsdb(directory, { options: OPTIONS });
        const final = await query(third);
        for (const [key, points] of kept) expect(final.get(key)).toEqual(points);
        expect(final.get(series(999).toString())).toEqual([{ timestampMs: T0 + 20_000, bits: 1n }]);
        await third.close();
      }),
      { numRuns: RUNS },
    );
  });
});

describe('a log in which', () => {
  const labels = (name: string): Labels => Labels.from({ __name__: name });
  const samples = (ref: number, timestampMs: number): Uint8Array => {
    const columns = createSampleColumns(1);
    columns.refs[0] = ref;
    columns.timestampsMs[0] = timestampMs;
    columns.count = 1;
    return recordBytes((target) => encodeSamples(target, columns, 0, 1));
  };
  const seriesRecord = (ref: number, name: string): Uint8Array =>
    recordBytes((target) => encodeSeries(target, [{ ref, labels: labels(name) }]));

  async function write(records: Uint8Array[]): Promise<void> {
    const wal = path.join(directory, 'wal');
    fs.mkdirSync(wal);
    const writer = new SegmentWriter({ files: new NodeFiles(), directory: wal }, 0);
    for (const record of records) writer.write([record]);
    await writer.close();
  }

  async function timesByName(db: Tsdb): Promise<Record<string, number[]>> {
    const answer = await query(db);
    return Object.fromEntries(
      [...answer].map(([key, points]) => [key, points.map(({ timestampMs }) => timestampMs - T0)]),
    );
  }

  it('a series has two references never gives either to another series', async () => {
    await write([
      seriesRecord(3, 'a'),
      samples(3, T0),
      seriesRecord(7, 'a'),
      samples(7, T0 + 1),
      samples(3, T0 + 2),
    ]);
    const db = await openTsdb(directory);
    const appender = db.appender();
    expect(appender.series(labels('b'))).toBe(8);
    appender.rollback();
    await append(db, [{ labels: labels('b'), timestampMs: T0 + 3, value: 1 }]);
    abandon(db);
    const again = await openTsdb(directory);
    expect(await timesByName(again)).toEqual({
      '{__name__="a"}': [0, 1, 2],
      '{__name__="b"}': [3],
    });
    await again.close();
  });

  it('a reference names one series after another keeps the samples of both', async () => {
    const records = [
      seriesRecord(3, 'a'),
      samples(3, T0),
      seriesRecord(3, 'b'),
      samples(3, T0 + 1),
    ];
    await write(records);
    for (let life = 0; life < 3; life++) {
      const db = await openTsdb(directory);
      const later = Array.from({ length: life }, (_, i) => 10 + i);
      expect(await timesByName(db)).toEqual({
        '{__name__="a"}': [0, ...later],
        '{__name__="b"}': [1, ...later],
      });
      for (const name of ['a', 'b']) {
        await append(db, [{ labels: labels(name), timestampMs: T0 + 10 + life, value: 1 }]);
      }
      abandon(db);
    }
  });
});

describe('a full disk', () => {
  it('rejects the commit, shows nothing of it, and takes the next when there is space again', async () => {
    const disk = new FailingFiles();
    const db = await openTsdb(directory, { files: disk, options: OPTIONS });
    await append(db, [{ labels: series(0), timestampMs: T0, value: 1n }]);
    for (const writtenBytes of [0, 3, 40]) {
      disk.failAfterBytes = writtenBytes;
      const lost = append(db, [
        { labels: series(0), timestampMs: T0 + 1, value: 2n },
        { labels: series(7), timestampMs: T0 + 1, value: 2n },
      ]);
      await expect(lost).rejects.toThrow(WalWriteError);
      await expect(lost).rejects.toThrow('cannot write the log');
      expect([...(await query(db)).keys()]).toEqual([series(0).toString()]);
    }
    disk.failAfterBytes = Number.POSITIVE_INFINITY;
    await append(db, [{ labels: series(7), timestampMs: T0 + 2, value: 3n }]);
    const answer = await query(db);
    expect(answer.get(series(0).toString())).toEqual([{ timestampMs: T0, bits: 1n }]);
    expect(answer.get(series(7).toString())).toEqual([{ timestampMs: T0 + 2, bits: 3n }]);
    abandon(db);
    const again = await openTsdb(directory, { options: OPTIONS });
    expect(await query(again)).toEqual(answer);
    await again.close();
  });

  it('while a block is cut leaves head and answers as they were, and the block follows later', async () => {
    const disk = new FailingFiles();
    const lines: string[] = [];
    const db = await openTsdb(directory, { files: disk, options: OPTIONS, lines });
    for (let i = 0; i < 40; i++) {
      await append(db, [{ labels: series(0), timestampMs: T0 + i * 1000, value: BigInt(i) }]);
    }
    const before = await query(db);
    disk.failAfterBytes = 0;
    await db.tick();
    expect(lines.join('\n')).toContain('moving the head to a block failed');
    expect(await query(db)).toEqual(before);
    expect(fs.readdirSync(directory)).toEqual(['chunks_head', 'pollux.json', 'wal']);
    disk.failAfterBytes = Number.POSITIVE_INFINITY;
    await db.tick();
    expect(await query(db)).toEqual(before);
    expect(fs.readdirSync(directory).filter((name) => name.length === 26).length).toBe(1);
    await db.close();
  });
});

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Ends the instance as a kill would: nothing more is written. Its files are left to the garbage collector. */
function abandon(_db: Tsdb): void {}

/** A disk that takes so many more bytes and then is full. */
class FailingFiles extends NodeFiles implements Files {
  failAfterBytes = Number.POSITIVE_INFINITY;

  override open(name: string, mode: 'r' | 'r+' | 'w' | 'wx' | 'a'): File {
    const file = super.open(name, mode);
    const write = file.write.bind(file);
    file.write = (source, offset, length, position) => {
      if (length <= this.failAfterBytes) {
        write(source, offset, length, position);
        return;
      }
      write(source, offset, this.failAfterBytes, position);
      throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
    };
    return file;
  }
}
