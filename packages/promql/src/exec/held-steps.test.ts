import { VirtualClock } from '@pollux/base';
import { type FloatHistogram, Labels } from '@pollux/model';
import { Log, Registry } from '@pollux/telemetry';
import { describe, expect, it } from 'vitest';
import { Engine } from '../engine.ts';
import { parseHistogramLiteral } from '../script/histogram-literal.ts';
import { MemorySeries } from '../script/memory-series.ts';

const STEP_MS = 15_000;
const STEPS = 150;
const { histogram } = parseHistogramLiteral('{{schema:0 sum:5 count:4 buckets:[1 2 1]}}');

/** Seven series of a counter with resets, gaps and ends; with `isMixed` one of them turns into histograms. */
function counters(isMixed: boolean): MemorySeries {
  const storage = new MemorySeries();
  for (let job = 0; job < 7; job++) {
    const labels = Labels.from({ __name__: 'm', job: String(job) });
    for (let i = 0; i < STEPS; i++) {
      if ((i + job) % 13 === 0 || (job === 3 && i < 70) || (job === 5 && i > 40 && i < 110))
        continue;
      const at = { timestampMs: i * STEP_MS + job, value: (i * (job + 1)) % 97 };
      const isHistogram = isMixed && job === 4 && i > 100;
      storage.add(labels, {
        ...at,
        isStale: (i + job) % 31 === 0,
        histogram: isHistogram ? histogram : null,
      });
    }
  }
  return storage;
}

function newEngine(maxMemoryBytes = Infinity): Engine {
  const registry = new Registry();
  return new Engine({ clock: new VirtualClock(), registry, log: Log.silent(), maxMemoryBytes });
}

/** What a query gives at one step, each series as text. */
type Shown = (Labels | number | FloatHistogram | null)[];

describe('a range of more steps than a batch has', () => {
  it.each([
    ['m', false],
    ['rate(m[2m])', false],
    ['quantile_over_time(scalar(m{job="1"} @ 60) / 97, m[2m])', false],
    ['absent_over_time(m{job="3"}[2m])', false],
    ['rate({__name__=~"m"}[2m])', false],
    ['m - m offset 1m', false],
    ['m / on (job) group_left () sum by (job) (rate(m[1m]))', false],
    ['topk(2, m) or changes(m[90s])', false],
    ['m', true],
    ['rate(m[2m])', true],
    ['m * 2', true],
    ['count_over_time(m[1m]) + on (job) m', true],
  ])(
    'gives for %s at each what a query of that time gives (histograms: %s)',
    async (query, isMixed) => {
      const queryable = counters(isMixed);
      const engine = newEngine();
      const times = { startMs: STEP_MS, endMs: (STEPS - 1) * STEP_MS, stepMs: STEP_MS };
      const { result } = await engine.range({ query, queryable, ...times });
      const isSorted = result.series.every(
        ({ labels }, s) => s === 0 || result.series[s - 1]!.labels.compare(labels) < 0,
      );
      expect(isSorted).toBe(true);
      let points = 0;
      for (let timeMs = times.startMs; timeMs <= times.endMs; timeMs += STEP_MS) {
        const inRange = new Map<string, Shown>();
        for (const { labels, count, timestampsMs, values, histograms } of result.series) {
          const at = timestampsMs.subarray(0, count).indexOf(timeMs);
          if (at >= 0) inRange.set(labels.key(), [values[at]!, histograms?.[at] ?? null]);
        }
        const { result: alone } = await engine.instant({ query, queryable, timeMs });
        if (alone.kind !== 'vector') throw new Error('no vector');
        const atOnce = alone.labels.map((labels, i): [string, Shown] => {
          const own = alone.histograms?.[i] ?? null;
          return [labels.key(), [own === null ? alone.values[i]! : 0, own]];
        });
        points += atOnce.length;
        const shown = [...inRange].map(([key, [value, own]]): [string, Shown] => [
          key,
          [own === null ? value! : 0, own!],
        ]);
        expect(shown.sort()).toEqual(atOnce.sort());
      }
      expect(points).toBeGreaterThan(STEPS / 4);
    },
  );

  it('counts the memory of what it holds', async () => {
    const request = {
      query: 'm * 2',
      queryable: counters(false),
      startMs: 0,
      endMs: STEPS * STEP_MS,
      stepMs: 1_000,
    };
    await expect(newEngine(20_000).range(request)).rejects.toThrow(/memory/);
    await expect(newEngine(2 ** 20).range(request)).resolves.toBeDefined();
  });
});
