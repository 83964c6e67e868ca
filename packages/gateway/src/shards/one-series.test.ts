import { Labels } from '@pollux/model';
import type { SeriesColumns } from '@pollux/storage';
import { describe, expect, it } from 'vitest';
import { OneSeries } from './one-series.ts';

const GUARD_MS = 50;

function series(value: number, ...timesMs: readonly number[]): SeriesColumns {
  return {
    labels: Labels.from({ __name__: 'm' }),
    count: timesMs.length,
    timestampsMs: Float64Array.from(timesMs),
    values: Float64Array.from(timesMs, () => value),
    histograms: null,
    startTimestampsMs: null,
    replica: '',
  };
}

function joined(...parts: readonly SeriesColumns[]): readonly [string, readonly string[]] {
  const join = new OneSeries(GUARD_MS);
  const found = join.join(parts);
  const samples = Array.from(
    { length: found?.count ?? 0 },
    (_, i) => `${found?.timestampsMs[i]}:${found?.values[i]}`,
  );
  return [samples.join(' '), join.warnings.map(({ text }) => text)];
}

describe('a series of several shards', () => {
  it('that only one has is as it is', () => {
    expect(joined(series(1, 100, 200))).toEqual(['100:1 200:1', []]);
    expect(joined(series(1), series(2, 100))).toEqual(['100:2', []]);
    expect(joined(series(1))).toEqual(['', []]);
  });

  it('of a target that has moved goes on behind the guard, whichever shard is first', () => {
    const before = series(1, 100, 200);
    const after = series(2, 230, 250, 300);
    // 230 is within the guard of 200; of the other order, 200 of 230.
    expect(joined(before, after)).toEqual(['100:1 200:1 300:2', []]);
    expect(joined(after, before)).toEqual(['100:1 230:2 250:2 300:2', []]);
    expect(joined(series(1, 300), series(2, 100), series(3, 500))).toEqual([
      '100:2 300:1 500:3',
      [],
    ]);
  });

  it('that two have at once is the first one’s, with a warning, and never a mixture', () => {
    const [samples, warnings] = joined(series(1, 100, 300), series(2, 200, 400));
    expect(samples).toBe('100:1 300:1 400:2');
    expect(warnings).toEqual([expect.stringMatching(/^1 series are in several shards, .*m/)]);
  });
});
