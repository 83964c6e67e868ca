import { VirtualClock } from '@pollux/base';
import { type FloatHistogram, Labels, matchesAll } from '@pollux/model';
import type { Queryable, SeriesColumns } from '@pollux/storage';
import { Log, Registry } from '@pollux/telemetry';
import { bench, describe } from 'vitest';
import { Engine } from '../engine.ts';
import { writeResultJson } from '../result-json.ts';

/*
 * Each operator over 1,000 series of an hour at 15 s, 60 steps of a minute, with what it takes to copy the samples out of a storage
 * that does nothing else. Run with `npx vitest bench --run --project unit packages/promql/src/exec`.
 */
const SERIES = 1_000;
const SAMPLES = 260;
const END_MS = SAMPLES * 15_000;
const MINUTE_MS = 60_000;

/** The operator, and a query that is mostly its work. */
const QUERIES: readonly (readonly [string, string])[] = [
  ['range-call', 'rate(m[5m])'],
  ['range-call, sums', 'avg_over_time(m[5m])'],
  ['range-call, extremes', 'max_over_time(m[5m])'],
  ['range-call, spread', 'stddev_over_time(m[5m])'],
  ['range-call, changes', 'changes(m[5m])'],
  ['range-call, regression', 'deriv(m[5m])'],
  ['range-call, smoothing', 'double_exponential_smoothing(m[5m], 0.5, 0.5)'],
  ['range-call, the last two', 'irate(m[5m])'],
  ['range-call, edges', 'last_over_time(m[5m])'],
  ['range-call with a parameter', 'quantile_over_time(0.9, m[5m])'],
  ['range-call of histograms', 'rate(h[5m])'],
  ['extended-range', 'rate(m[5m] anchored)'],
  ['absent of windows', 'absent_over_time(m[5m])'],
  ['reduce', 'sum by (mode) (m)'],
  ['reduce of range-call', 'sum by (mode) (rate(m[5m]))'],
  ['reduce without', 'sum without (cpu) (m)'],
  ['histogram-sums', 'sum by (mode) (h)'],
  ['quantile-aggregate', 'quantile by (mode) (0.9, m)'],
  ['select-k', 'topk by (mode) (3, m)'],
  ['limit-ratio', 'limit_ratio(0.5, m)'],
  ['count-values', 'count_values("v", m % 10)'],
  ['vector-scalar', 'm * 2'],
  ['vector-binary, one to one', 'm / m'],
  ['vector-binary, many to one', 'm / on (mode) group_left () sum by (mode) (m)'],
  ['set-binary', 'm unless on (mode) m{cpu="1"}'],
  ['elementwise', 'abs(m)'],
  ['histogram-function', 'histogram_quantile(0.9, sum by (le) (m))'],
  ['histogram-function of native ones', 'histogram_quantile(0.9, h)'],
  ['histogram-access', 'histogram_count(h)'],
  ['timestamp-of-step', 'timestamp(m)'],
  ['scalar-operators', 'm * scalar(sum(m)) + time()'],
  ['info-join', 'info(m, {__name__="target_info"})'],
  ['shared-series', 'm - avg_over_time(m[5m]) + m'],
  ['label-operators', 'label_replace(m, "x", "$1", "cpu", "(.).*")'],
  ['absent', 'absent(m{cpu="none"})'],
  ['negate', '-m'],
  ['select-vector', 'm'],
  ['sort', 'sort(m)'],
  ['subquery', 'max_over_time(m[10m:1m])'],
  ['step-invariant', 'm @ end()'],
];

describe('operators over 1,000 series of an hour', () => {
  const queryable = storage();
  const engine = new Engine({
    clock: new VirtualClock(),
    registry: new Registry(),
    log: Log.silent(),
    features: { experimentalFunctions: true, extendedRangeSelectors: true },
  });
  const times = { startMs: END_MS - 60 * MINUTE_MS, endMs: END_MS, stepMs: MINUTE_MS };
  for (const [name, query] of QUERIES) {
    bench(`${name}: ${query}`, async () => {
      // Sorting is for instant queries.
      if (name === 'sort') await engine.instant({ query, queryable, timeMs: END_MS });
      else await engine.range({ query, queryable, ...times });
    });
  }
});

describe('the answer as JSON, 60,000 samples', () => {
  const labels = Labels.from({ __name__: 'm', mode: 'user', cpu: '1' });
  const timestampsMs = Float64Array.from({ length: 60_000 }, (_, i) => i * MINUTE_MS);
  const answer = (valueAt: (i: number) => number) => ({
    kind: 'matrix' as const,
    series: [
      {
        labels,
        count: timestampsMs.length,
        timestampsMs,
        values: timestampsMs.map((_, i) => valueAt(i)),
        histograms: null,
      },
    ],
  });
  const sink = { write: (): void => {} };
  const whole = answer((i) => i * 7_919);
  const decimals = answer((i) => (i * 7_919) / 100);
  const rates = answer((i) => (i * 7_919) / 285);
  bench('integers', () => writeResultJson(whole, sink));
  bench('two decimals', () => writeResultJson(decimals, sink));
  bench('rates', () => writeResultJson(rates, sink));
});

/**
 * Counters of eight modes; one column of times and one of values, copied for each answer, since receivers own what they get. Of each
 * tenth a histogram of 20 buckets, and what `info` joins.
 */
function storage(): Queryable {
  const timestampsMs = Float64Array.from({ length: SAMPLES }, (_, i) => i * 15_000);
  const values = timestampsMs.map((_, i) => i * 137 + ((i * 7_919) % 23));
  const histograms = Array.from({ length: SAMPLES }, (_, i) => histogram(i));
  const named = (name: string, count: number): Labels[] =>
    Array.from({ length: count }, (_, i) =>
      Labels.from({
        __name__: name,
        cpu: String(i >> 3),
        instance: `i${i}`,
        job: 'bench',
        le: String(i & 7),
        mode: `mode${i & 7}`,
      }),
    );
  const all = [...named('m', SERIES), ...named('h', SERIES / 10), ...named('target_info', SERIES)];
  all.sort((a, b) => a.compare(b));
  const names = async () => ({ values: [], warnings: [] });
  return {
    labelNames: names,
    labelValues: names,
    select: ({ matchers }) => {
      const found = all.filter((labels) => matchesAll(matchers, labels));
      let next = 0;
      return {
        warnings: [],
        close: () => {},
        next: async () => {
          const batch = found.slice(next, next + 128).map(
            (labels): SeriesColumns => ({
              labels,
              count: SAMPLES,
              timestampsMs: timestampsMs.slice(),
              values: values.slice(),
              histograms: labels.metricName === 'h' ? histograms : null,
              startTimestampsMs: null,
              replica: '',
            }),
          );
          next += 128;
          return batch.length === 0 ? null : batch;
        },
      };
    },
  };
}

function histogram(i: number): FloatHistogram {
  const positiveBuckets = Float64Array.from({ length: 20 }, (_, bucket) => i * (bucket + 1));
  return {
    counterResetHint: 'unknown',
    schema: 3,
    zeroThreshold: 0.001,
    zeroCount: 0,
    count: i * 210,
    sum: i * 300,
    positiveSpans: [{ offset: 0, length: 20 }],
    negativeSpans: [],
    positiveBuckets,
    negativeBuckets: new Float64Array(0),
    customValues: null,
    isInteger: false,
    isStale: false,
  };
}
