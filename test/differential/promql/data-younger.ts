import { SeededRandom } from '@pollux/base';
import type { FloatHistogram } from '@pollux/model';
import {
  type DataSeries,
  eighths,
  LENGTH_MS,
  START_MS,
  sampled,
  type Target,
  target,
} from './data.ts';

const ALIGNED_MS = 15_000;
/** Two label names and a metric name that only quotes can write. */
export const DOTTED_NAME = 'http.requests';
export const DOTTED_LABEL = 'service.name';

/** What only 3.x answers, or answers otherwise than 2.42: asked for beside the other data when 3.x judges. */
export function youngerData(seed: number): DataSeries[] {
  const random = new SeededRandom(seed ^ 0x5eed);
  const targets = [
    ['api', 'a:80'],
    ['api', 'b:80'],
    ['web', 'a:80'],
    ['db', 'd:5432'],
  ].map(([job, instance]) => target(random, job!, instance!));
  return targets.flatMap((item, i) => [
    { labels: labels('wait_seconds', item), samples: waits(random, item) },
    { labels: labels('queue_length', item), samples: gauges(random, item) },
    { labels: labels('custom_seconds', item), samples: custom(random, item, i) },
    { labels: labels('latency_seconds', item), samples: hinted(random, waits(random, item)) },
    { labels: labels('mixed_values', item), samples: mixed(random, item, i) },
    ...broken(random, item),
    ...infos(random, item, i),
    {
      labels: labels(DOTTED_NAME, item, { [DOTTED_LABEL]: `s ${i}` }),
      samples: rising(random, item),
    },
    ...aligned(random, item),
  ]);
}

function labels(
  name: string,
  { job, instance }: Target,
  more: Record<string, string> = {},
): Record<string, string> {
  return { __name__: name, job, instance, ...more };
}

const EMPTY = {
  counterResetHint: 'unknown',
  schema: 0,
  zeroThreshold: 2 ** -7,
  zeroCount: 0,
  count: 0,
  sum: 0,
  positiveSpans: [],
  negativeSpans: [],
  positiveBuckets: new Float64Array(0),
  negativeBuckets: new Float64Array(0),
  customValues: null,
  isInteger: true,
  isStale: false,
} as const satisfies FloatHistogram;

/** The histogram with its count made from its buckets. */
function counted(histogram: FloatHistogram): FloatHistogram {
  const { positiveBuckets, negativeBuckets, zeroCount } = histogram;
  const count = [...positiveBuckets, ...negativeBuckets].reduce((sum, n) => sum + n, zeroCount);
  return { ...histogram, count };
}

/** A counter that is reset now and then; its resolution and its zero bucket change on the way. */
function waits(random: SeededRandom, item: Target): DataSeries['samples'] {
  const buckets = [0, 0, 0, 0, 0, 0];
  let schema = 1 + random.below(2);
  let zeroThreshold = 2 ** -7;
  let negative = 0;
  let zeroCount = 0;
  let sum = 0;
  return sampled(item, () => {
    if (random.below(100) === 0) {
      buckets.fill(0);
      negative = zeroCount = sum = 0;
    }
    if (random.below(120) === 0) schema = random.below(3);
    if (random.below(120) === 0) zeroThreshold = random.below(2) === 0 ? 2 ** -7 : 2 ** -3;
    for (let k = 0; k < buckets.length; k++) buckets[k]! += random.below(6);
    negative += random.below(2);
    zeroCount += random.below(2);
    sum += eighths(random, 40);
    return counted({
      ...EMPTY,
      schema,
      zeroThreshold,
      zeroCount,
      sum,
      positiveSpans: [
        { offset: 0, length: 4 },
        { offset: 1, length: 2 },
      ],
      negativeSpans: [{ offset: 3, length: 1 }],
      positiveBuckets: Float64Array.from(buckets),
      negativeBuckets: Float64Array.of(negative),
    });
  });
}

/** With what a writer may say of resets, right or wrong. */
function hinted(random: SeededRandom, samples: DataSeries['samples']): DataSeries['samples'] {
  return samples.map((sample) => {
    if (typeof sample.value !== 'object' || random.below(30) !== 0) return sample;
    const counterResetHint = random.below(2) === 0 ? 'reset' : 'not-reset';
    return { ...sample, value: { ...sample.value, counterResetHint } };
  });
}

/** Marked as gauges; float histograms whose buckets come and go. */
function gauges(random: SeededRandom, item: Target): DataSeries['samples'] {
  return sampled(item, () => {
    const length = random.below(5);
    const positiveBuckets = Float64Array.from({ length }, () => eighths(random, 20));
    return counted({
      ...EMPTY,
      counterResetHint: 'gauge',
      zeroCount: eighths(random, 3),
      sum: eighths(random, 100),
      positiveSpans: length === 0 ? [] : [{ offset: random.below(3), length }],
      positiveBuckets,
      isInteger: false,
    });
  });
}

const BOUNDS: readonly (readonly number[])[] = [
  [0.125, 0.5, 1, 4],
  [0.125, 1, 4, 8],
  [2, 16],
];

/** Buckets of our own bounds, which differ between targets and once in a while in time. */
function custom(random: SeededRandom, item: Target, index: number): DataSeries['samples'] {
  let bounds = BOUNDS[index % 2]!;
  let buckets = bounds.map(() => 0).concat(0);
  let sum = 0;
  return sampled(item, () => {
    if (random.below(160) === 0) {
      bounds = BOUNDS[random.below(BOUNDS.length)]!;
      buckets = bounds.map(() => 0).concat(0);
    }
    if (random.below(120) === 0) buckets.fill(0);
    for (let k = 0; k < buckets.length; k++) buckets[k]! += random.below(5);
    sum += eighths(random, 10);
    return counted({
      ...EMPTY,
      schema: -53,
      zeroThreshold: 0,
      sum,
      positiveSpans: [{ offset: 0, length: buckets.length }],
      positiveBuckets: Float64Array.from(buckets),
      customValues: Float64Array.from(bounds),
    });
  });
}

/** Floats and histograms in turns of some minutes, of which the first kind differs between targets. */
function mixed(random: SeededRandom, item: Target, index: number): DataSeries['samples'] {
  const histograms = waits(random, item);
  let value = 0;
  return histograms.map((sample, i) => {
    value += random.below(5);
    const isFloat = (Math.floor(i / 23) + index) % 2 === 0;
    return isFloat && sample.value !== 'stale' ? { ...sample, value } : sample;
  });
}

/** Classic buckets that are not monotonic, of which one bound is no number; no bucket of everything for one target. */
function broken(random: SeededRandom, item: Target): DataSeries[] {
  const bounds = item.job === 'db' ? ['1', '2', '4'] : ['1', '2', '4', 'x', '+Inf'];
  return bounds.map((le, k) => ({
    labels: labels('broken_bucket', item, { le }),
    samples: sampled(item, (i) => 10 * i + 20 * k + random.below(30)),
  }));
}

/** One series after the other: what they tell of the target changes. */
function infos(random: SeededRandom, item: Target, index: number): DataSeries[] {
  const half = item.scrapes.length >> 1;
  const versions = index === 3 ? ['v1'] : ['v1', 'v2'];
  return versions.map((version, k) => ({
    labels: labels('target_info', item, {
      version,
      'host.name': `h${random.below(3)}`,
      ...(index === 0 ? {} : { env: 'test' }),
    }),
    samples: sampled(item, () => 1).filter((_, i) =>
      versions.length === 1 ? true : k === 0 ? i < half : i >= half,
    ),
  }));
}

function rising(random: SeededRandom, item: Target): DataSeries['samples'] {
  let value = 0;
  return sampled(item, () => {
    if (random.below(80) === 0) value = 0;
    value += eighths(random, 30);
    return value;
  });
}

/** On the multiples of the scrape interval, where ends of ranges and steps of queries lie too. */
function aligned(random: SeededRandom, { job, instance }: Target): DataSeries[] {
  const scrapes = Array.from(
    { length: LENGTH_MS / ALIGNED_MS },
    (_, i) => START_MS + i * ALIGNED_MS,
  ).filter(() => random.below(25) !== 0);
  const item: Target = {
    job,
    instance,
    scrapes,
    staleAt: new Set(scrapes.filter(() => random.below(60) === 0)),
  };
  return [
    { labels: labels('aligned_total', item), samples: rising(random, item) },
    { labels: labels('aligned_bytes', item), samples: sampled(item, () => eighths(random, 500)) },
  ];
}
