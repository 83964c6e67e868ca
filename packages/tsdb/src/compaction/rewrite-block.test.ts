import { execFileSync, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { CanceledError, SeededRandom } from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import { Matcher } from '@pollux/model';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Block } from '../block/block.ts';
import { BlockWriter } from '../block/block-writer.ts';
import { FileCache } from '../block/file-cache.ts';
import { Slices } from '../slices.ts';
import { type BlockRow, writeTestBlock } from '../testing/block-fixtures.ts';
import {
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
import type { FloatEncoding } from './float-families.ts';
import { rewriteBlock } from './rewrite-block.ts';

const hasPromtool = spawnSync('promtool', ['--version']).status === 0;
const REASON = hasPromtool ? '' : ' (needs promtool: npm run peers)';
const RANGE_MS = 7_200_000;
const STALE_BITS = 0x7ff0000000000002n;
const OPTIONS = { minBlockDurationMs: RANGE_MS, retentionMs: 0 };
const DENSE = 0xd0;

const env = { ...nodeEnv(), random: new SeededRandom(11) };

let directory: string;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => removeDirectory(directory));

/** What hosts export, with a stale marker and odd doubles strewn in. */
const SHAPES: readonly ((i: number, random: SeededRandom) => bigint)[] = [
  () => bitsOf(1),
  (i) => bitsOf(i * 30),
  (_, random) => bitsOf(random.below(1000) / 100),
  (i, random) => (random.below(20) === 0 ? STALE_BITS : bitsOf(4096 * (i % 7))),
  (_, random) => (BigInt(random.below(2 ** 32)) << 32n) | BigInt(random.below(2 ** 32)),
];

function rowsOf(random: SeededRandom, minTime: number, withNans = true): BlockRow[] {
  return SHAPES.slice(0, withNans ? undefined : 3).map((bitsAt, number) => {
    const points: Point[] = [];
    const jitterMs = random.below(2) * 40;
    for (let i = random.below(50); i < 479; i++) {
      if (random.below(30) === 0) continue;
      const timestampMs = minTime + i * 15_000 + random.below(jitterMs + 1);
      points.push({ timestampMs, bits: bitsAt(i, random) });
    }
    return { labels: series(number), points };
  });
}

function ulids(): string[] {
  return fs.readdirSync(directory).filter((name) => name.length === 26);
}

async function rewriteAll(floats: FloatEncoding): Promise<void> {
  const { signal } = new AbortController();
  for (const ulid of ulids()) await rewriteBlock({ env, directory, ulid, floats, signal });
}

/** Encodings and sample counts of the chunks of each series, in order. */
function chunksOf(ulid: string): { encoding: number; bytes: string }[][] {
  const block = Block.open(env.files, `${directory}/${ulid}`, new FileCache(1e6));
  try {
    const found: { encoding: number; bytes: string }[][] = [];
    const scan = block.index.scan();
    while (scan.next()) {
      found.push(
        scan.chunks.map(({ ref }) => {
          const { encoding, bytes, offset, length } = block.chunk(ref);
          const own = Buffer.from(bytes.subarray(offset, offset + length));
          return { encoding, bytes: own.toString('hex') };
        }),
      );
    }
    return found;
  } finally {
    block.release();
  }
}

async function answer(): Promise<Map<string, readonly Point[]>> {
  const db = await openTsdb(directory, { options: OPTIONS });
  try {
    return new Map(await query(db));
  } finally {
    await db.close();
  }
}

describe('a rewritten block', () => {
  it('answers as before, in dense chunks and in XOR chunks again, without what was deleted', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), async (seed) => {
        removeDirectory(directory);
        fs.mkdirSync(directory);
        const random = new SeededRandom(seed);
        for (const minTime of [0, RANGE_MS]) {
          const time = { minTime, maxTime: minTime + RANGE_MS };
          const rows = rowsOf(random, minTime);
          await writeTestBlock(directory, { ...time, rows, seed: minTime + 1 });
        }
        const db = await openTsdb(directory, { options: OPTIONS });
        const range = { minMs: 1_000_000, maxMs: 1_000_000 + random.below(9_000_000) };
        await db.deleteSamples(range, [new Matcher('i', '=~', '[12]')]);
        const before = await query(db);
        await db.close();
        await rewriteAll('dense');
        expect(await answer()).toEqual(before);
        for (const ulid of ulids()) {
          for (const chunks of chunksOf(ulid)) {
            // All samples of two hours are in one chunk.
            expect(chunks.map(({ encoding }) => encoding)).toEqual([DENSE]);
          }
          expect(fs.statSync(`${directory}/${ulid}/tombstones`).size).toBe(9);
        }
        await rewriteAll('xor');
        expect(await answer()).toEqual(before);
        for (const chunks of ulids().flatMap(chunksOf)) {
          expect(new Set(chunks.map(({ encoding }) => encoding))).toEqual(new Set([1]));
        }
        expect(fs.readdirSync(directory).filter((name) => name.includes('tmp'))).toEqual([]);
      }),
      { numRuns: 6 },
    );
  });

  it('keeps level and sources, and says what it replaces, so that a crash between leaves no double', async () => {
    const rows = rowsOf(new SeededRandom(1), 0);
    const compaction = { level: 3, sources: ['01HF84E400JWFBAGK8NRCYDYFK'] };
    await writeTestBlock(directory, { minTime: 0, maxTime: RANGE_MS, rows, compaction });
    const [old] = ulids();
    fs.cpSync(`${directory}/${old}`, `${directory}.copy`, { recursive: true });
    await rewriteAll('dense');
    const [now] = ulids();
    const meta = JSON.parse(fs.readFileSync(`${directory}/${now}/meta.json`, 'utf8'));
    expect(meta.compaction).toMatchObject({ ...compaction, parents: [{ ulid: old }] });
    expect(meta.stats.numChunks).toBe(SHAPES.length);
    fs.renameSync(`${directory}.copy`, `${directory}/${old}`);
    await answer();
    expect(ulids()).toEqual([now]);
  });

  it('has chunks of other kinds as they were, between those of floats', async () => {
    const slices = new Slices(env.clock);
    const compaction = { level: 1, sources: [] };
    const time = { minTime: 0, maxTime: 100 };
    const writer = new BlockWriter({ env, directory, slices, ...time, compaction });
    await writer.writeSymbols(['', '__name__', 'm']);
    // Two XOR chunks of one sample, then an encoding that is only copied, then an XOR chunk again.
    const xor = (timestampMs: number): number[] => [0, 1, timestampMs * 2, 64, 0, 0, 0, 0, 0, 0, 0];
    const parts: [number, number[]][] = [
      [1, xor(1)],
      [1, xor(2)],
      [4, [0, 7, 99, 98]],
      [1, xor(9)],
    ];
    const metas = [];
    for (const [i, [encoding, bytes]] of parts.entries()) {
      const chunk = { bytes: Uint8Array.from(bytes), start: 0, end: bytes.length };
      const ref = await writer.addChunk(encoding, chunk, bytes[1]!);
      const atMs = [1, 2, 5, 9][i]!;
      metas.push({ minMs: atMs, maxMs: atMs, ref });
    }
    writer.addSeries(Uint32Array.of(1, 2), 2, metas);
    await writer.finish();
    await rewriteAll('dense');
    const [chunks] = chunksOf(ulids()[0]!);
    expect(chunks!.map(({ encoding }) => encoding)).toEqual([DENSE, 4, DENSE]);
    expect(chunks![1]!.bytes).toBe('00076362');
    const { stats } = JSON.parse(fs.readFileSync(`${directory}/${ulids()[0]}/meta.json`, 'utf8'));
    expect([stats.numSamples, stats.numChunks]).toEqual([10, 3]);
  });

  it('is not there when the work was given up', async () => {
    await writeTestBlock(directory, {
      minTime: 0,
      maxTime: RANGE_MS,
      rows: rowsOf(new SeededRandom(3), 0),
    });
    const [ulid] = ulids();
    const stop = new AbortController();
    stop.abort();
    const work = rewriteBlock({
      env,
      directory,
      ulid: ulid!,
      floats: 'dense',
      signal: stop.signal,
    });
    await expect(work).rejects.toThrow(CanceledError);
    expect(fs.readdirSync(directory)).toEqual([ulid]);
  });

  it.skipIf(!hasPromtool)(`in XOR chunks is read by promtool${REASON}`, async () => {
    const rows = rowsOf(new SeededRandom(5), 0, false);
    await writeTestBlock(directory, { minTime: 0, maxTime: RANGE_MS, rows });
    await rewriteAll('dense');
    await rewriteAll('xor');
    const wanted = answerLines(await answer());
    fs.mkdirSync(path.join(directory, 'wal'), { recursive: true });
    const dump = execFileSync('promtool', ['tsdb', 'dump', directory], { encoding: 'utf8' });
    expect(dumpLines(dump)).toEqual(wanted);
  });
});

describe('compaction with dense chunks', () => {
  it('makes dense blocks of XOR blocks and of dense ones, and answers as before', async () => {
    const random = new SeededRandom(8);
    for (let i = 0; i < 4; i++) {
      const minTime = i * RANGE_MS;
      const time = { minTime, maxTime: minTime + RANGE_MS };
      await writeTestBlock(directory, { ...time, rows: rowsOf(random, minTime), seed: i + 1 });
    }
    const before = await answer();
    const [first] = ulids().sort();
    const { signal } = new AbortController();
    await rewriteBlock({ env, directory, ulid: first!, floats: 'dense', signal });
    const options = {
      ...OPTIONS,
      maxBlockDurationMs: RANGE_MS * 3,
      compactedFloats: 'dense' as const,
    };
    const db = await openTsdb(directory, { options, clock: new HastyClock() });
    await db.tick();
    expect(await query(db)).toEqual(before);
    await db.close();
    const counts = ulids().map((ulid) => chunksOf(ulid).map((chunks) => chunks.length));
    expect(counts).toContainEqual(SHAPES.map(() => 1));
    expect(ulids()).toHaveLength(2);
    expect(await answer()).toEqual(before);
  });
});
