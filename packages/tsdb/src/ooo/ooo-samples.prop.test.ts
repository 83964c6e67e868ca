import { SeededRandom } from '@pollux/base';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SlabPool } from '../head/slabs.ts';
import { ChunkFileUse } from '../head-chunks/chunk-file-use.ts';
import { chunksInMemory } from '../testing/fixtures.ts';
import { HistogramSource, histogramText } from '../testing/histograms.ts';
import { HeldArrivals } from './held-arrivals.ts';
import { type OooReader, OooReaders } from './ooo-readers.ts';
import { OooSamples } from './ooo-samples.ts';
import { SampleRun } from './sample-run.ts';

const EVER = { minMs: Number.NEGATIVE_INFINITY, maxMs: Number.POSITIVE_INFINITY };
const RUNS = Number(process.env.TSDB_RUNS ?? 10);
const TIMEOUT_MS = Math.max(20_000, RUNS * 2_000);
/** Few, so that many samples have one time. */
const TIMES = 150;

type Arrived = { readonly atMs: number; readonly text: string; isDeleted: boolean };

function makeSamples(slabBytes = 64 * 1024) {
  const pool = new SlabPool(slabBytes);
  const chunkFiles = chunksInMemory();
  const chunkFileUse = new ChunkFileUse(chunkFiles);
  const readers = new OooReaders();
  const table = { refs: Uint32Array.of(0, 7, 8) };
  const store = { chunkFiles, chunkFileUse, hasStartTimes: false };
  return { samples: new OooSamples({ ...store, pool, readers, table }), readers, pool };
}

/** What a series shows, as texts by time. */
function shown(samples: OooSamples, slot: number, since: number): [number, string][] {
  const run = new SampleRun();
  samples.collect(slot, { ...EVER, since }, run);
  run.sort();
  return Array.from({ length: run.count }, (_, i) => [
    run.timestampsMs[i]!,
    run.kinds[i] === 1 ? histogramText(run.histogramAt(i).histogram) : String(run.words[i * 2]),
  ]);
}

/** The naive answer: of the first `since` samples, without the deleted ones, the first of each time. */
function expected(arrived: readonly Arrived[], since: number): [number, string][] {
  const byTime = new Map<number, string>();
  for (const { atMs, text, isDeleted } of arrived.slice(0, since)) {
    if (!isDeleted && !byTime.has(atMs)) byTime.set(atMs, text);
  }
  return [...byTime].sort(([a], [b]) => a - b);
}

describe('late samples', () => {
  it(
    'show each reader the first of each time among those that were there when it began, wherever chunks end',
    () => {
      fc.assert(
        fc.property(fc.nat(), fc.boolean(), (seed, hasHistograms) => {
          const random = new SeededRandom(seed);
          const source = new HistogramSource(random, { isInteger: random.below(2) === 0 });
          const { samples, readers } = makeSamples();
          let arrived: Arrived[] = [];
          let dropped = 0;
          let open: { readonly reader: OooReader; readonly since: number }[] = [];
          const check = (since: number): void =>
            expect(shown(samples, 1, since)).toEqual(expected(arrived, since - dropped));
          for (let step = 0; step < 400; step++) {
            const atMs = random.below(TIMES) * 1000;
            const isHistogram = hasHistograms && random.below(3) === 0;
            const histogram = source.next();
            const text = isHistogram ? histogramText(histogram) : String(step);
            const isTaken = isHistogram
              ? samples.insertHistogram(1, atMs, histogram, 0)
              : samples.insert(1, atMs, step, 0, 0);
            if (isTaken) arrived.push({ atMs, text, isDeleted: false });
            const what = random.below(40);
            if (what < 4) open.push({ reader: readers.begin(), since: samples.insertedOf(1) });
            if (what < 4 && random.below(2) === 0) {
              for (const { reader } of open.splice(0, random.below(3))) readers.end(reader);
            }
            if (what === 5) {
              const minMs = random.below(TIMES) * 1000;
              const maxMs = minMs + random.below(20_000);
              samples.delete(1, { minMs, maxMs });
              for (const each of arrived) {
                if (each.atMs >= minMs && each.atMs <= maxMs) each.isDeleted = true;
              }
            }
            if (what === 6) {
              samples.mark(1);
              expect(shown(samples, 1, samples.markedOf(1))).toEqual(
                expected(arrived, arrived.length),
              );
            }
            if (what === 7 && arrived.length > 0) {
              // Their readers have ended when marked samples go.
              for (const { reader } of open) readers.end(reader);
              open = [];
              samples.mark(1);
              samples.dropMarked(1);
              dropped += arrived.length;
              arrived = [];
            }
            if (what < 8 || step % 16 === 0) for (const { since } of open) check(since);
            if (what < 8) check(samples.insertedOf(1));
          }
        }),
        { numRuns: RUNS },
      );
    },
    TIMEOUT_MS,
  );

  it('leave memory when a chunk is full, floats and histograms alike', () => {
    const { samples, pool } = makeSamples();
    const source = new HistogramSource(new SeededRandom(1), { isInteger: true });
    for (let i = 0; i < 20_000; i++) {
      samples.insert(1, i * 1000, i, i * 77, 0);
      if (i < 2_000) samples.insertHistogram(2, i * 1000, source.next(), 0);
    }
    expect(samples.chunkCount).toBeGreaterThan(20_000 / 32);
    // One for open chunks and one or two for the histograms of the open chunk.
    expect(pool.count).toBeLessThanOrEqual(4);
    expect(shown(samples, 1, samples.insertedOf(1))).toHaveLength(20_000);
    expect(shown(samples, 2, samples.insertedOf(2))).toHaveLength(2_000);
  });

  it('may lie further apart than one chunk in a file can say', () => {
    const { samples } = makeSamples();
    const apart = 20 * 24 * 3_600_000;
    const source = new HistogramSource(new SeededRandom(2), { isInteger: true });
    for (let i = 0; i < 40; i++) {
      samples.insert(1, ((i * 7) % 40) * apart, i, 0, 0);
      samples.insertHistogram(2, ((i * 7) % 40) * apart, source.next(true), 0);
    }
    samples.mark(1);
    samples.mark(2);
    for (const slot of [1, 2]) {
      const times = shown(samples, slot, samples.insertedOf(slot)).map(([atMs]) => atMs);
      expect(times).toEqual(Array.from({ length: 40 }, (_, i) => i * apart));
    }
  });
});

describe('orders of arrival', () => {
  it('are kept while a reader is there that began before the chunk was sealed, and no longer', () => {
    const readers = new OooReaders();
    const held = new HeldArrivals(readers);
    const after = Uint8Array.of(1, 0);
    held.add(1, after);
    expect(held.count).toBe(0);
    const first = readers.begin();
    held.add(2, after);
    const second = readers.begin();
    held.add(3, after);
    after.fill(9);
    readers.end(first);
    held.add(4, after);
    expect([...Array(5).keys()].filter((ref) => held.of(ref) !== undefined)).toEqual([3, 4]);
    expect([...held.of(3)!]).toEqual([1, 0]);
    readers.end(second);
    held.add(5, after);
    expect(held.count).toBe(0);
  });
});
