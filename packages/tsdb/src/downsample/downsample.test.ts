import * as fs from 'node:fs';
import * as path from 'node:path';
import { type File, type Files, SeededRandom, VirtualClock } from '@pollux/base';
import { Matcher } from '@pollux/model';
import { NO_HINTS, type SampleNeed } from '@pollux/storage';
import { Registry, renderText } from '@pollux/telemetry';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Tsdb } from '../db.ts';
import { RawDroppedError } from '../errors.ts';
import { sliceSummaries } from '../inspect/block-summary.ts';
import { writeTestBlock } from '../testing/block-fixtures.ts';
import {
  ask,
  BLOCK_MS,
  billing,
  countsOf,
  DROPPING,
  debug,
  MINUTE_MS,
  OLD,
  OPTIONS,
  opened,
  plain,
  pointsOf,
  SAMPLES,
  windows,
  writeBlocks,
} from '../testing/downsampled.ts';
import {
  ALL_TIME,
  bitsOf,
  context,
  EVERY,
  query,
  removeDirectory,
  temporaryDirectory,
} from '../testing/fixtures.ts';
import { HistogramSource } from '../testing/histograms.ts';
import { QuickFiles } from '../testing/quick-files.ts';

let directory: string;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => removeDirectory(directory));

function slicePaths(): string[] {
  const root = path.join(directory, 'downsampled', '1m');
  return fs.existsSync(root) ? fs.readdirSync(root).sort() : [];
}

/** Reads of files of this path fail while it says so. */
class FailingReads extends QuickFiles {
  isFailing = false;
  failures = 0;
  readonly #paths: RegExp;

  constructor(paths: RegExp) {
    super();
    this.#paths = paths;
  }

  override readFile(at: string): Uint8Array {
    if (this.isFailing && this.#paths.test(at)) this.#fail();
    return super.readFile(at);
  }

  override open(at: string, mode: Parameters<Files['open']>[1]): File {
    const file = super.open(at, mode);
    if (!this.#paths.test(at)) return file;
    const read = file.read.bind(file);
    file.read = (...args) => {
      if (!this.isFailing) return read(...args);
      return this.#fail();
    };
    return file;
  }

  #fail(): never {
    this.failures++;
    throw Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' });
  }
}

/** The directory of slices cannot be synced so many times, once there is one. */
class FailingSyncs extends QuickFiles {
  left = 0;

  override syncDirectory(at = ''): void {
    if (this.left === 0 || !at.endsWith('/downsampled/1m')) return;
    if (!fs.readdirSync(at).some((name) => name.length === 26)) return;
    this.left--;
    throw Object.assign(new Error('EIO: i/o error, fsync'), { code: 'EIO' });
  }
}

const one = (job: string): Matcher[] => [new Matcher('job', '=', job)];

describe('down-sampling', () => {
  it('is off without rules and leaves no directory', async () => {
    await writeBlocks(directory, [plain]);
    const db = await opened(directory, { ...OPTIONS, downsampling: [] });
    expect(fs.existsSync(path.join(directory, 'downsampled'))).toBe(false);
    expect((await ask(db, SAMPLES)).series.get(plain.toString())?.count).toBeGreaterThan(0);
    await db.close();
  });

  it('gathers whole spans of finished blocks once, beside them, and a restart finds them', async () => {
    await writeBlocks(directory, [plain, billing]);
    const registry = new Registry();
    const db = await opened(directory, OPTIONS, 3, { registry });
    const written = slicePaths();
    expect(written).toHaveLength(3);
    const text = renderText(registry.gather());
    expect(text).toContain('pollux_tsdb_downsampled_slices_written_total 3');
    expect(text).toContain('pollux_tsdb_downsampled_slices 3');
    const { series } = await ask(db, windows('count_over_time', OLD));
    const counts = countsOf(series.get(plain.toString()));
    expect(Object.keys(counts)).toHaveLength(20);
    // A block's last sample would be the next one's first.
    expect(new Set(Object.values(counts))).toEqual(new Set([4, 3]));
    await db.close();
    const again = await opened(directory, OPTIONS);
    expect(slicePaths()).toEqual(written);
    expect(await ask(again, windows('count_over_time', OLD))).toEqual(
      expect.objectContaining({ series }),
    );
    await again.close();
  });

  it('answers after samples were dropped only what buckets tell exactly, and else names the resolution', async () => {
    await writeBlocks(directory, [plain]);
    const db = await opened(directory, DROPPING);
    expect(await query(db, EVERY, OLD)).toEqual(new Map());
    expect(
      Object.keys(countsOf((await ask(db, windows('rate', OLD))).series.get(plain.toString()))),
    ).toHaveLength(20);
    for (const need of [
      SAMPLES,
      windows('quantile_over_time', OLD),
      windows('rate', { minMs: OLD.minMs + 1, maxMs: OLD.maxMs + 1 }),
      { ...windows('rate', OLD), rangeMs: 90_000 } as SampleNeed,
      { ...windows('rate', OLD), stepMs: 90_000 } as SampleNeed,
    ]) {
      const failed = await ask(db, need).catch((error: unknown) => error);
      expect(failed).toBeInstanceOf(RawDroppedError);
      expect(failed).toMatchObject({ code: 'TSDB.RAW_DROPPED', resolution: '1m' });
      expect(String(failed)).toMatch(
        /down-sampled data of 1m are left.*--query\.allow-approximate/,
      );
    }
    const recent = { minMs: 71 * MINUTE_MS, maxMs: 79 * MINUTE_MS };
    expect((await ask(db, SAMPLES, recent)).series.size).toBe(1);
    expect((await ask(db, SAMPLES, OLD, one('nobody'))).series.size).toBe(0);
    expect((await db.labelValues('job', OLD, [], 0, context())).values).toEqual(['x']);
    expect((await db.labelNames(OLD, EVERY, 0, context())).values).toEqual(['__name__', 'job']);
    const hints = { ...NO_HINTS, func: 'series' };
    const source = db.select({ range: OLD, matchers: EVERY, hints, sorted: true }, context());
    expect((await source.next())?.map(({ labels }) => labels.toString())).toEqual([
      plain.toString(),
    ]);
    await db.close();
  });

  it('gives the last sample of each bucket where that is allowed, and says so', async () => {
    await writeBlocks(directory, [plain]);
    const db = await opened(directory, { ...DROPPING, allowApproximate: true });
    const { series, notes } = await ask(db, SAMPLES);
    const columns = series.get(plain.toString());
    expect([...columns!.timestampsMs.slice(0, 3)]).toEqual([660_000, 720_000, 780_000]);
    expect([...columns!.values.slice(0, 3)]).toEqual([44, 48, 52]);
    expect(notes).toEqual([
      'info: PromQL info: samples were dropped, and the answer is approximated from down-sampled data of 1m',
    ]);
    const shifted = { ...windows('rate', OLD), rangeMs: 90_000 } as SampleNeed;
    const rate = await ask(db, shifted);
    expect(rate.series.get(plain.toString())?.buckets?.counts.length).toBe(20);
    expect(rate.notes).toHaveLength(1);
    expect((await ask(db, windows('rate', OLD))).notes).toEqual([]);
    await db.close();
  });

  it('keeps buckets for their own time, and those that no rule names for ever', async () => {
    await writeBlocks(directory, [plain]);
    await (await opened(directory, DROPPING)).close();
    const before = slicePaths().length;
    await (await opened(directory, { ...DROPPING, downsampling: [] })).close();
    expect(slicePaths()).toHaveLength(before);
    const short = [{ resolutionMs: MINUTE_MS, afterMs: 0, retentionMs: 3 * BLOCK_MS }];
    const db = await opened(directory, { ...DROPPING, downsampling: short });
    expect(slicePaths().length).toBeLessThan(before);
    expect((await ask(db, SAMPLES)).series.size).toBe(0);
    await db.close();
  });

  it('takes the coarser resolution where it is as good, and the finer where only that is', async () => {
    await writeBlocks(directory, [plain]);
    const downsampling = [
      { resolutionMs: MINUTE_MS, afterMs: 0, retentionMs: 0 },
      { resolutionMs: 5 * MINUTE_MS, afterMs: 0, retentionMs: 0 },
    ];
    const db = await opened(directory, { ...DROPPING, downsampling });
    const counted = async (minutes: number): Promise<number | undefined> => {
      const windowMs = minutes * MINUTE_MS;
      const need: SampleNeed = {
        kind: 'windows',
        func: 'count_over_time',
        firstEndMs: OLD.minMs - 1 + windowMs,
        lastEndMs: OLD.maxMs,
        stepMs: windowMs,
        rangeMs: windowMs,
      };
      const { series } = await ask(db, need);
      return series.get(plain.toString())?.buckets?.resolutionMs;
    };
    expect(await counted(5)).toBe(5 * MINUTE_MS);
    expect(await counted(10)).toBe(5 * MINUTE_MS);
    expect(await counted(4)).toBe(MINUTE_MS);
    await db.close();
  });
});

describe('what is about to be dropped', () => {
  it('waits until the interval that it lies in is over', async () => {
    await writeBlocks(directory, [plain], 7);
    const downsampling = [{ resolutionMs: 60 * MINUTE_MS, afterMs: 0, retentionMs: 0 }];
    const db = await opened(directory, { ...DROPPING, downsampling });
    // Of the second hour ten minutes are there, and the first is gone but for its interval.
    const left = (await query(db)).get(plain.toString())!;
    expect(left[0]!.timestampMs).toBeGreaterThan(60 * MINUTE_MS - MINUTE_MS);
    const need: SampleNeed = {
      kind: 'windows',
      func: 'count_over_time',
      firstEndMs: 60 * MINUTE_MS,
      lastEndMs: 60 * MINUTE_MS,
      stepMs: 1,
      rangeMs: 60 * MINUTE_MS,
    };
    const range = { minMs: 1, maxMs: 60 * MINUTE_MS };
    const { series } = await ask(db, need, range);
    expect(series.get(plain.toString())?.buckets?.counts[0]).toBe(6 * 39);
    await db.close();
    await writeTestBlock(directory, {
      minTime: 7 * BLOCK_MS,
      maxTime: 8 * BLOCK_MS,
      rows: [{ labels: plain, points: pointsOf(7) }],
      seed: 8,
    });
    const later = await opened(directory, { ...DROPPING, downsampling });
    expect((await query(later)).get(plain.toString())![0]!.timestampMs).toBeLessThan(
      71 * MINUTE_MS,
    );
    await later.close();
  });

  it('leaves what can be read of damaged blocks when they stay so, and answers say that some is missing', async () => {
    await writeBlocks(directory, [plain, billing]);
    const block = fs.readdirSync(directory).filter((name) => name.length === 26)[1]!;
    const chunks = path.join(directory, block, 'chunks', '000001');
    const bytes = fs.readFileSync(chunks);
    bytes[20]! ^= 0xff;
    fs.writeFileSync(chunks, bytes);
    const clock = new VirtualClock();
    const db = await opened(directory, DROPPING, 2, { clock });
    const count = async (): Promise<number[]> => {
      const { series } = await ask(db, windows('count_over_time', OLD));
      return [plain, billing].map(
        (labels) => Object.keys(countsOf(series.get(labels.toString()))).length,
      );
    };
    // Nothing is dropped before.
    expect(fs.existsSync(path.join(directory, block))).toBe(true);
    for (let attempt = 0; attempt < 2; attempt++) {
      await clock.advance(11 * MINUTE_MS);
      for (let i = 0; i < 3; i++) await db.tick();
    }
    expect(fs.existsSync(path.join(directory, block))).toBe(false);
    expect((await count()).sort((x, y) => x - y)).toEqual([10, 20]);
    const { notes } = await ask(db, windows('count_over_time', OLD));
    expect(notes.join()).toMatch(/made of damaged blocks and some samples are missing/);
    await db.close();
  });

  it('loses nothing by a disk that cannot read for a moment when samples are about to be dropped', async () => {
    await writeBlocks(directory, [plain, billing]);
    const block = fs.readdirSync(directory).filter((name) => name.length === 26)[1]!;
    const clock = new VirtualClock();
    const disk = new FailingReads(new RegExp(`${block}/chunks/`));
    const db = await opened(directory, DROPPING, 0, { clock, files: disk });
    disk.isFailing = true;
    await db.tick();
    expect(disk.failures).toBeGreaterThan(0);
    disk.isFailing = false;
    await clock.advance(11 * MINUTE_MS);
    for (let i = 0; i < 3; i++) await db.tick();
    expect(fs.existsSync(path.join(directory, block))).toBe(false);
    const { series, notes } = await ask(db, windows('count_over_time', OLD));
    for (const labels of [plain, billing]) {
      expect(Object.keys(countsOf(series.get(labels.toString())))).toHaveLength(20);
    }
    expect(notes).toEqual([]);
    await db.close();
  });

  it('makes a slice once although its directory could not be synced, and lets a restart find one of two', async () => {
    await writeBlocks(directory, [plain]);
    const disk = new FailingSyncs();
    const db = await opened(directory, OPTIONS, 0, { files: disk });
    disk.left = 1;
    await db.tick();
    expect(disk.left).toBe(0);
    await db.close();
    const names = slicePaths().filter((name) => name.length === 26);
    expect(names).toHaveLength(1);
    const again = await opened(directory, OPTIONS, 3);
    const ranges = (): (readonly [number, number])[] =>
      sliceSummaries(new QuickFiles(), directory).map(({ minMs, maxMs }) => [minMs, maxMs]);
    const expected = ranges();
    expect(new Set(expected.map(String)).size).toBe(expected.length);
    await again.close();
    const [name = ''] = slicePaths();
    const copy = `${name.slice(0, -1)}${name.endsWith('0') ? '1' : '0'}`;
    const from = path.join(directory, 'downsampled', '1m', name);
    const to = path.join(directory, 'downsampled', '1m', copy);
    fs.cpSync(from, to, { recursive: true });
    const meta = fs.readFileSync(path.join(to, 'meta.json'), 'utf8').replace(name, copy);
    fs.writeFileSync(path.join(to, 'meta.json'), meta);
    const third = await opened(directory, OPTIONS, 1);
    expect(ranges()).toEqual(expected);
    await third.close();
  });

  it('takes no more for dropped than was when the note of it could not be read for a moment', async () => {
    await writeBlocks(directory, [plain]);
    await (await opened(directory, DROPPING, 3)).close();
    const disk = new FailingReads(/raw-dropped/);
    disk.isFailing = true;
    const db = await opened(directory, DROPPING, 0, { files: disk });
    const newest = { minMs: 70 * MINUTE_MS + 1, maxMs: 80 * MINUTE_MS };
    await expect(ask(db, SAMPLES)).rejects.toThrow(RawDroppedError);
    expect(disk.failures).toBeGreaterThan(0);
    disk.isFailing = false;
    expect((await ask(db, SAMPLES, newest)).series.size).toBe(1);
    const { extent } = db;
    expect(extent.oldestMs).toBe(70 * MINUTE_MS);
    const beside = { minMs: 69 * MINUTE_MS + 1, maxMs: 75 * MINUTE_MS };
    await expect(ask(db, SAMPLES, beside)).rejects.toThrow(
      /samples before 1970-01-01T01:09:59.999Z were dropped/,
    );
    await db.close();
  });

  it('leaves its intervals intact when a slice is damaged on the disk: the rest is answered', async () => {
    await writeBlocks(directory, [plain, billing]);
    await (await opened(directory, DROPPING)).close();
    for (const name of slicePaths()) {
      const file = path.join(directory, 'downsampled', '1m', name, 'chunks', '000001');
      const bytes = fs.readFileSync(file);
      bytes[30]! ^= 0xff;
      fs.writeFileSync(file, bytes);
    }
    const db = await opened(directory, DROPPING);
    const { series, notes } = await ask(db, windows('count_over_time', OLD));
    expect([...series.keys()]).toEqual([plain.toString()]);
    expect(notes.join()).toMatch(/is damaged and some of its samples are missing/);
    await db.close();
  });
});

describe('two resolutions', () => {
  it('answer by the finer one although the coarser one reaches further, to before the first sample', async () => {
    // The first sample is of 1:30:15.
    for (let i = 9; i < 14; i++) {
      const rows = [{ labels: plain, points: pointsOf(i) }];
      const time = { minTime: i * BLOCK_MS, maxTime: (i + 1) * BLOCK_MS };
      await writeTestBlock(directory, { ...time, rows, seed: i });
    }
    const rows = [{ labels: plain, points: [{ timestampMs: 1441 * MINUTE_MS, bits: bitsOf(1) }] }];
    const time = { minTime: 1440 * MINUTE_MS, maxTime: 1450 * MINUTE_MS };
    await writeTestBlock(directory, { ...time, rows, seed: 77 });
    const rule = { afterMs: 0, retentionMs: 0 };
    const downsampling = [
      { resolutionMs: MINUTE_MS, ...rule },
      { resolutionMs: 60 * MINUTE_MS, ...rule },
    ];
    const db = await opened(directory, { ...DROPPING, bucketsPerSlice: 1000, downsampling }, 4);
    const range = { minMs: 30 * MINUTE_MS + 1, maxMs: 200 * MINUTE_MS };
    const { series } = await ask(db, windows('count_over_time', range), range);
    const counts = countsOf(series.get(plain.toString()));
    expect(Object.keys(counts)).toHaveLength(50);
    expect([counts[90], counts[91], counts[140]]).toEqual([undefined, 4, 3]);
    await db.close();
  });
});

describe('deletions and down-sampled data', () => {
  it('show at once what is left of the samples while they are there, and the buckets are made anew', async () => {
    await writeBlocks(directory, [plain, billing]);
    const db = await opened(directory, OPTIONS, 3);
    const count = slicePaths().length;
    await db.deleteSamples({ minMs: 15 * MINUTE_MS, maxMs: 16 * MINUTE_MS - 1 }, one('x'));
    for (let round = 0; round < 2; round++) {
      const { series } = await ask(db, windows('count_over_time', OLD));
      // 15:00 is gone from the fifteenth minute; of the sixteenth only its last sample is left.
      const counts = countsOf(series.get(plain.toString()));
      expect([counts[15], counts[16]]).toEqual(
        series.get(plain.toString())?.buckets === undefined ? [NaN, NaN] : [3, 1],
      );
      expect(Object.values(countsOf(series.get(billing.toString()))).length).toBeGreaterThan(19);
      await db.tick();
      await db.tick();
    }
    expect(slicePaths().filter((name) => name.length === 26)).toHaveLength(count);
    await db.close();
  });

  it('take the buckets that hold something of the deleted time when samples were dropped, and free the disk', async () => {
    await writeBlocks(directory, [plain, billing]);
    const clock = new VirtualClock();
    const db = await opened(directory, DROPPING, 3, { clock });
    await db.deleteSamples({ minMs: 15 * MINUTE_MS, maxMs: 16 * MINUTE_MS - 1 }, one('x'));
    const look = async (on: Tsdb): Promise<(boolean | number)[]> => {
      const { series } = await ask(on, windows('count_over_time', OLD));
      const counts = countsOf(series.get(plain.toString()));
      return [
        14 in counts,
        15 in counts,
        16 in counts,
        17 in counts,
        Object.keys(countsOf(series.get(billing.toString()))).length,
      ];
    };
    expect(await look(db)).toEqual([true, false, false, true, 20]);
    const before = slicePaths();
    await clock.advance(6 * MINUTE_MS);
    await db.tick();
    expect(slicePaths()).not.toEqual(before);
    expect(await look(db)).toEqual([true, false, false, true, 20]);
    await db.deleteSamples(ALL_TIME, EVERY);
    expect((await ask(db, windows('count_over_time', OLD))).series.size).toBe(0);
    expect((await db.labelValues('job', ALL_TIME, [], 0, context())).values).toEqual([]);
    await db.close();
    const again = await opened(directory, DROPPING, 0);
    expect((await ask(again, windows('count_over_time', OLD))).series.size).toBe(0);
    await again.close();
  });
});

describe('retention rules and down-sampled data', () => {
  const rules = [
    { matchers: one('billing'), keepMs: 1000 * BLOCK_MS },
    { matchers: [new Matcher('__name__', '=~', 'debug_.+')], keepMs: BLOCK_MS / 2 },
  ];

  it('leave series that are kept to their samples, and hide those that are dropped early', async () => {
    await writeBlocks(directory, [plain, billing, debug]);
    const options = { ...DROPPING, retentionMs: 2 * BLOCK_MS, retentionRules: rules };
    const db = await opened(directory, options, 24);
    expect([...(await query(db, EVERY, OLD)).keys()]).toEqual([billing.toString()]);
    const range = { minMs: 1, maxMs: 30 * MINUTE_MS };
    expect((await ask(db, SAMPLES, range, one('billing'))).series.size).toBe(1);
    await expect(ask(db, SAMPLES, range, [new Matcher('__name__', '=', 'm')])).rejects.toThrow(
      RawDroppedError,
    );
    const { series } = await ask(db, windows('count_over_time', OLD));
    expect([...series.keys()].sort()).toEqual([billing.toString(), plain.toString()].sort());
    for (const columns of series.values()) expect(Object.keys(countsOf(columns))).toHaveLength(20);
    await db.close();
  });
});

describe('blocks that come later', () => {
  it('are read at once, and the buckets of their time are made anew', async () => {
    await writeBlocks(directory, [plain]);
    const first = await opened(directory, OPTIONS, 3);
    await first.close();
    const before = slicePaths();
    const points = [{ timestampMs: 15 * MINUTE_MS - 7, bits: bitsOf(1) }];
    const rows = [{ labels: plain, points }];
    await writeTestBlock(directory, { minTime: BLOCK_MS, maxTime: 2 * BLOCK_MS, rows, seed: 99 });
    const db = await opened(directory, { ...OPTIONS, maxBlockDurationMs: BLOCK_MS }, 0);
    const total = async (): Promise<number> => {
      const { series } = await ask(db, windows('count_over_time', OLD));
      const columns = series.get(plain.toString())!;
      const { buckets } = columns;
      return buckets === undefined ? columns.count : [...buckets.counts].reduce((a, b) => a + b);
    };
    const expected = (await query(db, EVERY, OLD)).get(plain.toString())!.length;
    expect(await total()).toBe(expected);
    for (let i = 0; i < 3; i++) await db.tick();
    expect(await total()).toBe(expected);
    expect(slicePaths()).not.toEqual(before);
    expect(
      (await ask(db, windows('count_over_time', OLD))).series.get(plain.toString())?.buckets,
    ).toBeDefined();
    await db.close();
  });
});

describe('native histograms', () => {
  it('are read themselves while they are there, and after that an error names them', async () => {
    const source = new HistogramSource(new SeededRandom(1), { isInteger: true });
    const write = await opened(directory, { ...OPTIONS, downsampling: [] }, 0);
    for (let at = 0; at < 6 * BLOCK_MS; at += 30_000) {
      const appender = write.appender();
      appender.appendHistogram(appender.series(plain), at + 15_000, source.next(true), 0);
      await appender.commit();
      if (at % BLOCK_MS === 0) await write.tick();
    }
    await write.close();
    const db = await opened(directory, OPTIONS, 3);
    expect(slicePaths().length).toBeGreaterThan(0);
    const { series } = await ask(db, windows('count_over_time', OLD));
    expect(series.get(plain.toString())).toMatchObject({
      count: 40,
      histograms: expect.anything(),
    });
    await db.close();
    const dropped = await opened(directory, DROPPING, 3);
    await expect(ask(dropped, windows('count_over_time', OLD))).rejects.toThrow(
      /native histograms are not down-sampled/,
    );
    await dropped.close();
    const near = await opened(directory, { ...DROPPING, allowApproximate: true }, 0);
    const { series: left, notes } = await ask(near, windows('count_over_time', OLD));
    expect([left.size, notes.join()]).toEqual([0, expect.stringMatching(/^info: .*native hist/)]);
    await near.close();
  });
});
