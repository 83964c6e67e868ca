import { Labels, Matcher } from '@pollux/model';
import { NO_HINTS } from '@pollux/storage';
import type { FsyncMode, Tsdb, TsdbOptions } from '@pollux/tsdb';
import { describe, expect, it } from 'vitest';
import type { DiskFaultKind, DiskOperation } from '../disk/disk-faults.ts';
import { downsamplingSubject } from './downsampling-subject.ts';
import type { FaultSubject } from './fault-run.ts';
import { type FaultWorld, faultWorld } from './fault-world.ts';
import { contentsOf, tsdbSubject } from './tsdb-subject.ts';

const T0 = 1_700_006_400_000;
const BLOCK_MS = 20_000;
const M = [new Matcher('__name__', '=', 'm')];

/** A database on a disk that does what the test tells it. */
class Story {
  readonly world: FaultWorld = faultWorld(1);
  readonly #subject: FaultSubject<Tsdb>;
  #db: Tsdb | null = null;

  constructor(fsync: FsyncMode, options: Partial<TsdbOptions> = {}) {
    this.#subject = tsdbSubject(fsync, {
      outOfOrderWindowMs: 15_000,
      retentionMs: 3 * BLOCK_MS,
      maxBlockDurationMs: BLOCK_MS,
      snapshotIntervalMs: 0,
      ...options,
    });
  }

  get db(): Tsdb {
    if (this.#db === null) throw new Error('not open');
    return this.#db;
  }

  async open(): Promise<void> {
    this.#db = await this.#subject.open(this.world);
  }

  async reopen(): Promise<void> {
    await this.db.close();
    await this.open();
  }

  async cutPower(survives: 'none' | 'all' = 'none'): Promise<void> {
    this.world.restart(survives);
    await this.open();
  }

  async append(atMs: number, value = atMs): Promise<void> {
    const appender = this.db.appender();
    const ref = appender.series(Labels.from({ __name__: 'm' }));
    const outcomes = new Uint8Array(1);
    appender.appendFloats(
      Uint32Array.of(ref),
      Float64Array.of(T0 + atMs),
      Float64Array.of(value),
      null,
      1,
      outcomes,
    );
    await appender.commit();
    if (outcomes[0] !== 0) throw new Error(`refused: ${outcomes[0]}`);
  }

  async appendRange(fromMs: number, toMs: number): Promise<void> {
    for (let atMs = fromMs; atMs <= toMs; atMs += 1_000) await this.append(atMs);
  }

  /** Times of all samples since T0. */
  async times(): Promise<number[]> {
    const { series, isPartial } = await contentsOf(this.db);
    if (isPartial) throw new Error('a partial answer');
    return [...series.values()].flat().map(({ timeMs }) => timeMs - T0);
  }

  /** Fails the next operation of this kind on a path that ends so, once. */
  failNext(kind: DiskFaultKind, operation: DiskOperation, path: RegExp): void {
    this.world.disk.injectNext(kind, (asked, at) => asked === operation && path.test(at));
  }
}

async function open(fsync: FsyncMode = 'always'): Promise<Story> {
  const story = new Story(fsync);
  await story.open();
  return story;
}

describe('after a power cut', () => {
  it('the segments of the log are there by name', async () => {
    const story = await open();
    await story.append(0);
    await story.cutPower();
    expect(await story.times()).toEqual([0]);
  });

  it('what was deleted from the head stays deleted', async () => {
    const story = await open();
    await story.appendRange(0, 3_000);
    await story.append(1_500);
    await story.db.deleteSamples({ minMs: T0, maxMs: T0 + 2_000 }, M);
    await story.cutPower();
    expect(await story.times()).toEqual([3_000]);
  });

  it('what was deleted from blocks of late samples does not come back from their log', async () => {
    const story = await open();
    await story.appendRange(0, 20_000);
    await story.append(10_500);
    await story.appendRange(21_000, 35_000);
    await story.db.tick();
    await story.db.deleteSamples({ minMs: T0, maxMs: T0 + 19_999 }, M);
    await story.cutPower();
    expect((await story.times())[0]).toBe(20_000);
  });
});

describe('a failing sync', () => {
  it('refuses the commit, shows what the log has, and the same commit again is safe', async () => {
    for (const log of ['wal', 'wbl']) {
      const story = await open();
      await story.appendRange(0, 10_000);
      const atMs = log === 'wal' ? 11_000 : 5_500;
      story.failNext('EIO', 'sync', new RegExp(`/${log}/`));
      await expect(story.append(atMs)).rejects.toMatchObject({ code: 'TSDB.WAL_SYNC' });
      expect(await story.times()).toContain(atMs);
      await story.append(atMs);
      await story.cutPower();
      expect(await story.times()).toContain(atMs);
    }
  });

  it('does not stop the log when its segments were removed meanwhile', async () => {
    const story = await open();
    await story.appendRange(0, 20_000);
    await story.append(10_500);
    await story.appendRange(21_000, 35_000);
    story.failNext('EIO', 'sync', /\/wbl\//);
    await story.db.tick();
    expect(story.world.disk.faults).toBe(1);
    await story.append(30_500);
    await story.cutPower();
    expect(await story.times()).toContain(30_500);
  });
});

describe('a log of late samples that cannot be written', () => {
  const mixed = async (story: Story): Promise<void> => {
    const appender = story.db.appender();
    const refs = new Uint32Array(3).fill(appender.series(Labels.from({ __name__: 'm' })));
    refs[2] = appender.series(Labels.from({ __name__: 'new' }));
    const times = Float64Array.of(T0 + 11_000, T0 + 5_500, T0 + 11_000);
    appender.appendFloats(refs, times, Float64Array.of(1, 2, 3), null, 3, new Uint8Array(3));
    await appender.commit();
  };

  it('refuses the whole commit, now and after a restart, and what follows it is whole', async () => {
    for (const fsync of ['always', 'interval'] as const) {
      const story = await open(fsync);
      await story.appendRange(0, 10_000);
      const before = await story.times();
      for (const kind of ['ENOSPC', 'EIO'] as const) {
        story.failNext(kind, 'write', /\/wbl\//);
        await expect(mixed(story)).rejects.toMatchObject({ code: 'TSDB.WAL_WRITE' });
        expect(await story.times()).toEqual(before);
      }
      await story.cutPower('all');
      expect(await story.times()).toEqual(before);
      story.failNext('ENOSPC', 'write', /\/wbl\//);
      await expect(mixed(story)).rejects.toMatchObject({ code: 'TSDB.WAL_WRITE' });
      await mixed(story);
      await story.append(12_000);
      const after = await story.times();
      expect(after).toHaveLength(before.length + 4);
      await story.cutPower('all');
      expect(await story.times()).toEqual(after);
      expect(story.world.lines.join()).not.toMatch(/damage in the (out-of-order )?log/);
    }
  });

  it('shows what the other log keeps when that cannot be cut off, alike before and after a restart', async () => {
    for (const fsync of ['always', 'interval'] as const) {
      const story = await open(fsync);
      await story.appendRange(0, 10_000);
      const { disk } = story.world;
      // Behind the write of the log: that of the other one, and cutting both back.
      disk.inject({ kind: 'EIO', from: disk.operations + 2, to: disk.operations + 4 });
      await expect(mixed(story)).rejects.toMatchObject({ code: 'TSDB.PARTLY_STORED' });
      const shown = await story.times();
      expect(shown.filter((at) => at === 11_000)).toHaveLength(2);
      await story.cutPower('all');
      expect(await story.times()).toEqual(shown);
    }
  });
});

describe('a page of the log that cannot be read for a moment', () => {
  it('is not taken for damage by a checkpoint or a start', async () => {
    const story = await open();
    for (let block = 0; block < 4; block++) {
      await story.appendRange(block * BLOCK_MS, block * BLOCK_MS + 19_000);
      story.failNext('EIO', 'read', /\/wal\/0000/);
      await story.db.tick();
    }
    const times = await story.times();
    for (const kind of ['EIO', 'short'] as const) {
      story.failNext(kind, 'read', /\/wal\/0000/);
      await story.reopen();
      expect(await story.times()).toEqual(times);
    }
    expect(story.world.disk.faults).toBeGreaterThan(2);
  });
});

describe('a block of late samples from the time of the head', () => {
  it('is not merged with one that came in order, or a start would drop what the log has of that time', async () => {
    const story = new Story('always', { maxBlockDurationMs: 3 * BLOCK_MS, retentionMs: 0 });
    await story.open();
    for (const atMs of [0, 19_000, 45_000, 61_000, 50_000, 60_500]) await story.append(atMs);
    const times = await story.times();
    await story.db.tick();
    await story.db.tick();
    const blocks = story.world.env.files.list('/data').filter((name) => name.length === 26);
    expect(blocks).toHaveLength(3);
    await story.cutPower('all');
    expect(await story.times()).toEqual(times);
  });
});

describe('a block that was made into another', () => {
  it('does not come back when it could not be removed, however often the other was made anew', async () => {
    const story = await open();
    await story.appendRange(0, 35_000);
    await story.db.tick();
    await story.db.deleteSamples({ minMs: T0 + 1_000, maxMs: T0 + 2_000 }, M);
    story.failNext('EIO', 'rename', /tmp-for-deletion$/);
    await story.db.cleanTombstones();
    expect(story.world.disk.faults).toBe(1);
    for (const fromMs of [3_000, 6_000]) {
      await story.db.deleteSamples({ minMs: T0 + fromMs, maxMs: T0 + fromMs + 1_000 }, M);
      await story.db.cleanTombstones();
    }
    await story.reopen();
    expect((await story.times()).slice(0, 4)).toEqual([0, 5_000, 8_000, 9_000]);
  });
});

describe('a failing disk', () => {
  it('does not make deletions forget a block that cannot be opened for a moment', async () => {
    const story = await open();
    await story.appendRange(0, 35_000);
    await story.db.tick();
    await story.db.deleteSamples({ minMs: T0, maxMs: T0 + 1_000 }, M);
    story.failNext('EIO', 'open', /index$/);
    await story.reopen();
    // Not what the log still has of the block's time.
    expect((await story.times())[0]).toBe(2_000);
    await story.db.deleteSamples({ minMs: T0, maxMs: T0 + 4_000 }, M);
    await story.reopen();
    expect((await story.times())[0]).toBe(5_000);
  });

  it('refuses a deletion from a block that cannot be opened, and says which', async () => {
    const story = await open();
    await story.appendRange(0, 35_000);
    await story.db.tick();
    const [block = ''] = story.world.env.files.list('/data').filter((name) => name.length === 26);
    story.world.env.files.open(`/data/${block}/meta.json`, 'w').close();
    await story.reopen();
    const deletion = story.db.deleteSamples({ minMs: T0, maxMs: T0 + 4_000 }, M);
    await expect(deletion).rejects.toMatchObject({
      code: 'TSDB.BLOCK_UNAVAILABLE',
      message: expect.stringContaining(block),
    });
  });

  it('does not bring back what was deleted after a block got its name but could not be shown', async () => {
    for (const operation of ['syncDirectory', 'read'] as const) {
      const story = await open();
      await story.appendRange(0, 35_000);
      story.failNext('EIO', operation, operation === 'read' ? /\/meta\.json$/ : /^\/data$/);
      await story.db.tick();
      expect(story.world.disk.faults).toBe(1);
      await story.db.deleteSamples({ minMs: T0, maxMs: T0 + 4_000 }, M);
      await story.cutPower('all');
      expect((await story.times())[0]).toBe(5_000);
    }
  });

  it('that cannot remove an expired block leaves it in answers or takes it whole, and the rest goes later', async () => {
    for (const operation of ['rename', 'remove'] as const) {
      const story = await open();
      for (let block = 0; block < 6; block++) {
        await story.appendRange(block * BLOCK_MS, block * BLOCK_MS + 19_000);
        if (block === 4) story.failNext('EIO', operation, /^\/data\/[0-9A-Z]{26}/);
        await story.db.tick();
      }
      await story.db.tick();
      expect(story.world.disk.faults).toBe(1);
      await story.world.clock.advance(61_000);
      await story.db.tick();
      const names = story.world.env.files.list('/data');
      expect(names.filter((name) => name.includes('tmp'))).toEqual([]);
      expect((await story.times())[0]).toBe(
        names.filter((n) => n.length === 26).length === 3 ? 40_000 : 20_000,
      );
    }
  });

  it('leaves no file open when the start fails, wherever it fails', async () => {
    const story = await open();
    await story.appendRange(0, 50_000);
    await story.append(40_500);
    await story.db.tick();
    await story.db.close();
    const { disk } = story.world;
    const before = disk.operations;
    await story.open();
    const operations = disk.operations - before;
    await story.db.close();
    let failures = 0;
    for (let operation = 1; operation <= operations; operation++) {
      const at = disk.operations + operation;
      disk.inject({ kind: 'EIO', from: at, to: at });
      try {
        await story.open();
        await story.db.close();
      } catch {
        failures++;
      }
      expect(disk.files.openPaths).toEqual([]);
    }
    expect(failures).toBeGreaterThan(5);
  });

  it('that reads short for a moment does not spoil later answers', async () => {
    const story = await open();
    await story.appendRange(0, 35_000);
    await story.db.tick();
    await story.reopen();
    story.failNext('short', 'read', /chunks\/000001$/);
    const request = {
      range: { minMs: T0, maxMs: T0 + 5_000 },
      matchers: M,
      hints: NO_HINTS,
      sorted: true,
    };
    const source = story.db.select(request, story.world.readContext());
    while ((await source.next()) !== null);
    expect(source.warnings).toHaveLength(1);
    expect(await story.times()).toHaveLength(36);
  });
});

describe('down-sampled data', () => {
  it('of which a part was deleted do not come back with a power cut', async () => {
    const subject = downsamplingSubject();
    const world = faultWorld(1);
    let db = await subject.open(world);
    for (const [number, { name, run }] of subject.script.entries()) {
      if (run === 'restart') {
        await subject.close(db);
        db = await subject.open(world);
      } else await run(db, world);
      if (name !== 'delete') continue;
      // Whatever was only renamed and not synced has its old name again.
      world.restart('none');
      world.ledger.notePowerCut();
      db = await subject.open(world);
      expect(world.ledger.check(await subject.read(db)), `after step ${number}`).toEqual([]);
    }
    expect(world.ledger.check(await subject.read(db))).toEqual([]);
    await subject.close(db);
  });
});
