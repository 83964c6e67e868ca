import { DecodeError, SeededRandom } from '@pollux/base';
import { Labels, setStaleAt, wordsOf } from '@pollux/model';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BucketEncoder, bucketResolutionMs, decodeBuckets } from './bucket-chunk.ts';
import { BucketTable, TABLE_COLUMNS } from './bucket-table.ts';
import { piecesToGather } from './holes.ts';

const R = 60_000;
const EVERY = new Set(TABLE_COLUMNS);

function tableOf(
  samples: readonly (readonly [number, number])[],
  staleAt: readonly number[] = [],
): BucketTable {
  const values = Float64Array.from(samples, ([, value]) => value);
  for (const index of staleAt) setStaleAt(wordsOf(values), index);
  const table = new BucketTable(R);
  table.addSamples({
    labels: Labels.EMPTY,
    count: samples.length,
    timestampsMs: Float64Array.from(samples, ([timeMs]) => timeMs),
    values,
    histograms: null,
    startTimestampsMs: null,
    replica: '',
  });
  return table;
}

function rows(table: BucketTable): object[] {
  return Array.from({ length: table.count }, (_, i) =>
    Object.fromEntries(TABLE_COLUMNS.map((name) => [name, table.columns[name][i]])),
  );
}

const samples = fc
  .array(
    fc.tuple(
      fc.oneof(fc.integer({ min: 1, max: 20_000 }), fc.integer({ min: 1, max: 5_000_000 })),
      fc.oneof(fc.integer({ min: 0, max: 1000 }), fc.double()),
    ),
    { minLength: 1, maxLength: 300 },
  )
  .map((list) => {
    let timeMs = -1_000_000;
    return list.map(([gapMs, value]): [number, number] => {
      timeMs += gapMs;
      return [timeMs, value];
    });
  });

describe('a bucket', () => {
  it('holds what came after its start and not after its end, without stale markers', () => {
    const table = tableOf(
      [
        [0, 9],
        [1, 5],
        [30_000, 7],
        [40_000, 0],
        [60_000, 2],
        [60_001, 1],
      ],
      [3],
    );
    expect(rows(table)).toEqual([
      { ...row(0, 1, 9, 9, 9, [0, 9], [0, 9]), resets: 0 },
      { ...row(60_000, 3, 14, 2, 7, [1, 5], [60_000, 2]), resets: 7 },
      { ...row(120_000, 1, 1, 1, 1, [60_001, 1], [60_001, 1]), resets: 0 },
    ]);
  });

  it('has no minimum only when it has no number, and tells of a sum that is too large', () => {
    const { mins, maxs, sums } = tableOf([
      [1, Number.NaN],
      [2, 3],
      [70_000, Number.NaN],
    ]).columns;
    expect([mins[0], maxs[0], sums[0], mins[1]]).toEqual([3, 3, Number.NaN, Number.NaN]);
    expect(
      tableOf([
        [1, 1e308],
        [2, 1e308],
      ]).unfit,
    ).toBe('overflow');
    expect(
      tableOf([
        [1, Number.POSITIVE_INFINITY],
        [2, 1e308],
      ]).unfit,
    ).toBe(null);
  });
});

function row(
  endsMs: number,
  counts: number,
  sums: number,
  mins: number,
  maxs: number,
  [firstTimesMs, firstValues]: readonly [number, number],
  [lastTimesMs, lastValues]: readonly [number, number],
): object {
  return { endsMs, counts, sums, mins, maxs, firstTimesMs, firstValues, lastTimesMs, lastValues };
}

describe('a chunk of buckets', () => {
  it('gives back every column, and alone those that are asked for', () => {
    const encoder = new BucketEncoder();
    fc.assert(
      fc.property(samples, (list) => {
        const table = tableOf(list);
        const { bytes, end } = encoder.encode(table);
        const chunk = { bytes: bytes.slice(0, end), offset: 0, length: end };
        expect(bucketResolutionMs(chunk)).toBe(R);
        const back = new BucketTable(R);
        decodeBuckets(chunk, back, EVERY);
        expect(back.unfit).toBe(table.unfit);
        if (table.unfit === null) expect(rows(back)).toEqual(rows(table));
        const some = new BucketTable(R);
        decodeBuckets(chunk, some, new Set(['sums'] as const));
        const ofSums = (from: BucketTable): number[] => [
          ...from.columns.sums.subarray(0, from.count),
        ];
        if (table.unfit === null) expect(ofSums(some)).toEqual(ofSums(table));
      }),
      { numRuns: 60 },
    );
  });

  it('is refused, and nothing else happens, when its bytes are others or cut off', () => {
    const random = new SeededRandom(1);
    const table = tableOf(Array.from({ length: 400 }, (_, i) => [i * 15_000, i * 1.25]));
    const { bytes, end } = new BucketEncoder().encode(table);
    let refused = 0;
    for (let round = 0; round < 400; round++) {
      const damaged = bytes.slice(0, round % 2 === 0 ? end : random.below(end));
      if (round % 2 === 0) damaged[random.below(end)]! ^= 1 + random.below(255);
      try {
        decodeBuckets(
          { bytes: damaged, offset: 0, length: damaged.length },
          new BucketTable(R),
          EVERY,
        );
      } catch (error) {
        expect(error).toBeInstanceOf(DecodeError);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(200);
  });
});

describe('what is gathered next', () => {
  const base = { resolutionMs: 10, spanMs: 100, done: [], dueMs: Number.NEGATIVE_INFINITY };

  it('are whole spans that are old enough, from the bucket of the first sample on', () => {
    const blocks = [{ minTime: 95, maxTime: 400 }];
    expect(piecesToGather({ ...base, blocks, limitMs: 359 })).toEqual([
      { startMs: 90, endMs: 100 },
      { startMs: 100, endMs: 200 },
      { startMs: 200, endMs: 300 },
    ]);
    const done = [{ startMs: 90, endMs: 200 }];
    expect(piecesToGather({ ...base, blocks, done, limitMs: 300 })).toEqual([
      { startMs: 200, endMs: 300 },
    ]);
  });

  it('are not more than can be held, however long a block claims to be', () => {
    const blocks = [{ minTime: -(2 ** 50), maxTime: 2 ** 50 }];
    const pieces = piecesToGather({ ...base, blocks, limitMs: 2 ** 50 });
    expect(pieces).toHaveLength(10_000);
  });

  it('are shorter before a pause, and before what is about to be dropped', () => {
    const blocks = [
      { minTime: 0, maxTime: 140 },
      { minTime: 260, maxTime: 400 },
    ];
    const done = [{ startMs: -10, endMs: 100 }];
    expect(piecesToGather({ ...base, blocks, done, limitMs: 350 })).toEqual([
      { startMs: 100, endMs: 140 },
      { startMs: 250, endMs: 300 },
    ]);
    expect(piecesToGather({ ...base, blocks, done, limitMs: 50, dueMs: 139 })).toEqual([
      { startMs: 100, endMs: 140 },
    ]);
  });
});
