import * as fs from 'node:fs';
import { SeededRandom, VirtualClock } from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import { Labels, Matcher } from '@pollux/model';
import { NO_HINTS } from '@pollux/storage';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Block } from '../block/block.ts';
import { BlockCursor } from '../block/block-cursor.ts';
import { FileCache } from '../block/file-cache.ts';
import { CHUNK_ENCODING } from '../format/chunk-file.ts';
import { MergeSelect } from '../query/merge-select.ts';
import { Slices } from '../slices.ts';
import { writeChunkBlock } from '../testing/block-fixtures.ts';
import {
  ALL_TIME,
  context,
  EVERY,
  openTsdb,
  query,
  removeDirectory,
  temporaryDirectory,
} from '../testing/fixtures.ts';
import { histogramText } from '../testing/histograms.ts';
import { decodeChunk, floatChunk, randomPart, type Sample } from '../testing/mixed-chunks.ts';
import { QuickFiles } from '../testing/quick-files.ts';
import { compactBlocks } from './compact-blocks.ts';
import type { FloatEncoding } from './float-families.ts';

let directory: string;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => removeDirectory(directory));

const files = new QuickFiles();

/** What the chunks of every series of a block hold, and in which encodings. */
function readBlock(path: string): Map<string, Sample[]> {
  const block = Block.open(files, path, new FileCache(1 << 20));
  try {
    const answer = new Map<string, Sample[]>();
    const scan = block.index.scan();
    const chunks = block.scanChunks();
    const symbols = [...scan.symbols()].map((bytes) => new TextDecoder().decode(bytes));
    while (scan.next()) {
      const words = [...scan.labels.subarray(0, scan.labelWords)].map((word) => symbols[word]!);
      const samples: Sample[] = [];
      for (const { ref, minMs, maxMs } of scan.chunks) {
        const { encoding, bytes } = chunks.read(ref);
        const found = decodeChunk(encoding, bytes);
        expect([found[0]!.atMs, found.at(-1)!.atMs]).toEqual([minMs, maxMs]);
        samples.push(...found);
      }
      answer.set(words.join(' '), samples);
    }
    return answer;
  } finally {
    block.release();
  }
}

/** What a query over the blocks answers. */
async function select(blocks: readonly Block[]): Promise<Map<string, string[]>> {
  const onDamage = (): void => {
    throw new Error('no block is damaged');
  };
  const cursors = blocks.map((block) => new BlockCursor(block, ALL_TIME, EVERY, onDamage));
  const request = { range: ALL_TIME, matchers: EVERY, hints: NO_HINTS, sorted: true };
  const source = new MergeSelect({ cursors, warnings: [] }, request, context(), {
    clock: new VirtualClock(),
  });
  const answer = new Map<string, string[]>();
  for (let batch = await source.next(); batch !== null; batch = await source.next()) {
    for (const { labels, count, timestampsMs, values, histograms } of batch) {
      const bits = new BigUint64Array(values.buffer, values.byteOffset, count);
      const texts = Array.from({ length: count }, (_, i) => {
        const histogram = histograms?.[i] ?? null;
        const text = histogram === null ? bits[i]!.toString(16) : histogramText(histogram);
        return `${timestampsMs[i]} ${text}`;
      });
      answer.set([...labels].flat().join(' '), texts);
    }
  }
  return answer;
}

async function compact(
  parents: readonly Block[],
  floats: FloatEncoding | null,
): Promise<string | null> {
  const env = { ...nodeEnv(), files, random: new SeededRandom(99) };
  return compactBlocks({
    env,
    directory,
    parents,
    compaction: { level: 2, sources: parents.map(({ ulid }) => ulid) },
    expiry: null,
    slices: new Slices(env.clock),
    floats,
  });
}

function withoutDuplicates(parts: readonly (readonly Sample[])[]): Sample[] {
  const byTime = new Map<number, Sample>();
  for (const samples of parts) {
    for (const sample of samples) {
      if (!byTime.has(sample.atMs)) byTime.set(sample.atMs, sample);
    }
  }
  return [...byTime.values()].sort((a, b) => a.atMs - b.atMs);
}

describe('blocks with chunks of every encoding', () => {
  it('that overlap and have deletions are answered and compacted as a model has them, with start timestamps', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.constantFrom(null, 'xor', 'dense'), async (seed, floats) => {
        const random = new SeededRandom(seed);
        const model = new Map<string, Sample[][]>();
        const parents: Block[] = [];
        for (let i = 1 + random.below(3); i > 0; i--) {
          const minTime = random.below(3) * 60_000;
          const maxTime = minTime + 60_000 * (1 + random.below(2));
          const rows = ['a', 'b', 'c'].map((name) => ({
            name,
            part: randomPart(random, minTime + random.below(20) * 1000, maxTime),
          }));
          const path = await writeChunkBlock(directory, {
            minTime,
            maxTime,
            rows: rows.map(({ name, part }) => ({
              labels: Labels.from({ __name__: name }),
              chunks: part.chunks,
            })),
            seed: random.below(2 ** 31),
          });
          const block = Block.open(files, path, new FileCache(1 << 20));
          parents.push(block);
          const minMs = minTime + random.below(60_000);
          const gone = { minMs, maxMs: minMs + random.below(30_000) };
          const pattern = ['a', 'a|b', 'none'][random.below(3)]!;
          block.deleteSamples(gone, [new Matcher('__name__', '=~', pattern)]);
          for (const { name, part } of rows) {
            const isTouched = pattern.split('|').includes(name);
            const left = part.samples.filter(
              ({ atMs }) => !isTouched || atMs < gone.minMs || atMs > gone.maxMs,
            );
            const key = `__name__ ${name}`;
            model.set(key, [...(model.get(key) ?? []), left]);
          }
        }
        const answer = await select(parents);
        const merged = await compact(parents, floats);
        for (const block of parents) block.release();
        const expected = [...model]
          .map(([key, parts]): [string, Sample[]] => [key, withoutDuplicates(parts)])
          .filter(([, samples]) => samples.length > 0);
        const texts = expected.map(([key, samples]): [string, string[]] => [
          key,
          samples.map(({ atMs, text }) => `${atMs} ${text}`),
        ]);
        expect(answer).toEqual(new Map(texts));
        expect(merged === null ? new Map() : readBlock(merged)).toEqual(new Map(expected));
      }),
      { numRuns: Number(process.env.TSDB_RUNS ?? 12) },
    );
  });

  it('that alternate in time become chunks of one encoding, not of one sample each', async () => {
    const count = 240;
    const blocks = [CHUNK_ENCODING.xor, CHUNK_ENCODING.dense, CHUNK_ENCODING.xor2].map(
      (encoding, phase) => {
        const timesMs = Array.from({ length: count }, (_, i) => i * 3000 + phase * 1000);
        const bits = timesMs.map((at) => BigInt(at));
        const chunks = [floatChunk(encoding, timesMs, timesMs, bits)];
        const rows = [{ labels: Labels.from({ __name__: 'a' }), chunks }];
        const times = { minTime: 0, maxTime: count * 3000 };
        return writeChunkBlock(directory, { ...times, rows, seed: phase + 1 });
      },
    );
    const paths = await Promise.all(blocks);
    const parents = paths.map((path) => Block.open(files, path, new FileCache(1 << 20)));
    const merged = await compact(parents, 'xor');
    for (const block of parents) block.release();
    const result = Block.open(files, merged!, new FileCache(1 << 20));
    const scan = result.index.scan();
    scan.next();
    const chunks = result.scanChunks();
    const encodings = scan.chunks.map(({ ref }) => chunks.read(ref).encoding);
    result.release();
    expect(encodings).toEqual(Array(6).fill(CHUNK_ENCODING.xor2));
    const samples = readBlock(merged!).get('__name__ a')!;
    expect(samples.length).toBe(count * 3);
    for (const [i, { startMs, atMs, text }] of samples.entries()) {
      expect({ atMs, startMs, text }).toEqual({
        atMs: i * 1000,
        startMs: i % 3 === 2 ? i * 1000 : 0,
        text: (i * 1000).toString(16),
      });
    }
  });

  it('are cleaned of deletions and compacted by a running database, none is given up', async () => {
    const random = new SeededRandom(5);
    const rangeMs = 120_000;
    for (const [i, minTime] of [0, 0, rangeMs, rangeMs * 2, rangeMs * 3].entries()) {
      const rows = ['a', 'b'].map((name) => ({
        labels: Labels.from({ __name__: name }),
        // No time in two blocks: which of them comes first may change when one is rewritten.
        chunks: randomPart(random, minTime + i, minTime + rangeMs).chunks,
      }));
      await writeChunkBlock(directory, { minTime, maxTime: minTime + rangeMs, rows, seed: i + 1 });
    }
    const options = {
      minBlockDurationMs: rangeMs,
      maxBlockDurationMs: rangeMs * 3,
      retentionMs: 0,
    };
    const lines: string[] = [];
    const db = await openTsdb(directory, { options, lines });
    const metas = (): { compaction: { level: number; failed?: boolean } }[] =>
      fs
        .readdirSync(directory)
        .filter((name) => name.length === 26)
        .map((name) => JSON.parse(fs.readFileSync(`${directory}/${name}/meta.json`, 'utf8')));
    const before = await query(db);
    await db.deleteSamples({ minMs: 31_000, maxMs: 290_000 }, [new Matcher('__name__', '=', 'a')]);
    const expected = await query(db);
    expect(expected).not.toEqual(before);
    expect(metas().length).toBe(5);
    await db.cleanTombstones();
    expect(await query(db)).toEqual(expected);
    await db.tick();
    await db.tick();
    expect(await query(db)).toEqual(expected);
    expect(metas().length).toBe(2);
    expect(Math.max(...metas().map(({ compaction }) => compaction.level))).toBeGreaterThan(1);
    expect(metas().some(({ compaction }) => compaction.failed === true)).toBe(false);
    expect(lines.filter((line) => /level=(WARN|ERROR)/.test(line))).toEqual([]);
    await db.close();
  });
});
