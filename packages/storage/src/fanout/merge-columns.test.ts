import { type CounterResetHint, type FloatHistogram, Labels } from '@pollux/model';
import { describe, expect, it } from 'vitest';
import type { SeriesColumns } from '../queryable.ts';
import { mergeColumns } from './merge-columns.ts';

function histogram(counterResetHint: CounterResetHint, count: number): FloatHistogram {
  return {
    counterResetHint,
    schema: 0,
    zeroThreshold: 0,
    zeroCount: 0,
    count,
    sum: count,
    positiveSpans: [{ offset: 0, length: 1 }],
    negativeSpans: [],
    positiveBuckets: Float64Array.of(count),
    negativeBuckets: new Float64Array(0),
    customValues: null,
    isInteger: true,
    isStale: false,
  };
}

function columns(samples: readonly (readonly [number, CounterResetHint])[]): SeriesColumns {
  return {
    labels: Labels.from({ __name__: 'h' }),
    count: samples.length,
    timestampsMs: Float64Array.from(samples, ([atMs]) => atMs),
    values: new Float64Array(samples.length),
    histograms: samples.map(([atMs, hint]) => histogram(hint, atMs)),
    startTimestampsMs: null,
    replica: '',
  };
}

describe('merged histograms', () => {
  it('know nothing of a reset where they follow one of another source', () => {
    const one = columns([
      [10, 'not-reset'],
      [20, 'not-reset'],
      [40, 'not-reset'],
      [50, 'not-reset'],
    ]);
    const other = columns([
      [20, 'reset'],
      [30, 'not-reset'],
    ]);
    const { count, timestampsMs, histograms } = mergeColumns([one, other]);
    expect([...timestampsMs.subarray(0, count)]).toEqual([10, 20, 30, 40, 50]);
    expect(histograms?.map((found) => found?.counterResetHint)).toEqual([
      'not-reset',
      'not-reset',
      'unknown',
      'unknown',
      'not-reset',
    ]);
  });

  it('stay gauges', () => {
    const { histograms } = mergeColumns([columns([[10, 'gauge']]), columns([[20, 'gauge']])]);
    expect(histograms?.map((found) => found?.counterResetHint)).toEqual(['gauge', 'gauge']);
  });
});
