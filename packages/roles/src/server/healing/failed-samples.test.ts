import { Labels, STALE_NAN_HIGH, STALE_NAN_LOW, wordsOf } from '@pollux/model';
import type { SeriesColumns } from '@pollux/storage';
import { describe, expect, it } from 'vitest';
import { chooseForFailed } from './failed-samples.ts';

/** Null: a stale marker. */
function series(samples: readonly (readonly [number, number | null])[], name = 'm'): SeriesColumns {
  const values = Float64Array.from(samples, ([, value]) => value ?? 0);
  const words = wordsOf(values);
  for (const [i, [, value]] of samples.entries())
    if (value === null) words.set([STALE_NAN_LOW, STALE_NAN_HIGH], i * 2);
  return {
    labels: Labels.from({ __name__: name, instance: 't' }),
    count: samples.length,
    timestampsMs: Float64Array.from(samples, ([timeMs]) => timeMs),
    values,
    histograms: null,
    startTimestampsMs: null,
    replica: '',
  };
}

const TWIN = series([1, 2, 3, 4, 5, 6, 7, 8].map((i) => [i * 100, i]));
const CUT = [{ startMs: 250, endMs: 650 }];
const GUARD_MS = 50;

describe("a twin's samples for those of failed scrapes", () => {
  it('are all of the cut, around the marker that the first failure left', () => {
    const own = series([
      [150, 9],
      [260, null],
      [720, 9],
    ]);
    expect(chooseForFailed(TWIN, own, CUT, GUARD_MS)).toEqual({ runs: [2, 6], markersMs: [260] });
  });

  it('are none of what a scrape tells of itself', () => {
    const up = (samples: Parameters<typeof series>[0]): SeriesColumns => series(samples, 'up');
    const twin = up([300, 400, 500].map((timeMs) => [timeMs, 1]));
    expect(chooseForFailed(twin, up([[260, 0]]), CUT, GUARD_MS).runs).toEqual([]);
    expect(chooseForFailed(twin, null, CUT, GUARD_MS).runs).toEqual([]);
  });

  it('are none of a series that somebody else has written here', () => {
    const own = series([[460, 9]]);
    expect(chooseForFailed(TWIN, own, CUT, GUARD_MS)).toEqual({ runs: [], markersMs: [] });
  });

  it('come once, and the marker is found again', () => {
    const own = series([
      [260, null],
      [300, 3],
      [400, 4],
    ]);
    expect(chooseForFailed(TWIN, own, CUT, GUARD_MS)).toEqual({ runs: [4, 6], markersMs: [260] });
  });

  it("leave the marker of a series that ended, and take the twin's", () => {
    const own = series([
      [150, 9],
      [260, null],
    ]);
    const ended = series([
      [200, 2],
      [300, null],
    ]);
    expect(chooseForFailed(ended, own, CUT, GUARD_MS)).toEqual({ runs: [1, 2], markersMs: [] });
    const copied = series([[300, null]]);
    const again = series([
      [300, null],
      [400, 4],
    ]);
    expect(chooseForFailed(again, copied, CUT, GUARD_MS).markersMs).toEqual([]);
  });
});
