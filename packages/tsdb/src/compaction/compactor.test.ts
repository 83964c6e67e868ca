import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { InlineWorkers, VirtualClock, type Workers, type WorkerWorld } from '@pollux/base';
import { NodeWorkers } from '@pollux/base/node';
import { Matcher } from '@pollux/model';
import { Registry, renderText } from '@pollux/telemetry';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TsdbOptions } from '../options.ts';
import { writeTestBlock } from '../testing/block-fixtures.ts';
import {
  ALL_TIME,
  HastyClock,
  openTsdb,
  query,
  removeDirectory,
  series,
  temporaryDirectory,
} from '../testing/fixtures.ts';
import { MortalWorkers } from '../testing/mortal-workers.ts';
import { QuickFiles } from '../testing/quick-files.ts';

const RANGE_MS = 60_000;
const OPTIONS: Partial<TsdbOptions> = {
  minBlockDurationMs: RANGE_MS,
  maxBlockDurationMs: RANGE_MS * 3,
  retentionMs: 0,
  compactionWorkerMinBytes: 0,
  replayWorkerMinBytes: Number.POSITIVE_INFINITY,
};
const HERE = { ...OPTIONS, compactionWorkerMinBytes: Number.POSITIVE_INFINITY };

let directory: string;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => removeDirectory(directory));

/** Four blocks, three of which are to become one. */
async function writeBlocks(data: string, seriesCount = 40): Promise<void> {
  fs.mkdirSync(data, { recursive: true });
  for (let i = 0; i < 4; i++) {
    const minTime = i * RANGE_MS;
    const rows = Array.from({ length: seriesCount }, (_, k) => ({
      labels: series(k, k % 2 === 0 ? 'm' : 'debug'),
      points: [1, 2, 3].map((at) => ({
        timestampMs: minTime + at * 1000 + k,
        bits: BigInt(at * k),
      })),
    }));
    await writeTestBlock(data, { minTime, maxTime: minTime + RANGE_MS, rows, seed: i + 1 });
  }
}

type Found = {
  readonly answer: unknown;
  readonly files: Record<string, string>;
  /** Blocks made of others. */
  readonly made: number;
};

/** What a round of maintenance makes of the blocks: the answer, and digests of all files. */
async function after(options: Partial<TsdbOptions>, workers?: Workers): Promise<Found> {
  const source = path.join(directory, 'source');
  if (!fs.existsSync(source)) await writeBlocks(source);
  const data = path.join(directory, String(fs.readdirSync(directory).length));
  fs.cpSync(source, data, { recursive: true });
  const db = await openTsdb(data, { options, seed: 7, ...(workers && { workers: () => workers }) });
  await db.deleteSamples({ minMs: 0, maxMs: 70_000 }, [new Matcher('i', '=~', '1.')]);
  await db.tick();
  const answer = await query(db);
  await db.close();
  const files: Record<string, string> = {};
  for (const name of blocksIn(data)) {
    for (const file of fs.readdirSync(path.join(data, name), {
      recursive: true,
      encoding: 'utf8',
    })) {
      const full = path.join(data, name, file);
      if (fs.statSync(full).isFile()) files[`${name}/${file}`] = digest(full);
    }
  }
  const metas = blocksIn(data).map((name) =>
    fs.readFileSync(path.join(data, name, 'meta.json'), 'utf8'),
  );
  return { answer, files, made: metas.filter((meta) => meta.includes('"parents"')).length };
}

function digest(file: string): string {
  return createHash('sha256').update(fs.readFileSync(file)).digest('hex');
}

function blocksIn(data: string): string[] {
  return fs.readdirSync(data).filter((name) => name.length === 26);
}

function leftovers(data: string): string[] {
  return fs.readdirSync(data).filter((name) => name.includes('tmp'));
}

describe.each([
  ['in-line', null],
  ['in a thread', new NodeWorkers()],
] as const)('blocks compacted by a worker %s', (_, workers) => {
  it.each([
    ['deletions', []],
    ['rules', [{ matchers: [new Matcher('__name__', '=~', 'de.*')], keepMs: RANGE_MS * 2 }]],
  ])('are to the byte those that are compacted here, with %s', async (_what, retentionRules) => {
    const changed = { retentionRules, compactedFloats: 'dense' } as const;
    const expected = await after({ ...HERE, ...changed });
    expect(expected.made).toBeGreaterThan(0);
    expect(await after({ ...OPTIONS, ...changed }, workers ?? undefined)).toEqual(expected);
  });

  it('are given up when the database closes, and leave nothing', async () => {
    const data = path.join(directory, 'data');
    await writeBlocks(data, 400);
    const clock = new HastyClock();
    const made = (world: WorkerWorld): Workers => workers ?? new InlineWorkers(world);
    const db = await openTsdb(data, { options: OPTIONS, clock, workers: made });
    const before = await query(db);
    const ticked = db.tick();
    for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
    await db.close();
    await ticked;
    expect(leftovers(data)).toEqual([]);
    expect(blocksIn(data)).toHaveLength(4);
    const again = await openTsdb(data, { options: HERE });
    expect(await query(again)).toEqual(before);
    await again.close();
  });

  it('are not made of a parent that is damaged, which is marked', async () => {
    const data = path.join(directory, 'data');
    await writeBlocks(data);
    const victim = blocksIn(data)[1]!;
    const file = path.join(data, victim, 'chunks', '000001');
    const bytes = fs.readFileSync(file);
    bytes[12]! ^= 1;
    fs.writeFileSync(file, bytes);
    const lines: string[] = [];
    const made = (world: WorkerWorld): Workers => workers ?? new InlineWorkers(world);
    const db = await openTsdb(data, { options: OPTIONS, lines, workers: made });
    await db.tick();
    const failed = blocksIn(data).filter((name) =>
      fs.readFileSync(path.join(data, name, 'meta.json'), 'utf8').includes('"failed": true'),
    );
    expect(failed).toEqual([victim]);
    expect(lines.filter((line) => line.includes(`blocks=${victim}`))).toHaveLength(1);
    expect(leftovers(data)).toEqual([]);
    await db.close();
  });
});

/** A disk that is full for the files of blocks. */
class FullDisk extends QuickFiles {
  isFull = true;

  override open(name: string, mode: 'r' | 'r+' | 'w' | 'wx' | 'a'): ReturnType<QuickFiles['open']> {
    const file = super.open(name, mode);
    const write = file.write.bind(file);
    file.write = (source, offset, length, position) => {
      if (this.isFull && name.includes('tmp-for-creation')) {
        throw Object.assign(new Error('ENOSPC: no space left on device, write'), {
          code: 'ENOSPC',
        });
      }
      write(source, offset, length, position);
    };
    return file;
  }
}

describe('a compaction whose worker fails', () => {
  it('for want of space leaves all as it was, says so, and is done when there is space', async () => {
    await writeBlocks(directory);
    const files = new FullDisk();
    const clock = new VirtualClock();
    const lines: string[] = [];
    const db = await openTsdb(directory, { options: OPTIONS, files, clock, lines });
    const before = await query(db);
    await db.tick();
    expect(lines.filter((line) => line.includes('ENOSPC'))).toHaveLength(1);
    expect(leftovers(directory)).toEqual([]);
    expect(blocksIn(directory)).toHaveLength(4);
    files.isFull = false;
    await clock.advance(RANGE_MS);
    await db.tick();
    expect(blocksIn(directory)).toHaveLength(2);
    expect(await query(db)).toEqual(before);
    await db.close();
  });

  it('by dying leaves all as it was, says what to do, counts, and is done by another', async () => {
    await writeBlocks(directory);
    const clock = new VirtualClock();
    const lines: string[] = [];
    const registry = new Registry();
    let dying: MortalWorkers | null = null;
    let isDeadly = true;
    const workers = (world: WorkerWorld): Workers => {
      const healthy = new InlineWorkers(world);
      dying = new MortalWorkers(healthy, 0);
      return {
        parallelism: 1,
        start: (entry, options) => (isDeadly ? dying! : healthy).start(entry, options),
      };
    };
    const db = await openTsdb(directory, { options: OPTIONS, clock, lines, registry, workers });
    const before = await query(db, [], ALL_TIME);
    await db.tick();
    expect(dying!.started).toBe(1);
    const told = lines.filter((line) => line.includes('the worker that compacts blocks was lost'));
    expect(told).toHaveLength(1);
    expect(told[0]).toContain('exit status 137');
    expect(renderText(registry.gather())).toContain('prometheus_tsdb_compactions_failed_total 1');
    expect(leftovers(directory)).toEqual([]);
    isDeadly = false;
    await clock.advance(RANGE_MS);
    await db.tick();
    expect(blocksIn(directory)).toHaveLength(2);
    expect(await query(db, [], ALL_TIME)).toEqual(before);
    await db.close();
  });
});
