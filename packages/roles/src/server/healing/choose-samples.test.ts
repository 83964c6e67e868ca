import { Labels } from '@pollux/model';
import type { SeriesColumns } from '@pollux/storage';
import { describe, expect, it } from 'vitest';
import { chooseSamples } from './choose-samples.ts';

function series(samples: readonly (readonly [number, number])[]): SeriesColumns {
  return {
    labels: Labels.from({ __name__: 'm' }),
    count: samples.length,
    timestampsMs: Float64Array.from(samples, ([timeMs]) => timeMs),
    values: Float64Array.from(samples, ([, value]) => value),
    histograms: null,
    startTimestampsMs: null,
    replica: '',
  };
}

const TWIN = series([1, 2, 3, 4, 5, 6, 7, 8].map((i) => [i * 100, i]));
const CUT = [{ startMs: 200, endMs: 700 }];

describe('the samples to copy', () => {
  it('are those of the cut, its end not included', () => {
    expect(chooseSamples(TWIN, null, CUT, 50)).toEqual({ runs: [1, 6], seams: [] });
    expect(
      chooseSamples(TWIN, series([]), [...CUT, { startMs: 800, endMs: 900 }], 50).runs,
    ).toEqual([1, 6, 7, 8]);
  });

  it('are not those that were copied before', () => {
    const own = series([
      [300, 3],
      [400, 4],
    ]);
    expect(chooseSamples(TWIN, own, CUT, 50)).toEqual({ runs: [1, 2, 4, 6], seams: [] });
  });

  it('keep the guard from a sample that the twin does not have', () => {
    const other = chooseSamples(TWIN, series([[430, 9]]), CUT, 50);
    expect(other.runs).toEqual([1, 3, 4, 6]);
    expect(other.seams).toEqual([{ startMs: 380, endMs: 481 }]);
    // The same time with another value is not the twin's.
    expect(chooseSamples(TWIN, series([[400, 9]]), CUT, 50).runs).toEqual([1, 3, 4, 6]);
  });

  it('are kept from own ones outside of the cut, which need no seam', () => {
    expect(chooseSamples(TWIN, series([[180, 9]]), CUT, 50)).toEqual({ runs: [2, 6], seams: [] });
  });
});
