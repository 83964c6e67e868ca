import {
  Labels,
  NORMAL_NAN_HIGH,
  NORMAL_NAN_LOW,
  STALE_NAN_HIGH,
  STALE_NAN_LOW,
} from '@pollux/model';
import { describe, expect, it } from 'vitest';
import { differences, withoutStale } from './compare.ts';
import type { Book, SeriesEntry } from './ledger-book.ts';
import { growthsOf, MAX_GROWTH, offendingCycles, settledGrowth } from './memory-cycles.ts';

type Bits = readonly [high: number, low: number];
const ONE: Bits = [0x3ff00000, 0];
const ONE_AND_A_BIT: Bits = [0x3ff00000, 1];
const NAN: Bits = [NORMAL_NAN_HIGH, NORMAL_NAN_LOW];
const STALE: Bits = [STALE_NAN_HIGH, STALE_NAN_LOW];

function book(...samples: readonly (readonly [name: string, timeMs: number, bits: Bits])[]): Book {
  const entries = new Map<string, SeriesEntry>();
  for (const [name, timeMs, [high, low]] of samples) {
    const labels = Labels.from({ __name__: name });
    const entry = entries.get(labels.key()) ?? {
      labels,
      timesMs: [],
      highs: [],
      lows: [],
      areValuesKnown: true,
    };
    entries.set(labels.key(), entry);
    entry.timesMs.push(timeMs);
    entry.highs.push(high);
    entry.lows.push(low);
  }
  return entries;
}

describe('the ledger', () => {
  const expected = book(['a', 1, ONE], ['a', 2, STALE], ['b', 1, NAN]);

  it('finds nothing in what is equal', () => {
    expect(differences(expected, expected, 'bits')).toEqual([]);
  });

  it('finds a sample too few, one too many, one at another time and one of another value', () => {
    const wrong = [
      book(['a', 1, ONE], ['b', 1, NAN]),
      book(['a', 1, ONE], ['a', 2, STALE], ['a', 3, ONE], ['b', 1, NAN]),
      book(['a', 1, ONE], ['a', 3, STALE], ['b', 1, NAN]),
      book(['a', 1, ONE_AND_A_BIT], ['a', 2, STALE], ['b', 1, NAN]),
      book(['a', 1, ONE], ['a', 2, STALE]),
      book(['a', 1, ONE], ['a', 2, STALE], ['b', 1, NAN], ['c', 1, ONE]),
    ];
    for (const found of wrong) {
      expect(differences(expected, found, 'bits')).toHaveLength(1);
      expect(differences(expected, found, 'decimals')).toHaveLength(1);
    }
  });

  it('tells a stale marker from a NaN only where the witness shows bits', () => {
    const found = book(['a', 1, ONE], ['a', 2, NAN], ['b', 1, NAN]);
    expect(differences(expected, found, 'bits')).toHaveLength(1);
    expect(differences(expected, found, 'decimals')).toEqual([]);
  });

  it('shows a query neither the markers nor a series of nothing else', () => {
    const all = book(['a', 1, ONE], ['a', 2, STALE], ['b', 1, STALE]);
    expect(differences(book(['a', 1, ONE]), withoutStale(all), 'bits')).toEqual([]);
  });
});

describe('the memory figures', () => {
  const look = (rss: number) => ({ rss, pss: 0, heapUsed: 0, heapTotal: 0, external: 0 });
  const cycles = (...medians: readonly number[]) =>
    medians.map((median) => new Map([['p', [look(0), look(median), look(2 * median)]]]));

  it('forgive growth in the first two cycles only', () => {
    const [early] = growthsOf(cycles(100, 150, 150, 150.5));
    const [late] = growthsOf(cycles(100, 100, 100, 102, 102));
    expect(early?.medians).toEqual([100, 150, 150, 150.5]);
    expect(early && offendingCycles(early)).toEqual([]);
    expect(late && offendingCycles(late)).toEqual([4]);
  });

  it('tell a climb from a swing by the line through the settled cycles', () => {
    const [climbing] = growthsOf(cycles(100, 100, 102, 104, 106));
    const [swinging] = growthsOf(cycles(100, 100, 102, 99, 101, 99.5, 101, 100));
    expect(climbing && settledGrowth(climbing)).toBeCloseTo(0.02, 9);
    expect(swinging && settledGrowth(swinging)).toBeLessThan(MAX_GROWTH / 10);
  });
});
