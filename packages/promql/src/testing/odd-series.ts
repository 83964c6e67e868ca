import { type FloatHistogram, Labels } from '@pollux/model';

const STEP_MS = 30_000;
const SAMPLES = 40;

export type OddSample = {
  readonly timestampMs: number;
  readonly value: number;
  readonly isStale?: boolean;
  readonly histogram?: FloatHistogram;
};

/** Adds series of every kind that a query may meet: counters, histograms of all layouts, floats beside them, NaN, stale ones. */
export function addOddSeries(add: (labels: Labels, sample: OddSample) => void): void {
  const put = (
    labels: Record<string, string>,
    sample: (i: number) => number | FloatHistogram | 'stale' | null,
  ): void => {
    for (let i = 0; i < SAMPLES; i++) {
      const value = sample(i);
      if (value === null) continue;
      const timestampMs = i * STEP_MS;
      if (value === 'stale') {
        add(Labels.from(labels), { timestampMs, value: Number.NaN, isStale: true });
      } else if (typeof value === 'number') add(Labels.from(labels), { timestampMs, value });
      else add(Labels.from(labels), { timestampMs, value: 0, histogram: value });
    }
  };
  const odd = [Number.NaN, Number.POSITIVE_INFINITY, -0, 5e-324, Number.NEGATIVE_INFINITY, 1e308];
  for (const job of ['a', 'b']) {
    put({ __name__: 'g', job }, (i) => (i % 9 === 8 ? 'stale' : (i * 7) % 13));
    put({ __name__: 'c_total', job }, (i) => (i > 25 ? i - 25 : i * 3));
    put({ __name__: 'h', job }, (i) => exponential(i % 20, i > 30 ? 1 : 3));
    put({ __name__: 'nhcb', job }, (i) => custom(i, i > 20 ? [1, 2] : [1, 2, 4]));
    put({ __name__: 'mixed', job }, (i) => [i, exponential(i, 0), null, custom(i, [1])][i % 4]!);
    for (const le of ['0.1', '1', '+Inf', 'bad'])
      put({ __name__: 'b_bucket', job, le }, (i) => i * (le === '1' ? 2 : 1));
  }
  put({ __name__: 'odd', 'odd.label': 'ä' }, (i) => odd[i % odd.length]!);
}

const EMPTY: FloatHistogram = {
  counterResetHint: 'unknown',
  schema: 0,
  zeroThreshold: 0.001,
  zeroCount: 0,
  count: 0,
  sum: 0,
  positiveSpans: [],
  negativeSpans: [],
  positiveBuckets: new Float64Array(0),
  negativeBuckets: new Float64Array(0),
  customValues: null,
  isInteger: false,
  isStale: false,
};

function exponential(n: number, schema: number): FloatHistogram {
  return {
    ...EMPTY,
    schema,
    zeroCount: n,
    count: 4 * n,
    sum: n % 7 === 6 ? Number.NaN : n * 2.5,
    positiveSpans: [
      { offset: -3, length: 1 },
      { offset: 4, length: 1 },
    ],
    negativeSpans: [{ offset: 0, length: 1 }],
    positiveBuckets: Float64Array.of(n, n),
    negativeBuckets: Float64Array.of(n),
  };
}

function custom(n: number, bounds: readonly number[]): FloatHistogram {
  return {
    ...EMPTY,
    schema: -53,
    zeroThreshold: 0,
    count: 2 * n,
    sum: n,
    positiveSpans: [{ offset: 0, length: 2 }],
    positiveBuckets: Float64Array.of(n, n),
    customValues: Float64Array.from(bounds),
  };
}
