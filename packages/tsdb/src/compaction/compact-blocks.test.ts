import { execFileSync, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { SeededRandom } from '@pollux/base';
import { Labels, Matcher } from '@pollux/model';
import { Registry, renderText } from '@pollux/telemetry';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type BlockRow, type BlockSpec, writeTestBlock } from '../testing/block-fixtures.ts';
import { copyLive } from '../testing/copy-live.ts';
import {
  ALL_TIME,
  answerLines,
  bitsOf,
  dumpLines,
  HastyClock,
  openTsdb,
  type Point,
  query,
  removeDirectory,
  series,
  temporaryDirectory,
} from '../testing/fixtures.ts';

const hasPromtool = spawnSync('promtool', ['--version']).status === 0;
const REASON = hasPromtool
  ? ''
  : ' (skipped: no promtool on the PATH; install Debian package prometheus)';

const RANGE_MS = 60_000;
const OPTIONS = {
  minBlockDurationMs: RANGE_MS,
  maxBlockDurationMs: RANGE_MS * 9,
  retentionMs: 0,
};

let directory: string;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => removeDirectory(directory));

/** Labels with texts in every order: prefixes, UTF-8, surrogates. */
const LABELS = [
  series(1),
  series(10),
  Labels.from({ __name__: 'm', i: '1', more: 'x' }),
  Labels.from({ __name__: 'utf8', city: 'Köln', emoji: '🙂', high: '\uffee' }),
  Labels.from({ __name__: 'odd', path: 'C:\\dir\\"q"', lines: 'a\nb' }),
  Labels.from({ __name__: 'a', b: '' }),
];

/** No NaN, since promtool prints all of them alike. */
function anyBits(random: SeededRandom): bigint {
  return (BigInt(random.below(0x7ff00000)) << 32n) | BigInt(random.below(2 ** 32));
}

function randomPoints(random: SeededRandom, fromMs: number, toMs: number): Point[] {
  const points: Point[] = [];
  const stepMs = 200 + random.below(2000);
  for (let at = fromMs + random.below(stepMs); at < toMs; at += 1 + random.below(stepMs)) {
    points.push({ timestampMs: at, bits: anyBits(random) });
  }
  return points;
}

function randomBlock(random: SeededRandom, minTime: number, maxTime: number): BlockSpec {
  const rows: BlockRow[] = [];
  for (const labels of LABELS) {
    const points = random.below(3) === 0 ? [] : randomPoints(random, minTime, maxTime);
    if (points.length > 0) rows.push({ labels, points });
  }
  if (rows.length === 0)
    rows.push({ labels: series(99), points: [{ timestampMs: minTime, bits: 1n }] });
  const samplesPerChunk = 1 + random.below(130);
  return { minTime, maxTime, rows, samplesPerChunk, seed: random.below(2 ** 31) };
}

/** Blocks of one to three ranges, some overlapping the one before. */
async function writeRandomBlocks(
  target: string,
  random: SeededRandom,
  valueAt: ((timestampMs: number) => bigint) | null = null,
): Promise<void> {
  let minTime = RANGE_MS * random.below(9);
  for (let i = 3 + random.below(6); i > 0; i--) {
    const maxTime = minTime + RANGE_MS * (1 + random.below(2) * random.below(3));
    const block = randomBlock(random, minTime, maxTime);
    // Of two values at one time Prometheus takes either.
    const rows = block.rows.map(({ labels, points }) => ({
      labels,
      points: points.map(({ timestampMs, bits }) => ({
        timestampMs,
        bits: valueAt?.(timestampMs) ?? bits,
      })),
    }));
    await writeTestBlock(target, { ...block, rows });
    minTime = random.below(3) === 0 ? maxTime - RANGE_MS : maxTime + RANGE_MS * random.below(2);
  }
}

type Meta = {
  readonly ulid: string;
  readonly minTime: number;
  readonly maxTime: number;
  readonly stats: Readonly<Record<string, number>>;
  readonly compaction: {
    readonly level: number;
    readonly sources: readonly string[];
    readonly parents?: readonly { readonly ulid: string }[];
    readonly failed?: boolean;
  };
};

function metasOf(data: string): Meta[] {
  return fs
    .readdirSync(data)
    .filter((name) => name.length === 26)
    .map((name): Meta => JSON.parse(fs.readFileSync(path.join(data, name, 'meta.json'), 'utf8')))
    .sort((a, b) => a.minTime - b.minTime);
}

const row = (labels: Labels, ...times: number[]): BlockRow => ({
  labels,
  points: times.map((timestampMs) => ({ timestampMs, bits: BigInt(timestampMs) })),
});

describe('compacted blocks', () => {
  it('answer exactly as their parents did, whatever overlaps, before and after a restart', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), async (seed) => {
        const random = new SeededRandom(seed);
        const data = path.join(directory, String(seed));
        fs.mkdirSync(data);
        await writeRandomBlocks(data, random);
        const db = await openTsdb(data, { options: OPTIONS, clock: new HastyClock(), seed });
        if (random.below(2) === 0) {
          const minMs = random.below(10 * RANGE_MS);
          const range = { minMs, maxMs: minMs + random.below(3 * RANGE_MS) };
          await db.deleteSamples(range, [new Matcher('__name__', '=~', 'm|odd')]);
        }
        const before = await query(db);
        const counts = metasOf(data).length;
        await db.tick();
        await db.cleanTombstones();
        expect(metasOf(data).length).toBeLessThanOrEqual(counts);
        expect(await query(db)).toEqual(before);
        await db.close();
        const again = await openTsdb(data, { options: OPTIONS });
        expect(await query(again)).toEqual(before);
        await again.close();
        const samples = [...before.values()].reduce((sum, points) => sum + points.length, 0);
        // A newest block of which all was deleted stays, with its deletions, until there is a newer one.
        const cleaned = metasOf(data).filter(({ stats }) => stats.numTombstones === undefined);
        const counted = cleaned.reduce((sum, { stats }) => sum + (stats.numSamples ?? 0), 0);
        expect(counted).toBe(samples);
        removeDirectory(data);
      }),
      { numRuns: Number(process.env.TSDB_RUNS ?? 10), examples: [[788_378_014]] },
    );
  }, 60_000);

  it('say where they come from, and the last parents in time win nothing from the first at equal times', async () => {
    const old = row(series(1), 1, 5, 9);
    const other = { labels: series(1), points: [{ timestampMs: 5, bits: 77n }] };
    const first = await writeTestBlock(directory, {
      minTime: 0,
      maxTime: RANGE_MS,
      rows: [old],
      seed: 1,
    });
    const second = await writeTestBlock(directory, {
      minTime: 2,
      maxTime: RANGE_MS,
      rows: [other],
      seed: 2,
    });
    const registry = new Registry();
    const db = await openTsdb(directory, { options: OPTIONS, registry });
    await db.tick();
    const [meta] = metasOf(directory);
    const parents = [path.basename(first), path.basename(second)];
    expect(meta?.compaction.level).toBe(2);
    expect(meta?.compaction.sources).toEqual([...parents].sort());
    expect(meta?.compaction.parents?.map(({ ulid }) => ulid)).toEqual(parents);
    expect([meta?.minTime, meta?.maxTime]).toEqual([0, RANGE_MS]);
    expect((await query(db)).get(series(1).toString())).toEqual(old.points);
    expect(renderText(registry.gather())).toContain('prometheus_tsdb_vertical_compactions_total 1');
    await db.close();
  });

  it('copy chunks byte for byte where nothing overlaps or is deleted', async () => {
    for (let i = 0; i < 5; i++) {
      const rows = [
        row(series(1), i * RANGE_MS + 5, i * RANGE_MS + 7),
        row(series(2), i * RANGE_MS),
      ];
      const time = { minTime: i * RANGE_MS, maxTime: (i + 1) * RANGE_MS };
      await writeTestBlock(directory, { ...time, rows, samplesPerChunk: 1, seed: i + 1 });
    }
    const db = await openTsdb(directory, { options: OPTIONS });
    await db.tick();
    await db.close();
    // Chunks of one sample stay chunks of one sample.
    expect(metasOf(directory).map(({ stats }) => stats.numChunks)).toEqual([9, 3, 3]);
  });

  it('lose deleted series with their texts', async () => {
    const secret = Labels.from({ __name__: 'm', secret: 'hunter2' });
    for (const [i, minTime] of [0, RANGE_MS].entries()) {
      const rows = [row(secret, minTime + 1), row(series(1), minTime + 2)];
      await writeTestBlock(directory, { minTime, maxTime: minTime + RANGE_MS, rows, seed: i + 1 });
    }
    const db = await openTsdb(directory, { options: OPTIONS });
    await db.deleteSamples(ALL_TIME, [new Matcher('secret', '=', 'hunter2')]);
    await db.cleanTombstones();
    await db.close();
    const metas = metasOf(directory);
    expect(metas.map(({ stats }) => [stats.numSeries, stats.numTombstones])).toEqual([
      [1, undefined],
      [1, undefined],
    ]);
    expect(metas.map(({ compaction }) => compaction.level)).toEqual([1, 1]);
    for (const { ulid } of metas) {
      expect(fs.readFileSync(path.join(directory, ulid, 'index')).includes('hunter2')).toBe(false);
    }
  });

  it('hide what was deleted while they were written', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(60), fc.nat(1000), async (turns, seed) => {
        const data = path.join(directory, `${turns}-${seed}`);
        fs.mkdirSync(data);
        await writeRandomBlocks(data, new SeededRandom(seed));
        const db = await openTsdb(data, { options: OPTIONS, clock: new HastyClock(), seed });
        const ticked = db.tick();
        for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
        const range = { minMs: 90_000, maxMs: 200_000 };
        const isGone = ({ timestampMs }: Point): boolean =>
          timestampMs >= range.minMs && timestampMs <= range.maxMs;
        await db.deleteSamples(range, [new Matcher('__name__', '=~', '.+')]);
        const hidden = await query(db);
        await ticked;
        const after = await query(db);
        expect(after).toEqual(hidden);
        expect([...after.values()].some((points) => points.some(isGone))).toBe(false);
        await db.close();
        const again = await openTsdb(data, { options: OPTIONS });
        expect(await query(again)).toEqual(hidden);
        await again.close();
        removeDirectory(data);
      }),
      { numRuns: 5 },
    );
  }, 60_000);

  it('leave a directory that is right at any moment of a crash', async () => {
    for (const seed of [1, 2, 3]) {
      const data = path.join(directory, `data-${seed}`);
      fs.mkdirSync(data);
      const random = new SeededRandom(seed);
      await writeRandomBlocks(data, random);
      const db = await openTsdb(data, { options: OPTIONS, clock: new HastyClock(), seed });
      const before = await query(db);
      let isDone = false;
      const ticked = db.tick().finally(() => {
        isDone = true;
      });
      const copies: string[] = [];
      for (let turn = 0, next = 0; !isDone; turn++) {
        await new Promise((resolve) => setImmediate(resolve));
        if (turn < next) continue;
        next = turn + 1 + random.below(turn + 40);
        const copy = path.join(directory, `copy-${seed}-${turn}`);
        copyLive(data, copy);
        copies.push(copy);
      }
      await ticked;
      await db.close();
      expect(copies.length).toBeGreaterThan(3);
      for (const copy of copies) {
        const again = await openTsdb(copy, { options: OPTIONS });
        expect(await query(again)).toEqual(before);
        await again.tick();
        expect(fs.readdirSync(copy).filter((name) => name.includes('tmp'))).toEqual([]);
        await again.close();
      }
    }
  }, 60_000);

  it('that a crash left beside their parents take their place', async () => {
    const rows = [row(series(1), 1, 2)];
    const parent = await writeTestBlock(directory, {
      minTime: 0,
      maxTime: RANGE_MS,
      rows,
      seed: 1,
    });
    const ulid = path.basename(parent);
    const compaction = {
      level: 2,
      sources: [ulid],
      parents: [{ ulid, minTime: 0, maxTime: RANGE_MS }],
    };
    await writeTestBlock(directory, { minTime: 0, maxTime: RANGE_MS, rows, compaction, seed: 2 });
    const db = await openTsdb(directory, { options: OPTIONS });
    await db.tick();
    expect(fs.existsSync(parent)).toBe(false);
    expect(fs.readdirSync(directory).filter((name) => name.includes('tmp'))).toEqual([]);
    expect((await query(db)).get(series(1).toString())).toEqual(rows[0]?.points);
    await db.close();
  });

  it('are not made of damaged blocks, which are marked, logged once and go on answering', async () => {
    for (let i = 0; i < 4; i++) {
      const time = { minTime: i * RANGE_MS, maxTime: (i + 1) * RANGE_MS };
      const rows = [row(series(1), time.minTime), row(series(2), time.minTime)];
      await writeTestBlock(directory, { ...time, rows, seed: i + 1 });
    }
    const [victim] = metasOf(directory);
    const file = path.join(directory, victim!.ulid, 'chunks', '000001');
    const bytes = fs.readFileSync(file);
    bytes[12]! ^= 1;
    fs.writeFileSync(file, bytes);
    const lines: string[] = [];
    const db = await openTsdb(directory, { options: OPTIONS, lines });
    await db.tick();
    await db.tick();
    expect(metasOf(directory).map(({ compaction }) => compaction.failed)).toEqual([
      true,
      undefined,
      undefined,
      undefined,
    ]);
    expect(lines.filter((line) => line.includes('cannot be compacted'))).toHaveLength(1);
    expect((await query(db)).get(series(2).toString())).toHaveLength(4);
    expect(fs.readdirSync(directory).filter((name) => name.includes('tmp'))).toEqual([]);
    await db.close();
  });

  it.skipIf(!hasPromtool)(
    `are dumped, listed and analysed by promtool as their parents were${REASON}`,
    async () => {
      await writeRandomBlocks(directory, new SeededRandom(11), (at) => bitsOf(at / 7));
      const dump = (): string =>
        execFileSync('promtool', ['tsdb', 'dump', directory], { maxBuffer: 1 << 28 }).toString();
      // Debian's promtool wants a log beside the blocks.
      fs.mkdirSync(path.join(directory, 'wal'));
      const before = dumpLines(dump());
      const count = metasOf(directory).length;
      const db = await openTsdb(directory, { options: OPTIONS });
      await db.tick();
      const ours = answerLines(await query(db));
      await db.close();
      expect(metasOf(directory).length).toBeLessThan(count);
      expect(metasOf(directory).some(({ compaction }) => compaction.level > 1)).toBe(true);
      expect(before.length).toBeGreaterThan(500);
      expect(dumpLines(dump())).toEqual(before);
      expect(ours).toEqual(before);
      const list = execFileSync('promtool', ['tsdb', 'list', directory]).toString();
      for (const { ulid, stats } of metasOf(directory)) {
        expect(list).toMatch(
          new RegExp(`${ulid}.*\\b${stats.numSamples}\\b.*\\b${stats.numSeries}\\b`),
        );
        const report = execFileSync('promtool', ['tsdb', 'analyze', directory, ulid]).toString();
        expect(report).toContain(`Series: ${stats.numSeries}`);
      }
    },
    60_000,
  );
});
