import { describe, expect, it } from 'vitest';
import type { BlockMeta } from '../format/meta.ts';
import { blockRanges, planCompaction } from './plan.ts';

type Row = {
  readonly time: readonly [number, number];
  readonly tombstones?: number;
  readonly series?: number;
  readonly failed?: boolean;
  readonly hint?: string;
};

/** Blocks named by their place in the list. */
function metas(rows: readonly Row[]): BlockMeta[] {
  return rows.map(({ time: [minTime, maxTime], tombstones = 0, series = 10, failed, hint }, i) => ({
    ulid: String(i),
    minTime,
    maxTime,
    stats: { numSamples: 1, numSeries: series, numChunks: 1, numTombstones: tombstones },
    compaction: {
      level: 1,
      sources: [],
      ...(failed === true ? { failed } : {}),
      ...(hint === undefined ? {} : { hints: [hint] }),
    },
  }));
}

function plan(rows: readonly Row[], rangesMs = [20, 60, 180, 540, 1620]): string[] {
  return planCompaction(metas(rows), { rangesMs }).map(({ ulid }) => ulid);
}

const at = (...times: [number, number][]): Row[] => times.map((time) => ({ time }));

describe('the plan of compactions', () => {
  it.each<[string, Row[], string[]]>([
    ['nothing without blocks', [], []],
    ['nothing for one block', at([0, 20]), []],
    ['nothing while only the newest would fill the range', at([0, 20], [20, 40], [40, 60]), []],
    [
      'a full range once a newer block is there',
      at([0, 20], [20, 40], [40, 60], [60, 80]),
      ['0', '1', '2'],
    ],
    [
      'a range with a gap that newer blocks have passed',
      at([0, 20], [60, 80], [80, 100], [180, 200], [200, 220]),
      ['1', '2'],
    ],
    ['not a single block of a passed range', at([0, 20], [60, 80], [120, 140], [180, 200]), []],
    [
      'small ranges before large ones',
      at([0, 60], [60, 120], [120, 180], [180, 200], [200, 220], [220, 240], [240, 260]),
      ['3', '4', '5'],
    ],
    [
      'three of a range to the next',
      at([0, 60], [60, 120], [120, 180], [180, 200]),
      ['0', '1', '2'],
    ],
    ['a part of a range that is over', at([0, 60], [60, 120], [180, 200], [200, 220]), ['0', '1']],
    ['not a part of a range that is not over', at([0, 60], [60, 120], [120, 140], [140, 160]), []],
    ['blocks before 1970', at([-60, -40], [-40, -20], [-20, 0], [0, 20]), ['0', '1', '2']],
    ['not across a range', at([10, 30], [30, 50], [50, 70], [70, 90]), ['0', '1']],
    [
      'nothing larger than the largest range',
      at([0, 1620], [1620, 3240], [3240, 4860], [4860, 4880]),
      [],
    ],
  ])('is %s', (_, rows, expected) => {
    expect(plan(rows)).toEqual(expected);
  });

  it.each<[string, Row[], string[]]>([
    ['pairs, the newest block included', at([0, 20], [20, 40], [39, 60]), ['1', '2']],
    ['chains as one', at([0, 20], [19, 40], [30, 50], [50, 70]), ['0', '1', '2']],
    [
      'what lies inside a large block',
      at([0, 100], [10, 20], [30, 40], [100, 120]),
      ['0', '1', '2'],
    ],
    ['before levels', at([0, 20], [20, 40], [40, 60], [60, 80], [70, 90]), ['3', '4']],
    ['not those that only touch', at([0, 20], [20, 40]), []],
    ['the first group only', at([0, 20], [10, 20], [40, 60], [50, 60]), ['0', '1']],
  ])('joins overlapping blocks: %s', (_, rows, expected) => {
    expect(plan(rows)).toEqual(expected);
  });

  it('rewrites a large block when over 5 % of its series have deletions, and a small one when all have', () => {
    const large = (tombstones: number): Row => ({ time: [0, 180], tombstones, series: 99 });
    const newest: Row = { time: [720, 740] };
    expect(plan([large(5), newest])).toEqual([]);
    expect(plan([large(6), newest])).toEqual(['0']);
    expect(plan([{ time: [0, 60], tombstones: 60, series: 99 }, newest])).toEqual([]);
    expect(plan([{ time: [0, 60], tombstones: 99, series: 99 }, newest])).toEqual(['0']);
    // A small block ends the search, as in Prometheus.
    expect(plan([large(50), { time: [200, 220] }, newest])).toEqual([]);
    expect(plan([{ ...newest, tombstones: 10 }])).toEqual([]);
  });

  it('leaves alone what has failed, and goes on with the rest', () => {
    const failed: Row = { time: [20, 40], failed: true };
    const rows = [
      { time: [0, 20] as const },
      failed,
      ...at([40, 60], [60, 80], [80, 100], [100, 120], [120, 140]),
    ];
    expect(plan(rows)).toEqual(['3', '4', '5']);
    const overlapping = [...at([0, 20], [10, 20]), ...at([40, 60], [50, 60])];
    expect(plan([{ ...overlapping[0]!, failed: true }, ...overlapping.slice(1)])).toEqual([
      '2',
      '3',
    ]);
  });

  it('never mixes blocks of parts of a head with others', () => {
    const stale = 'from-stale-series';
    const rows: Row[] = [
      ...at([0, 20], [20, 40], [60, 80]),
      { time: [0, 20], hint: stale },
      { time: [10, 20], hint: stale },
    ];
    expect(plan(rows)).toEqual(['3', '4']);
    expect(plan([...at([0, 20], [19, 40]), ...rows.slice(3)])).toEqual(['0', '1']);
    expect(plan([{ time: [0, 20] }, { time: [10, 20], hint: 'from-out-of-order' }])).toEqual([
      '0',
      '1',
    ]);
  });

  it('keeps to ranges that may be filled', () => {
    const rows = metas(at([0, 60], [60, 120], [120, 180], [180, 200]));
    const limited = { rangesMs: [20, 60, 180], mayFill: (rangeMs: number) => rangeMs <= 60 };
    expect(planCompaction(rows, limited)).toEqual([]);
  });

  it('has ranges of three times the one before, up to the largest', () => {
    const hourMs = 3_600_000;
    expect(blockRanges(2 * hourMs, 36 * hourMs).map((ms) => ms / hourMs)).toEqual([2, 6, 18]);
    expect(blockRanges(2 * hourMs, 31 * 24 * hourMs).at(-1)).toBe(486 * hourMs);
    expect(blockRanges(2 * hourMs, hourMs)).toEqual([2 * hourMs]);
    expect(blockRanges(1, Number.MAX_SAFE_INTEGER)).toHaveLength(10);
  });
});
