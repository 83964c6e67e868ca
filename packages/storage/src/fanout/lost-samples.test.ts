import { CanceledError } from '@pollux/base';
import { Labels, setStaleAt, wordsOf } from '@pollux/model';
import { describe, expect, it } from 'vitest';
import type { SeriesColumns } from '../queryable.ts';
import { lastSamples, missingBuckets } from './lost-samples.ts';
import { MergedSource } from './merge-sources.ts';

const MINUTE_MS = 60_000;
const NONE = new Float64Array(0);
const ALL = { minMs: 0, maxMs: 100 * MINUTE_MS };

function samplesAt(times: readonly number[], stale: readonly number[] = []): SeriesColumns {
  const values = new Float64Array(times.length);
  for (const index of stale) setStaleAt(wordsOf(values), index);
  return {
    labels: Labels.from({ __name__: 'm' }),
    count: times.length,
    timestampsMs: Float64Array.from(times),
    values,
    histograms: null,
    startTimestampsMs: null,
    replica: '',
  };
}

/** A sample each 15 s of minutes that begin at `from` … `to − 1`, so many ms after the full ones. */
function scraped(from: number, to: number, phaseMs: number): number[] {
  const times: number[] = [];
  for (let at = from * MINUTE_MS; at < to * MINUTE_MS; at += 15_000) times.push(at + phaseMs);
  return times;
}

function bucketsOf(times: readonly number[]): SeriesColumns {
  const ends = [...new Set(times.map((at) => Math.ceil(at / MINUTE_MS) * MINUTE_MS))];
  const inside = ends.map((end) => times.filter((at) => at > end - MINUTE_MS && at <= end));
  return {
    ...samplesAt(inside.map((all) => all.at(-1)!)),
    buckets: {
      resolutionMs: MINUTE_MS,
      counts: Float64Array.from(inside, ({ length }) => length),
      firstTimesMs: Float64Array.from(inside, (all) => all[0]!),
      sums: NONE,
      mins: NONE,
      maxs: NONE,
      firstValues: NONE,
      resets: NONE,
    },
  };
}

describe('whether samples stand for buckets', () => {
  const lost = bucketsOf(scraped(10, 20, 1));

  it('is so for the samples themselves, and for those of a replica that scraped at other moments', () => {
    for (const phaseMs of [1, 0, 7_000, 14_999]) {
      expect(missingBuckets(samplesAt(scraped(10, 20, phaseMs)), lost, ALL)).toEqual([]);
    }
  });

  it('is so for a series of a longer interval than the buckets, and not where some of its samples are missing', () => {
    const every = (phaseMs: number): number[] =>
      Array.from({ length: 8 }, (_, i) => (10 + i * 10) * MINUTE_MS + phaseMs);
    const sparse = bucketsOf(every(1));
    expect(missingBuckets(samplesAt(every(7 * MINUTE_MS)), sparse, ALL)).toEqual([]);
    const some = every(7 * MINUTE_MS).filter((_, i) => i < 2 || i > 4);
    expect(missingBuckets(samplesAt(some), sparse, ALL)).toEqual([3, 4]);
  });

  it('is not so where they are missing for longer than a bucket and its neighbours', () => {
    const times = scraped(10, 20, 1).filter((at) => at < 13 * MINUTE_MS || at > 17 * MINUTE_MS);
    expect(missingBuckets(samplesAt(times), lost, ALL)).toEqual([4, 5]);
    expect(missingBuckets(null, lost, ALL)).toHaveLength(10);
    expect(missingBuckets(samplesAt([]), lost, ALL)).toHaveLength(10);
  });

  it('is not so where there are a few among many', () => {
    const times = scraped(10, 20, 1).filter((_, i) => i % 10 === 0);
    expect(missingBuckets(samplesAt(times), lost, ALL).length).toBeGreaterThan(4);
  });

  it('counts no stale markers', () => {
    const times = scraped(10, 20, 1);
    const stale = times.map((_, i) => i);
    expect(missingBuckets(samplesAt(times, stale), lost, ALL)).toHaveLength(10);
  });

  it('is asked of the range only', () => {
    const range = { minMs: 12 * MINUTE_MS + 16_000, maxMs: 14 * MINUTE_MS + 500 };
    expect(missingBuckets(samplesAt(scraped(12, 15, 1)), lost, range)).toEqual([]);
    expect(missingBuckets(null, lost, range)).toEqual([2, 3, 4]);
    expect(missingBuckets(null, lost, { minMs: 0, maxMs: 9 * MINUTE_MS })).toEqual([]);
    const nearest = lastSamples(lost, [2, 3, 4], range)!;
    expect([...nearest.timestampsMs]).toEqual([12.75, 13.75].map((at) => at * MINUTE_MS + 1));
  });

  it('is no where something is known to be missing, but not how much', () => {
    const untold = bucketsOf([10 * MINUTE_MS + 1, 15 * MINUTE_MS]);
    untold.buckets!.counts.fill(0);
    expect(missingBuckets(null, untold, ALL)).toEqual([0, 1]);
    expect(lastSamples(untold, [0, 1], ALL)).toBe(null);
  });
});

describe('a join of its own', () => {
  it('sees every series, leaves out those it gives nothing for, and ends the merge by an error', async () => {
    const source = (columns: SeriesColumns) => {
      const batches = [[columns]];
      return { next: async () => batches.shift() ?? null, warnings: [], close: () => {} };
    };
    const merged = (join: (ranks: readonly number[]) => SeriesColumns | null): MergedSource =>
      new MergedSource(
        [0, 1].map(() => ({ source: source(samplesAt([1])), onError: () => null })),
        { join: (_, ranks) => join(ranks), warnings: [{ kind: 'info', text: 'noted' }] },
      );
    const asked: number[][] = [];
    const leaving = merged((ranks) => {
      asked.push([...ranks]);
      return null;
    });
    expect(await leaving.next()).toBe(null);
    expect([asked, leaving.warnings]).toEqual([[[0, 1]], [{ kind: 'info', text: 'noted' }]]);
    const failing = merged(() => {
      throw new CanceledError();
    });
    await expect(failing.next()).rejects.toThrow(CanceledError);
  });
});
