import { VirtualClock } from '@pollux/base';
import { type FloatHistogram, Labels } from '@pollux/model';
import { Log, Registry } from '@pollux/telemetry';
import { describe, expect, it } from 'vitest';
import { Engine } from './engine.ts';
import { exponentialBound } from './histogram/buckets.ts';
import type { QueryAnswer } from './result.ts';
import { MemorySeries } from './script/memory-series.ts';

const MINUTE = 60_000;
const HISTOGRAM: FloatHistogram = {
  counterResetHint: 'unknown',
  schema: 0,
  zeroThreshold: 0.5,
  zeroCount: 1,
  count: 1,
  sum: 0,
  positiveSpans: [],
  negativeSpans: [],
  positiveBuckets: new Float64Array(0),
  negativeBuckets: new Float64Array(0),
  customValues: null,
  isInteger: false,
  isStale: false,
};

/** Histograms by what they say of a reset, and a float. */
const HINTED = [
  ['r', 'a', 'reset'],
  ['s', 'a', 'not-reset'],
  ['r', 'b', null],
  ['s', 'b', 'not-reset'],
] as const;

const SPAN = [{ offset: 1, length: 1 }];
/** A positive bucket from 1 to 2 and a negative one of nothing, beside two observations about zero. */
const ONE_SIDED = {
  count: 3,
  zeroCount: 2,
  positiveSpans: SPAN,
  negativeSpans: SPAN,
  positiveBuckets: Float64Array.of(1),
  negativeBuckets: Float64Array.of(0),
};

/** Custom buckets: with other bounds from the second sample on, and reset at the third. */
function custom(index: number): FloatHistogram {
  const counts = [
    [5, 5, 5],
    [9, 9, 9],
    [1, 1, 1],
  ][index]!;
  return {
    ...HISTOGRAM,
    schema: -53,
    zeroThreshold: 0,
    zeroCount: 0,
    count: counts.reduce((sum, count) => sum + count),
    positiveSpans: [{ offset: 0, length: 3 }],
    positiveBuckets: Float64Array.from(counts),
    customValues: Float64Array.from([1, index === 1 ? 4 : 2]),
  };
}

/** Samples of minutes 0, 1, …: two gauges that change places, histograms beside them, and two infos that contradict each other. */
function storage(): MemorySeries {
  const held = new MemorySeries();
  const values = { a: [1, 20, 3], b: [10, 2, 30] };
  for (const [job, samples] of Object.entries(values)) {
    for (const [i, value] of samples.entries())
      held.add(Labels.from({ __name__: 'g', job }), { timestampMs: i * MINUTE, value });
  }
  for (let i = 0; i < 3; i++) {
    held.add(Labels.from({ __name__: 'h', job: 'a' }), {
      timestampMs: i * MINUTE,
      value: 0,
      histogram: HISTOGRAM,
    });
    held.add(Labels.from({ __name__: 'c', job: 'a' }), {
      timestampMs: i * MINUTE,
      value: 0,
      histogram: custom(i),
    });
    held.add(Labels.from({ __name__: 'p' }), {
      timestampMs: i * MINUTE,
      value: 0,
      histogram: { ...HISTOGRAM, ...ONE_SIDED },
    });
    held.add(Labels.from({ __name__: 'n' }), { timestampMs: i * MINUTE, value: [10, -2, 30][i]! });
    for (const [name, more] of Object.entries({ m: {}, a_info: { v: '1' }, b_info: { v: '2' } }))
      held.add(Labels.from({ __name__: name, job: 'a', instance: 'i', ...more }), {
        timestampMs: i * MINUTE,
        value: 1,
      });
  }
  for (const [name, job, hint] of HINTED) {
    held.add(Labels.from({ __name__: name, job }), {
      timestampMs: 2 * MINUTE,
      value: 7,
      ...(hint === null ? {} : { histogram: { ...HISTOGRAM, counterResetHint: hint } }),
    });
  }
  held.add(Labels.from({ __name__: 'd', job: 'b' }), {
    timestampMs: 2 * MINUTE,
    value: 0,
    histogram: custom(1),
  });
  return held;
}

function ask(query: string, range = false): Promise<QueryAnswer> {
  const engine = new Engine({
    clock: new VirtualClock(),
    registry: new Registry(),
    log: Log.silent(),
    features: { experimentalFunctions: true, extendedRangeSelectors: true },
  });
  const queryable = storage();
  const endMs = 2 * MINUTE;
  if (!range) return engine.instant({ query, queryable, timeMs: endMs });
  return engine.range({ query, queryable, startMs: 0, endMs, stepMs: MINUTE });
}

async function shown(query: string, range = false): Promise<string> {
  const { result } = await ask(query, range);
  if (result.kind === 'scalar' || result.kind === 'string') return String(result.value);
  if (result.kind === 'vector')
    return result.labels.map((labels, i) => `${labels} ${result.values[i]}`).join('; ');
  return result.series
    .map(({ labels, values, count }) => `${labels} ${values.slice(0, count).join(',')}`)
    .join('; ');
}

async function remarks(query: string, range = false): Promise<readonly string[]> {
  return (await ask(query, range)).annotations.map(({ text }) => text);
}

/** What the differential suite found, case by case. */
describe('answers that Prometheus gives', () => {
  it('sort below a subquery keeps every step of every series, and says that it does nothing', async () => {
    expect(await shown('sum_over_time(sort(g)[5m:1m])')).toBe('{job="a"} 24; {job="b"} 42');
    const { annotations } = await ask('sum_over_time(sort(g)[5m:1m])');
    expect(annotations.map(({ text }) => text)).toEqual([
      'PromQL warning: sort is ineffective for range queries since results are always ordered by labels (1:15)',
    ]);
  });

  it('sort leaves histograms out of range queries too', async () => {
    expect(await shown('sort({__name__=~"g|h"})', true)).toBe(
      '{__name__="g", job="a"} 1,20,3; {__name__="g", job="b"} 10,2,30',
    );
  });

  it('count_values without its own label counts all values of a group together', async () => {
    expect(await shown('count_values without (job) ("job", g)')).toBe('{} 2');
    expect(await shown('count_values without (x) ("job", g * 0)')).toBe('{job="0"} 2');
  });

  it('sinh and cosh overflow where e^x does', async () => {
    expect(await shown('sinh(vector(-710.4))')).toBe('{} -Infinity');
    expect(await shown('cosh(vector(710.4))')).toBe('{} Infinity');
    expect(await shown('sinh(vector(NaN))')).toBe('{} NaN');
    expect(await shown('sinh(vector(1))')).toBe(`{} ${Math.sinh(1)}`);
  });

  it('equal series of both sides of `or` are one', async () => {
    const or = '(g > 5) or ignoring (x) (g < 5)';
    expect(await shown(`sum_over_time((${or})[5m:1m])`)).toBe('{job="a"} 24; {job="b"} 42');
    expect(await shown(`count(topk(9, ${or}))`, true)).toBe('{} 2,2,2');
  });

  it('smoothing factors out of range are told with six digits, and NaN is none of them', async () => {
    const smoothed = (factor: string): string =>
      `double_exponential_smoothing(g[5m], ${factor}, 0.5)`;
    await expect(ask(smoothed('2'))).rejects.toThrow(
      'invalid smoothing factor. Expected: 0 < sf < 1, got: 2.000000',
    );
    expect(await shown(smoothed('NaN'))).toBe('{job="a"} NaN; {job="b"} NaN');
  });

  it('a parameter out of range is looked at only where a window has samples', async () => {
    const between = 'g[1s] offset 30s';
    expect(await remarks(`quantile_over_time(2, ${between})`, true)).toEqual([]);
    expect(await shown(`double_exponential_smoothing(${between}, 2, 0.5)`, true)).toBe('');
    expect(await remarks('quantile_over_time(2, g[1s])', true)).toEqual([
      'PromQL warning: quantile value should be between 0 and 1, got 2 (1:20)',
    ]);
  });

  it('fewer than none of series are none, however few', async () => {
    expect(await shown('bottomk(-1e300, g)')).toBe('');
    expect(await shown('limitk(-Inf, g)', true)).toBe('');
    await expect(ask('topk(1e300, g)')).rejects.toThrow('overflows int64');
    await expect(ask('topk(NaN, g)')).rejects.toThrow('Parameter value is NaN');
  });

  it('an offset of NaN looks 292 years ahead, and in an expression it is refused when it is worked out', async () => {
    expect(await shown('g offset NaN')).toBe('');
    expect(await shown('g offset -NaN or vector(1)')).toBe('{} 1');
    await expect(ask('g offset (1 - NaN)')).rejects.toThrow('duration is NaN or infinite');
    await expect(ask('g offset Inf')).rejects.toThrow('duration out of range');
  });

  it('what 3.x decided otherwise than 2.42 stays so', async () => {
    expect(await shown('stddev(vector(Inf))')).toBe('{} NaN');
    const values = [7, -3.5, 7.5, 7, 1.625, 16];
    const vectors = values.map(
      (value, i) => `label_replace(vector(${value}), "i", "${i}", "", "")`,
    );
    // Of the two sevens the first is kept: the heap's top is replaced in place.
    expect(await shown(`topk(3, ${vectors.join(' or ')})`)).toBe(
      '{i="5"} 16; {i="2"} 7.5; {i="0"} 7',
    );
  });

  it('bounds of exponential buckets have the bits of its table', () => {
    const root = Math.SQRT2 - Number.EPSILON;
    expect(exponentialBound(1, 1)).toBe(root);
    expect([1, 2, 3, 4].map((index) => exponentialBound(index, 2))).toEqual([
      1.189207115002721,
      root,
      1.6817928305074288,
      2,
    ]);
    expect(exponentialBound(-1, 1)).toBe(0.7071067811865475);
  });

  it('the time of an extreme among nothing but NaN is that of the last sample', async () => {
    expect(await shown('ts_of_min_over_time((g * NaN)[5m:1m])')).toBe(
      '{job="a"} 120; {job="b"} 120',
    );
    expect(await shown('ts_of_max_over_time((g * NaN)[5m:1m])')).toBe(
      '{job="a"} 120; {job="b"} 120',
    );
  });

  it('fractions are of classic buckets as they are', async () => {
    const bucket = (le: string, count: number): string =>
      `label_replace(vector(${count}), "le", "${le}", "", "")`;
    const buckets = `${bucket('1', 8)} or ${bucket('2', 4)} or ${bucket('+Inf', 16)}`;
    expect(await shown(`histogram_fraction(0, 2, ${buckets})`)).toBe('{} 0.25');
    const falling = `${bucket('1', 20)} or ${bucket('+Inf', 16)}`;
    expect(await shown(`histogram_fraction(0, 1, ${falling})`)).toBe('{} 1');
  });

  it('of a zero bucket the half is cut where the other side has no observations, though it has buckets', async () => {
    // Half of the zero bucket's observations, from 0 to 0.5, lie above a quarter.
    expect(await shown('histogram_count(p >/ 0.25)')).toBe('{} 2');
  });

  it('text of histograms tells of a zero bucket of less than nothing', async () => {
    expect(await shown('count_values("v", h * (-2))')).toBe(
      '{v="{count:-2, sum:-0, [-0.5,0.5]:-2}"} 1',
    );
  });

  it('trims leave a zero bucket of less than nothing as it is and do not count it', async () => {
    expect(await shown('histogram_count((p * (-1)) </ 1.5)')).toBe('{} -0.5849625007211562');
  });

  it('below a subquery histograms keep their buckets', async () => {
    const query = 'present_over_time(histogram_count(sum({__name__=~"c|d"}))[1m:1m])';
    expect(await remarks(query)).toEqual([
      'PromQL info: mismatched custom buckets were reconciled during aggregation (1:39)',
    ]);
  });

  it('smoothed counters below zero are corrected by the value at the edge', async () => {
    expect(await shown('increase(n[90s] smoothed)')).toBe('{} 30');
  });

  it('durations that come out as none are told by their bytes', async () => {
    await expect(ask('count_over_time(g[step()])')).rejects.toThrow(
      /^18:24: duration must be greater than 0$/,
    );
    await expect(ask('g offset (1m / step())')).rejects.toThrow(/^10:21: division by zero$/);
    await expect(ask('g offset (2 ^ (1w * 1w))')).rejects.toThrow('duration is NaN or infinite');
  });

  it('without their feature flag there are no start timestamps', async () => {
    expect(await shown('start_timestamp(g)')).toBe('');
  });

  it('an info function that finds two values of a label names the label', async () => {
    await expect(ask('info(m, {__name__=~"(a|b)_info", v=~".+"})')).rejects.toThrow(
      /^conflicting label: v$/,
    );
  });
});

describe('remarks that Prometheus makes', () => {
  it('topk and bottomk are named from their beginning', async () => {
    expect(await remarks('-topk(1, h)')).toEqual([
      'PromQL info: ignored histogram in topk aggregation (1:2)',
    ]);
  });

  it('what is remarked twice is told where it was remarked last', async () => {
    const text = 'PromQL warning: quantile value should be between 0 and 1, got';
    expect(await remarks('quantile(2, g) or quantile(2, g) or quantile(3, g)')).toEqual([
      `${text} 2 (1:28)`,
      `${text} 3 (1:46)`,
    ]);
    expect(await remarks('quantile(2, quantile by (job) (2, g))')).toEqual([`${text} 2 (1:10)`]);
  });

  it('a subquery has no place of its own', async () => {
    const text = 'PromQL warning: this native histogram metric is not a gauge: "h"';
    expect(await remarks('-idelta(h[3m])')).toEqual([`${text} (1:9)`]);
    expect(await remarks('-idelta(h[3m:1m])')).toEqual([`${text} (1:1)`]);
  });

  it('histogram functions do not know the name of the metric, unless names go late', async () => {
    expect(await remarks('histogram_quantile(0.5, g)')).toEqual([
      'PromQL warning: bucket label "le" is missing or has a malformed value of "" (1:25)',
    ]);
  });

  it('buckets made monotonic are told with two digits of the difference and whole seconds', async () => {
    const bucket = (le: string, count: number): string =>
      `label_replace(vector(${count}), "le", "${le}", "", "")`;
    const buckets = `${bucket('1', 200)} or ${bucket('2', 88)} or ${bucket('+Inf', 88)}`;
    expect(await remarks(`histogram_quantile(0.5, ${buckets})`)).toEqual([
      'PromQL info: input to histogram_quantile needed to be fixed for monotonicity (see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile), from buckets 2 to +Inf, with a max diff of 1.1e+02, over 1 samples from 1970-01-01T00:02:00Z to 1970-01-01T00:02:00Z (1:25)',
    ]);
    expect(await remarks(`histogram_quantile(2, ${buckets})`)).toEqual([
      'PromQL warning: quantile value should be between 0 and 1, got 2 (1:20)',
    ]);
  });

  it('custom buckets of other bounds are reconciled where they are added for a reset, and only there', async () => {
    const text = 'PromQL info: mismatched custom buckets were reconciled during';
    expect(await remarks('increase(c[3m])')).toEqual([`${text} addition (1:10)`]);
  });

  it('of histograms that do not go together the first that does not is named', async () => {
    expect(await remarks('sum({__name__=~"c|h"})')).toEqual([
      'PromQL warning: vector contains a mix of histograms with exponential and custom buckets schemas for metric name "h" (1:5)',
    ]);
  });

  it('histograms that contradict each other about a reset have no sum', async () => {
    expect(await shown('r{job="a"} + s')).toBe('');
    expect(await remarks('r{job="a"} + s')).toEqual([
      'PromQL warning: conflicting counter resets during histogram addition (1:1)',
    ]);
  });

  it('of the elements that an operator joins at a step the last remark is told', async () => {
    expect(await remarks('r + s')).toEqual([
      'PromQL info: incompatible sample types encountered for binary operator "+": float + histogram (1:1)',
    ]);
  });

  it('where counts alone are read bounds do not matter, unless buckets are cut', async () => {
    expect(await remarks('histogram_count(sum({__name__=~"c|d"}))')).toEqual([]);
    expect(await remarks('histogram_count(sum({__name__=~"c|d"} </ 9))')).toEqual([
      'PromQL info: mismatched custom buckets were reconciled during aggregation (1:21)',
    ]);
  });

  it('between two samples of other bounds these are reconciled', async () => {
    const text = 'PromQL info: mismatched custom buckets were reconciled during';
    expect(await remarks('c smoothed @ 30')).toEqual([
      `${text} subtraction (1:1)`,
      `${text} addition (1:1)`,
    ]);
    expect(await remarks('c smoothed @ 60')).toEqual([]);
  });

  it('sorting what is pinned to a time is no sorting of ranges', async () => {
    expect(await remarks('sort_by_label(g @ 60, "job")', true)).toEqual([]);
    expect(await remarks('sort_by_label(g, "job")', true)).toHaveLength(1);
  });

  it('numbers are written as with %g', async () => {
    expect(await remarks('quantile(1e6, g)')).toEqual([
      'PromQL warning: quantile value should be between 0 and 1, got 1e+06 (1:10)',
    ]);
    expect(await remarks('limit_ratio(1.5, g)')).toEqual([
      'PromQL warning: ratio value should be between -1 and 1, got 1.5, capping to 1 (1:13)',
    ]);
  });
});
