import { isStaleAt, Labels, Matcher, setStaleAt, wordsOf } from '@pollux/model';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  chooseCopy,
  coveringCopy,
  type SeriesColumns,
  splitReplica,
  splitReplicaLabels,
} from '../index.ts';

const REPLICA = ['prometheus_replica'];
const guardMs = 1_000;

function copy(replica: string, timesMs: readonly number[], value = 0): SeriesColumns {
  return {
    labels: Labels.from({ __name__: 'x' }),
    count: timesMs.length,
    timestampsMs: Float64Array.from(timesMs),
    values: Float64Array.from(timesMs, () => value),
    histograms: null,
    startTimestampsMs: null,
    replica,
  };
}

function every(fromMs: number, toMs: number, stepMs = 10_000): number[] {
  const times: number[] = [];
  for (let time = fromMs; time <= toMs; time += stepMs) times.push(time);
  return times;
}

function timesOf(columns: SeriesColumns): number[] {
  return [...columns.timestampsMs.subarray(0, columns.count)];
}

describe('splitting the replica off', () => {
  it('takes the replica label from a label set and leaves the rest', () => {
    const labels = Labels.from({ __name__: 'up', prometheus_replica: 'A', job: 'n' });
    const split = splitReplicaLabels(labels, REPLICA);
    expect(split.labels.toObject()).toEqual({ __name__: 'up', job: 'n' });
    expect(split.replica).toBe('A');
  });

  it('gives the empty replica to a series that has none', () => {
    const labels = Labels.from({ __name__: 'up' });
    expect(splitReplicaLabels(labels, REPLICA)).toEqual({ labels, replica: '' });
  });

  it('turns an equality matcher into a preference and keeps all others', () => {
    const matchers = [
      Matcher.metric('up'),
      new Matcher('prometheus_replica', '=', 'B'),
      new Matcher('prometheus_replica', '!=', 'A'),
    ];
    const split = splitReplica(matchers, REPLICA);
    expect(split.preferredReplica).toBe('B');
    expect(split.matchers.map(String)).toEqual(['__name__="up"', 'prometheus_replica!="A"']);
  });

  it('names the same replica from labels and from matchers when there are several replica labels', () => {
    const names = ['cluster', 'member'];
    const { replica } = splitReplicaLabels(
      Labels.from({ x: '1', member: '2', cluster: 'c' }),
      names,
    );
    const both = [new Matcher('member', '=', '2'), new Matcher('cluster', '=', 'c')];
    expect(splitReplica(both, names).preferredReplica).toBe(replica);
    expect(splitReplica(both.slice(1), names).preferredReplica).toBeNull();
  });
});

describe('choosing one copy of a series', () => {
  const whole = copy('A', every(0, 600_000), 1);
  const shifted = copy('B', every(4_000, 600_000), 2);

  it('gives the preferred copy unchanged when it has no hole', () => {
    expect(chooseCopy([whole, shifted], { preferredReplica: 'B', guardMs })).toBe(shifted);
    expect(chooseCopy([whole, shifted], { preferredReplica: 'A', guardMs })).toBe(whole);
  });

  it('gives the fuller copy when the preferred one has no samples or nobody is preferred', () => {
    const sparse = copy('C', [10_000]);
    const empty = copy('B', []);
    expect(chooseCopy([sparse, whole], { preferredReplica: null, guardMs })).toBe(whole);
    expect(chooseCopy([empty, whole], { preferredReplica: 'B', guardMs })).toBe(whole);
  });

  it('gives the first copy that is whole, though another has a sample more, and else the fuller one', () => {
    const fuller = copy('B', every(0, 610_000), 2);
    expect(chooseCopy([fuller, whole], { preferredReplica: null, guardMs })).toBe(whole);
    const holed = copy('A', [...every(0, 100_000), ...every(200_000, 600_000)], 1);
    expect(chooseCopy([holed, fuller], { preferredReplica: null, guardMs })).toBe(fuller);
    const late = copy('B', every(100_000, 710_000), 2);
    expect(chooseCopy([holed, late], { preferredReplica: null, guardMs }).replica).toBe('');
  });

  it('fills a hole in the middle, at the start and at the end, with the guard kept free', () => {
    const holed = copy('A', [...every(100_000, 200_000), ...every(400_000, 500_000)], 1);
    const result = chooseCopy([holed, shifted], { preferredReplica: 'A', guardMs });
    const filled = timesOf(result).filter((_, i) => result.values[i] === 2);
    expect(filled).toEqual([
      ...every(4_000, 94_000),
      ...every(204_000, 394_000),
      ...every(504_000, 594_000),
    ]);
    expect(result.replica).toBe('');
  });

  it('does not look at the other copy for one missed scrape', () => {
    const late = copy(
      'A',
      every(0, 600_000).filter((time) => time !== 300_000),
      1,
    );
    expect(chooseCopy([late, shifted], { preferredReplica: 'A', guardMs })).toBe(late);
  });

  it('leaves a sample within the guard out, so that a counter cannot step back at a seam', () => {
    const holed = copy('A', [0, 10_000, 20_000, 100_000, 110_000], 1);
    const close = copy('B', [20_500, 30_500, 40_500, 50_500, 60_500, 99_500], 2);
    const result = chooseCopy([holed, close], { preferredReplica: 'A', guardMs });
    expect(timesOf(result)).toEqual([
      0, 10_000, 20_000, 30_500, 40_500, 50_500, 60_500, 100_000, 110_000,
    ]);
  });

  it('keeps the bits of a stale marker through a join', () => {
    const holed = copy('A', [0, 10_000, 20_000, 100_000], 1);
    setStaleAt(wordsOf(holed.values), 2);
    const other = copy('B', every(5_000, 95_000), 2);
    const result = chooseCopy([holed, other], { preferredReplica: 'A', guardMs });
    expect(isStaleAt(wordsOf(result.values), 2)).toBe(true);
    expect(result.count).toBeGreaterThan(4);
  });

  it('is a whole one also without the copies behind the one that covers, and nothing longer than a hole is lost', () => {
    const times = fc.uniqueArray(fc.integer({ min: 0, max: 60 }), { maxLength: 61 });
    const ascending = (steps: readonly number[], phaseMs: number): number[] =>
      [...steps].sort((x, y) => x - y).map((step) => step * 10_000 + phaseMs);
    const gaps = fc.record({ a: times, b: times, c: times });
    fc.assert(
      fc.property(gaps, ({ a, b, c }) => {
        const all = every(0, 600_000).map((_, i) => i);
        // What is drawn is missing, so that most copies are nearly whole.
        const without = (drawn: readonly number[]): number[] =>
          all.filter((step) => !drawn.slice(0, 6).includes(step));
        const copies = [
          copy('A', ascending(without(a), 0), 1),
          copy('B', ascending(without(b), 3_000), 2),
          copy('C', ascending(without(c), 6_000), 3),
        ];
        const covering = coveringCopy(copies, null);
        if (covering < 0) return;
        const kept = copies.slice(0, covering + 1);
        const choose = (of: readonly SeriesColumns[]): SeriesColumns =>
          chooseCopy(of, { preferredReplica: null, guardMs });
        expect(kept).toContain(choose(copies));
        expect(kept).toContain(choose(kept));
        const pair = copies.slice(0, 2);
        if (coveringCopy(pair, null) === 0) expect(choose(pair)).toBe(choose(pair.slice(0, 1)));
        const held = kept.flatMap(timesOf);
        for (const time of copies.slice(covering + 1).flatMap(timesOf)) {
          expect(Math.min(...held.map((other) => Math.abs(other - time)))).toBeLessThan(25_000);
        }
      }),
    );
  });

  it('is a whole one for good when it has no hole in the window, whatever comes later', () => {
    const window = { startMs: 0, endMs: 600_000 };
    const full = copy('B', every(0, 590_000), 2);
    const short = copy('A', every(0, 300_000), 1);
    expect(coveringCopy([short, full], window)).toBe(1);
    expect(coveringCopy([whole, full], window)).toBe(0);
    // Both end here: nothing is missing as far as anyone knows, but somebody may have more.
    const ended = copy('B', every(4_000, 300_000), 2);
    expect(coveringCopy([short, ended], window)).toBe(-1);
    expect(coveringCopy([short, ended], null)).toBe(0);
  });

  it('never interleaves: any foreign run stands between base samples that are a hole apart', () => {
    const times = fc.uniqueArray(fc.integer({ min: 0, max: 100 }), { maxLength: 60 });
    fc.assert(
      fc.property(times, times, (a, b) => {
        const first = copy(
          'A',
          a.sort((x, y) => x - y).map((t) => t * 10_000),
          1,
        );
        const second = copy(
          'B',
          b.sort((x, y) => x - y).map((t) => t * 10_000 + 3_000),
          2,
        );
        if (first.count === 0) return;
        const result = chooseCopy([first, second], { preferredReplica: 'A', guardMs });
        const kept = timesOf(result).filter((_, i) => result.values[i] === 1);
        expect(kept).toEqual(timesOf(first));
        for (let i = 1; i < result.count; i++) {
          expect(result.timestampsMs[i]!).toBeGreaterThan(result.timestampsMs[i - 1]!);
          if (result.values[i] !== result.values[i - 1]) {
            expect(result.timestampsMs[i]! - result.timestampsMs[i - 1]!).toBeGreaterThan(guardMs);
          }
          // A foreign sample between two of the base means that those two are over two intervals apart.
          if (result.values[i] === 2 && result.values[i - 1] === 1) {
            const next = timesOf(first).find((time) => time > result.timestampsMs[i]!);
            if (next !== undefined) {
              expect(next - result.timestampsMs[i - 1]!).toBeGreaterThan(20_000);
            }
          }
        }
      }),
    );
  });
});
