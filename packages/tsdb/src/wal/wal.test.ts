import * as fs from 'node:fs';
import * as path from 'node:path';
import { type File, type Files, SeededRandom, VirtualClock } from '@pollux/base';
import { NodeFiles } from '@pollux/base/node';
import { Registry } from '@pollux/telemetry';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { tsdbMetrics } from '../metrics.ts';
import {
  append,
  openTsdb,
  query,
  removeDirectory,
  series,
  T0,
  temporaryDirectory,
} from '../testing/fixtures.ts';
import type { WalRecord } from './records.ts';
import { PAGE_BYTES, segmentName, type WalPosition } from './segment.ts';
import { type Damage, SegmentReader } from './segment-reader.ts';
import { SegmentWriter } from './segment-writer.ts';
import { Wal } from './wal.ts';
import { WalReader } from './wal-reader.ts';
import { Zstd } from './zstd.ts';

const files = new NodeFiles();
let directory: string;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => removeDirectory(directory));

const zstd = new Zstd();
/** Node 20 has none; the package is a dependency, but may not be installed yet. */
const hasZstd = await zstd.load().then(
  () => true,
  () => false,
);
const NO_ZSTD = hasZstd ? '' : ' (without zstd: run npm install)';
const codecs = fc.constantFrom('none', 'snappy', ...(hasZstd ? (['zstd'] as const) : []));

function readAll(segment: number): Uint8Array[] {
  const file = files.open(path.join(directory, segmentName(segment)), 'r');
  const reader = new SegmentReader(file, 'segment', { zstd });
  const records: Uint8Array[] = [];
  for (;;) {
    const record = reader.next(file.size());
    if (record === null) break;
    records.push(new Uint8Array(record));
  }
  file.close();
  return records;
}

/** Sizes around the page boundaries, where fragments begin and pages are padded. */
const sizes = fc.array(
  fc.oneof(
    fc.nat(200),
    fc.integer({ min: PAGE_BYTES - 30, max: PAGE_BYTES + 10 }),
    fc.nat(3 * PAGE_BYTES),
  ),
  { minLength: 1, maxLength: 12 },
);

describe('segments', () => {
  it(`give back all records whatever their sizes and compression, over as many segments as it takes${NO_ZSTD}`, async () => {
    await fc.assert(
      fc.asyncProperty(sizes, codecs, fc.nat(), async (lengths, codec, seed) => {
        removeDirectory(directory);
        fs.mkdirSync(directory);
        const random = new SeededRandom(seed);
        const records = lengths.map((length) => {
          const record = new Uint8Array(length);
          // Half of the records do not compress, which must not matter.
          if (random.below(2) === 0) random.fill(record);
          return record;
        });
        const segmentBytes = 4 * PAGE_BYTES;
        const writer = new SegmentWriter(
          { files, directory, segmentBytes, compression: codec === 'zstd' ? { zstd } : codec },
          0,
        );
        for (const record of records) writer.write([record]);
        await writer.close();
        const names = fs.readdirSync(directory).sort();
        const found: Uint8Array[] = [];
        for (const name of names) {
          const size = fs.statSync(path.join(directory, name)).size;
          expect(size % PAGE_BYTES).toBe(0);
          expect(size).toBeLessThanOrEqual(segmentBytes);
          found.push(...readAll(Number(name)));
        }
        // Compared as bytes: element by element would take the time of all other tests.
        expect(found.length).toBe(records.length);
        expect(found.every((bytes, i) => Buffer.compare(bytes, records[i]!) === 0)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it('cut anywhere give a prefix of the records and then an error or the end', async () => {
    const writer = new SegmentWriter({ files, directory, compression: 'none' }, 0);
    const records = Array.from({ length: 30 }, (_, i) => new Uint8Array(i * 131).fill(i + 1));
    for (const record of records) writer.write([record]);
    const { offset } = writer.position;
    await writer.close();
    const file = files.open(path.join(directory, segmentName(0)), 'r');
    fc.assert(
      fc.property(fc.nat(offset), (limit) => {
        const reader = new SegmentReader(file, 'segment');
        let count = 0;
        try {
          for (;;) {
            const record = reader.next(limit);
            if (record === null) break;
            expect(Buffer.compare(record, records[count]!)).toBe(0);
            count++;
          }
        } catch (error) {
          expect(String(error)).toContain('segment at');
        }
        expect(reader.offset).toBeLessThanOrEqual(limit);
      }),
    );
    file.close();
  });

  it('are not taken to be whole when pages of them are empty, wherever records end', async () => {
    const writer = new SegmentWriter({ files, directory, compression: 'none' }, 0);
    // Each record fills a page, so that no other tells of its loss.
    for (let i = 1; i <= 4; i++) writer.write([new Uint8Array(PAGE_BYTES - 7).fill(i)]);
    await writer.close();
    const name = path.join(directory, segmentName(0));
    const whole = fs.readFileSync(name);
    for (let page = 0; page < 4; page++) {
      const bytes = Uint8Array.from(whole);
      bytes.fill(0, page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
      fs.writeFileSync(name, bytes);
      const damages: Damage[] = [];
      const file = files.open(name, 'r');
      const onDamage = (damage: Damage): void => void damages.push(damage);
      const reader = new SegmentReader(file, 'segment', { onDamage });
      const found: number[] = [];
      for (let record = reader.next(file.size()); record !== null; ) {
        found.push(record[0]!);
        record = reader.next(file.size());
      }
      file.close();
      expect(found).toEqual([1, 2, 3, 4].filter((i) => i !== page + 1));
      const [offset, endOffset] = [page * PAGE_BYTES, (page + 1) * PAGE_BYTES];
      expect(damages).toMatchObject([{ offset, endOffset }]);
    }
  });

  it('with a flipped bit never give a wrong record', async () => {
    const writer = new SegmentWriter({ files, directory }, 0);
    const records = Array.from({ length: 20 }, (_, i) => new Uint8Array(50 + i * 400).fill(i));
    for (const record of records) writer.write([record]);
    const { offset } = writer.position;
    await writer.close();
    const name = path.join(directory, segmentName(0));
    const good = fs.readFileSync(name);
    const texts = new Set(records.map((record) => Buffer.from(record).toString('hex')));
    fc.assert(
      fc.property(fc.nat(offset - 1), fc.nat(7), (at, bit) => {
        const bad = Buffer.from(good);
        bad[at] = bad[at]! ^ (1 << bit);
        fs.writeFileSync(name, bad);
        const file = files.open(name, 'r');
        const reader = new SegmentReader(file, 'segment');
        try {
          for (;;) {
            const record = reader.next(file.size());
            if (record === null) break;
            // The compression flag of a record lies outside of its checksum, as in Prometheus.
            if ((bad[at]! ^ good[at]!) !== 0x08) {
              expect(texts.has(Buffer.from(record).toString('hex'))).toBe(true);
            }
          }
        } catch (error) {
          expect(String(error)).toContain('segment at');
        } finally {
          file.close();
        }
      }),
      { numRuns: 200 },
    );
  });
});

describe('followers of the log', () => {
  it('read what is committed, go on where they were, and keep deleted segments by hard links', async () => {
    const data = path.join(directory, 'data');
    const links = path.join(directory, 'links');
    fs.mkdirSync(links);
    const db = await openTsdb(data, { options: { minBlockDurationMs: 60_000 } });
    const { walTail } = db;
    let flushes = 0;
    const pinned = new Set<number>();
    const unsubscribe = walTail.subscribe({
      onFlush: () => flushes++,
      beforeDelete: ({ segments }) => {
        for (const { index, path: from } of segments) {
          fs.linkSync(from, path.join(links, segmentName(index)));
          pinned.add(index);
        }
      },
    });
    const names = new Map<number, string>();
    const samples: string[] = [];
    let from: WalPosition = { segment: walTail.segments().first, offset: 0 };
    const pathOf = (index: number): string | null =>
      pinned.has(index) ? path.join(links, segmentName(index)) : walTail.segmentPath(index);
    const follow = (): void => {
      const reader = new WalReader({
        files,
        from,
        pathOf,
        watermark: () => walTail.position(),
      });
      for (let record = reader.next(); record !== null; record = reader.next()) {
        collect(record, names, samples);
      }
      from = reader.position;
      reader.close();
    };
    for (let second = 0; second < 400; second++) {
      await append(db, [
        { labels: series(1), timestampMs: T0 + second * 1000, value: second },
        { labels: series(second), timestampMs: T0 + second * 1000 + 1, value: -second },
      ]);
      if (second % 20 === 0) await db.tick();
      // It falls behind by several truncations before it reads again.
      if (second % 190 === 0) follow();
    }
    follow();
    unsubscribe();
    await db.close();
    expect(pinned.size).toBeGreaterThan(2);
    expect(flushes).toBeGreaterThanOrEqual(400);
    const expected: string[] = [];
    for (let second = 0; second < 400; second++) {
      expected.push(`${series(1)} ${T0 + second * 1000} ${second}`);
      if (second === 1) expected.push(`${series(1)} ${T0 + 1001} -1`);
      else expected.push(`${series(second)} ${T0 + second * 1000 + 1} ${-second}`);
    }
    expect(samples).toEqual(expected);
  });

  it('that fail do not fail the commit', async () => {
    const lines: string[] = [];
    const db = await openTsdb(directory, { lines });
    db.walTail.subscribe({
      onFlush: () => {
        throw new Error('follower broke');
      },
    });
    await append(db, [{ labels: series(1), timestampMs: T0, value: 1 }]);
    expect(lines.join('\n')).toContain('follower broke');
    await db.close();
  });
});

/** Files whose syncs can be made to fail, and that remember how often they were asked. */
class FragileFiles extends NodeFiles {
  syncs = 0;
  failures = 0;

  override open(name: string, mode: 'r' | 'r+' | 'w' | 'wx' | 'a'): File {
    const file = super.open(name, mode);
    const datasync = file.datasync.bind(file);
    file.datasync = async () => {
      this.syncs++;
      if (this.failures > 0) {
        this.failures--;
        throw Object.assign(new Error('i/o error'), { code: 'EIO' });
      }
      await datasync();
    };
    return file;
  }
}

describe('syncing', () => {
  const openWal = (fragile: Files, registry = new Registry()): Wal =>
    new Wal({
      files: fragile,
      clock: new VirtualClock(),
      directory,
      segmentBytes: 4 * PAGE_BYTES,
      compression: 'snappy',
      zstd,
      metrics: tsdbMetrics(registry),
      onListenerError: () => {},
    });

  it('shares one sync between the commits that wait', async () => {
    const counting = new FragileFiles();
    const wal = openWal(counting);
    const waits: Promise<void>[] = [];
    for (let i = 0; i < 50; i++) {
      wal.write([Uint8Array.of(1, 2, 3)]);
      waits.push(wal.sync());
    }
    await Promise.all(waits);
    expect(counting.syncs).toBe(2);
    await wal.close();
  });

  it('that fails leaves the segment for good and writes again, in order, what it may have lost', async () => {
    const fragile = new FragileFiles();
    const wal = openWal(fragile);
    wal.write([Uint8Array.of(1)]);
    await wal.sync();
    wal.write([Uint8Array.of(2)]);
    fragile.failures = 1;
    const failed = wal.sync();
    wal.write([Uint8Array.of(3)]);
    await expect(failed).rejects.toThrow('cannot sync the log');
    // What the system dropped is gone: the second sync of the old file would have told a lie.
    expect(wal.position().segment).toBe(1);
    wal.write([Uint8Array.of(4)]);
    await wal.sync();
    expect(readAll(0).map((record) => record[0])).toEqual([1, 2, 3]);
    expect(readAll(1).map((record) => record[0])).toEqual([2, 3, 4]);
    await wal.close();
  });

  it('that fails for a finished segment is told to who waits, and repeated as well', async () => {
    const fragile = new FragileFiles();
    const wal = openWal(fragile);
    fragile.failures = 1;
    wal.write([Uint8Array.of(1)]);
    wal.cut();
    wal.write([Uint8Array.of(2)]);
    await expect(wal.sync()).rejects.toThrow('cannot sync the log');
    await wal.sync();
    expect(readAll(wal.position().segment).map((record) => record[0])).toEqual([1, 2]);
    await wal.close();
  });

  it('refuses writes until what a failed sync left in doubt has been written again', async () => {
    const fragile = new FragileFiles();
    let isFull = false;
    const open = fragile.open.bind(fragile);
    fragile.open = (name, mode) => {
      if (isFull && mode === 'wx') throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
      return open(name, mode);
    };
    const wal = openWal(fragile);
    wal.write([Uint8Array.of(1)]);
    fragile.failures = 1;
    isFull = true;
    await expect(wal.sync()).rejects.toThrow('cannot sync');
    expect(() => wal.write([Uint8Array.of(2)])).toThrow('cannot write the log');
    await expect(wal.sync()).rejects.toThrow('cannot sync');
    isFull = false;
    wal.write([Uint8Array.of(3)]);
    await wal.sync();
    expect(readAll(1).map((record) => record[0])).toEqual([1, 3]);
    await wal.close();
  });

  it('by commits: a failed one shows what the log has, after a restart too, and other values for it are refused', async () => {
    const fragile = new FragileFiles();
    const db = await openTsdb(directory, { files: fragile, options: { fsync: 'always' } });
    const write = (value: number): Promise<number[]> =>
      append(db, [{ labels: series(1), timestampMs: T0 + value, value }]);
    await write(1);
    fragile.failures = 1;
    await expect(write(2)).rejects.toThrow('cannot sync the log');
    await write(3);
    const answer = await query(db);
    const points = answer.get(series(1).toString())!;
    expect(points.map(({ timestampMs }) => timestampMs - T0)).toEqual([1, 2, 3]);
    const other = [{ labels: series(1), timestampMs: T0 + 2, value: 7 }];
    expect(await append(db, other)).not.toEqual([0]);
    await db.close();
    const again = await openTsdb(directory);
    expect(await query(again)).toEqual(answer);
    await again.close();
  });
});

function collect(record: WalRecord, names: Map<number, string>, samples: string[]): void {
  if (record.kind === 'series') {
    for (const { ref, labels } of record.series) names.set(ref, labels.toString());
  }
  if (record.kind !== 'samples') return;
  const { refs, timestampsMs, valueWords, count } = record.samples;
  const values = new Float64Array(valueWords.slice(0, count * 2).buffer);
  for (let i = 0; i < count; i++) {
    samples.push(`${names.get(refs[i]!)} ${timestampsMs[i]} ${values[i]}`);
  }
}
