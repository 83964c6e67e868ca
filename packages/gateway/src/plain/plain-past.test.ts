import { Labels, setStaleAt, wordsOf } from '@pollux/model';
import type { SeriesColumns } from '@pollux/storage';
import { describe, expect, it } from 'vitest';
import { PlainPast } from './plain-past.ts';

const STALE = 'stale';

/** `up` of an instance: scrapes by their times, 1 unless told. */
function up(
  instance: string,
  scrapes: readonly (number | readonly [number, number | typeof STALE])[],
): SeriesColumns {
  const pairs = scrapes.map((one) => (typeof one === 'number' ? ([one, 1] as const) : one));
  const values = Float64Array.from(pairs, ([, value]) => (value === STALE ? 0 : value));
  for (const [i, [, value]] of pairs.entries()) if (value === STALE) setStaleAt(wordsOf(values), i);
  return {
    labels: Labels.from({ __name__: 'up', instance }),
    count: pairs.length,
    timestampsMs: Float64Array.from(pairs, ([timeMs]) => timeMs),
    values,
    histograms: null,
    startTimestampsMs: null,
    replica: '',
  };
}

/** From, to (included), by 10 s. */
function every10s(fromMs: number, toMs: number): number[] {
  return Array.from({ length: (toMs - fromMs) / 10_000 + 1 }, (_, i) => fromMs + i * 10_000);
}

describe('the past of a plain Prometheus', () => {
  it('has no gap while scrapes follow each other, a few milliseconds early or late', () => {
    const past = new PlainPast(0);
    const scrapes = every10s(5_000, 305_000).map((timeMs, i) => timeMs + (i % 3));
    past.add([up('a', scrapes)], { minMs: 0, maxMs: 310_000 });
    expect(past.report(310_000, 5_000)).toMatchObject({ serverGaps: [], subjects: [] });
  });

  it('is a gap of the server where nothing was scraped, whether read at once or bit by bit', () => {
    const scrapes = [...every10s(5_000, 105_000), ...every10s(205_000, 305_000)];
    const whole = new PlainPast(0);
    whole.add([up('a', scrapes)], { minMs: 0, maxMs: 310_000 });
    const pieces = new PlainPast(0);
    for (let maxMs = 20_000; maxMs <= 310_000; maxMs += 10_000) {
      const seen = scrapes.filter((timeMs) => timeMs <= maxMs && timeMs >= maxMs - 70_000);
      pieces.add([up('a', seen)], { minMs: maxMs - 70_000, maxMs });
    }
    for (const past of [whole, pieces]) {
      const { serverGaps, subjects } = past.report(310_000, 5_000);
      expect(serverGaps).toEqual([{ startMs: 115_000, endMs: 205_000 }]);
      expect(subjects.map(({ gaps }) => gaps)).toEqual([[{ startMs: 115_000, endMs: 205_000 }]]);
    }
  });

  it('is no gap where a target was taken out, and one where it was not scraped', () => {
    const past = new PlainPast(0);
    const a = up('a', every10s(5_000, 305_000));
    const taken: [number, number | typeof STALE][] = [[115_000, STALE]];
    const b = up('b', [...every10s(2_000, 102_000), ...taken, ...every10s(202_000, 302_000)]);
    const c = up('c', [...every10s(7_000, 107_000), ...every10s(207_000, 297_000)]);
    past.add([a, b, c], { minMs: 0, maxMs: 310_000 });
    const { serverGaps, subjects } = past.report(310_000, 5_000);
    expect(serverGaps).toEqual([]);
    expect(subjects.map(({ subject, gaps }) => [subject.labels.get('instance'), gaps])).toEqual([
      ['c', [{ startMs: 117_000, endMs: 207_000 }]],
    ]);
  });

  it('knows scrapes that failed', () => {
    const past = new PlainPast(0);
    const failed: [number, number][] = [
      [115_000, 0],
      [125_000, 0],
    ];
    const scrapes = [...every10s(5_000, 105_000), ...failed, ...every10s(135_000, 305_000)];
    past.add([up('a', scrapes)], { minMs: 0, maxMs: 310_000 });
    expect(past.report(310_000, 5_000).subjects).toMatchObject([
      { intervalMs: 10_000, gaps: [], failures: [{ startMs: 115_000, endMs: 135_000 }] },
    ]);
  });

  it('ends where scrapes stay out, at once when the member was seen down', () => {
    const past = new PlainPast(0);
    past.add([up('a', every10s(5_000, 105_000))], { minMs: 0, maxMs: 110_000 });
    expect(past.report(125_000, 5_000).serverGaps).toEqual([]);
    const late = past.report(125_000, 5_000, true).serverGaps;
    expect(late).toEqual([{ startMs: 115_000, endMs: Number.MAX_SAFE_INTEGER }]);
    expect(past.report(145_000, 5_000).serverGaps).toEqual([{ startMs: 115_000, endMs: 145_001 }]);
    past.seenDown(112_000);
    expect(past.report(125_000, 5_000).serverGaps).toEqual([{ startMs: 115_000, endMs: 125_001 }]);
    past.add([up('a', every10s(125_000, 135_000))], { minMs: 60_000, maxMs: 136_000 });
    expect(past.report(140_000, 5_000).serverGaps).toEqual([{ startMs: 115_000, endMs: 125_000 }]);
  });

  it('learns another interval', () => {
    const past = new PlainPast(0);
    past.add([up('a', every10s(10_000, 300_000))], { minMs: 0, maxMs: 300_000 });
    const slower = Array.from({ length: 30 }, (_, i) => 300_000 + (i + 1) * 60_000);
    past.add([up('a', slower)], { minMs: 240_000, maxMs: 2_100_000 });
    const { serverGaps, subjects } = past.report(2_110_000, 10_000);
    expect([serverGaps, subjects]).toEqual([[], []]);
  });

  it('has no gap any more where samples have come late, and forgets nothing else', () => {
    const past = new PlainPast(0);
    const range = (maxMs: number) => ({ minMs: 0, maxMs });
    const before = [...every10s(5_000, 35_000), [45_000, 0], [55_000, 0], 95_000] as const;
    past.add([up('a', [...before, 165_000, 175_000])], range(180_000));
    const gapsOf = () => past.report(180_000, 5_000).subjects.map(({ gaps }) => gaps);
    expect(gapsOf()).toEqual([
      [
        { startMs: 65_000, endMs: 95_000 },
        { startMs: 105_000, endMs: 165_000 },
      ],
    ]);
    // As much as is read again lies behind the first gap.
    past.add([up('a', [95_000, ...every10s(125_000, 185_000)])], range(190_000));
    expect(gapsOf()).toEqual([
      [
        { startMs: 65_000, endMs: 95_000 },
        { startMs: 105_000, endMs: 125_000 },
      ],
    ]);
    const { serverGaps, subjects } = past.report(190_000, 5_000);
    expect(subjects.map(({ failures }) => failures)).toEqual([
      [{ startMs: 45_000, endMs: 65_000 }],
    ]);
    expect(serverGaps).toEqual([
      { startMs: 65_000, endMs: 95_000 },
      { startMs: 105_000, endMs: 125_000 },
    ]);
  });
});
