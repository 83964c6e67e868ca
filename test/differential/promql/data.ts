import { SeededRandom } from '@pollux/base';
import type { FloatHistogram } from '@pollux/model';

/** A stale marker cannot be a number: its payload would be lost. */
export type DataSample = {
  readonly timestampMs: number;
  readonly value: number | 'stale' | FloatHistogram;
};
export type DataSeries = {
  readonly labels: Readonly<Record<string, string>>;
  readonly samples: readonly DataSample[];
};

/** A whole number of two-hour blocks, so that all data stay in one head. */
export const START_MS = Date.UTC(2026, 0, 1);
export const LENGTH_MS = 100 * 60_000;
const SCRAPE_MS = 15_000;
const SLOW_SCRAPE_MS = 240_000;

/**
 * The releases differ on whether the left end of a range belongs to it. No sample lies on a multiple of a quarter of a
 * second, and every end of a range that a query makes does, so that this difference never shows.
 */
const QUIET_MS = 250;

export type Target = {
  readonly job: string;
  readonly instance: string;
  /** Scrape times, and those among them that found the target gone and wrote stale markers. */
  readonly scrapes: readonly number[];
  readonly staleAt: ReadonlySet<number>;
};

/** The same samples for the same seed. Values are multiples of 1/8, so that sums do not depend on their order. */
export function seededData(seed: number): DataSeries[] {
  const random = new SeededRandom(seed);
  const targets = [
    ['api', 'a:80'],
    ['api', 'b:80'],
    ['api', 'c:80'],
    ['web', 'a:80'],
    ['web', 'b:80'],
    ['db', 'd:5432'],
  ].map(([job, instance]) => target(random, job!, instance!));
  return [...targets.flatMap((item) => seriesOf(random, item)), ...specialSeries(random)];
}

export function target(random: SeededRandom, job: string, instance: string): Target {
  const phaseMs = 1 + random.below(SCRAPE_MS - 1);
  const gaps = Array.from({ length: 1 + random.below(2) }, () => {
    const fromMs = random.below(LENGTH_MS);
    return {
      fromMs,
      toMs: fromMs + 60_000 + random.below(720_000),
      isMarked: random.below(2) === 0,
    };
  });
  const scrapes: number[] = [];
  const staleAt = new Set<number>();
  const isInGap = new Set<(typeof gaps)[number]>();
  for (let at = phaseMs; at < LENGTH_MS; at += SCRAPE_MS) {
    const timestampMs = quiet(START_MS + at + random.below(60));
    const gap = gaps.find(({ fromMs, toMs }) => at >= fromMs && at < toMs);
    if (gap !== undefined) {
      if (isInGap.has(gap) || !gap.isMarked) continue;
      isInGap.add(gap);
      staleAt.add(timestampMs);
    }
    scrapes.push(timestampMs);
  }
  return { job, instance, scrapes, staleAt };
}

function quiet(timestampMs: number): number {
  return timestampMs % QUIET_MS === 0 ? timestampMs + 1 : timestampMs;
}

function seriesOf(random: SeededRandom, item: Target): DataSeries[] {
  const { job, instance } = item;
  const labels = (name: string, more: Record<string, string> = {}): Record<string, string> => ({
    __name__: name,
    job,
    instance,
    ...more,
  });
  const gauge = (scale: number, base: number): DataSeries['samples'] =>
    sampled(item, () => base + eighths(random, scale));
  const slow = {
    ...item,
    scrapes: item.scrapes.filter((_, i) => i % (SLOW_SCRAPE_MS / SCRAPE_MS) === 0),
  };
  return [
    ...['200', '404', '500'].map((code) => ({
      labels: labels('requests_total', { code }),
      samples: counter(random, item, 40),
    })),
    { labels: labels('batches_total'), samples: counter(random, slow, 900) },
    { labels: labels('memory_bytes'), samples: gauge(1_000_000, 4_000_000) },
    { labels: labels('temperature_celsius'), samples: gauge(40, -20) },
    {
      labels: labels('build_info', { version: `1.${random.below(3)}` }),
      samples: sampled(item, () => 1),
    },
    ...classicHistogram(random, item),
    { labels: labels('size_bytes'), samples: nativeHistogram(random, item) },
  ];
}

export function sampled(
  item: Target,
  valueAt: (index: number) => number | FloatHistogram,
): DataSample[] {
  return item.scrapes.map((timestampMs, i) => ({
    timestampMs,
    value: item.staleAt.has(timestampMs) ? 'stale' : valueAt(i),
  }));
}

/** A multiple of 1/8 in [0, scale). */
export function eighths(random: SeededRandom, scale: number): number {
  return random.below(scale * 8) / 8;
}

/** Now and then back to zero, sometimes to a little more, as after a restart; some never move. */
function counter(random: SeededRandom, item: Target, scale: number): DataSample[] {
  let value = 100 * scale + eighths(random, 100_000);
  const isIdle = random.below(8) === 0;
  return sampled(item, (i) => {
    if (!isIdle) value += eighths(random, scale);
    if (i > 0 && random.below(90) === 0) value = random.below(2) === 0 ? 0 : eighths(random, scale);
    if (isBehindGap(item, i)) value += 100 * scale;
    return value;
  });
}

/**
 * Counters jump where they come back after a gap, and begin high, so that none is near zero there: where 2.42 and 3.x
 * place the zero of a counter differs, but only between half a spacing and a whole one before the first sample, and only
 * behind a gap.
 */
function isBehindGap({ scrapes, staleAt }: Target, index: number): boolean {
  if (index === 0) return false;
  if (staleAt.has(scrapes[index - 1]!)) return true;
  const usual = Math.min(...scrapes.slice(1).map((at, i) => at - scrapes[i]!));
  return scrapes[index]! - scrapes[index - 1]! > 1.05 * usual;
}

function classicHistogram(random: SeededRandom, item: Target): DataSeries[] {
  const bounds = ['0.125', '0.5', '1', '4', '+Inf'];
  const counts = bounds.map(() => 1_000);
  const rows: number[][] = [];
  for (let i = 0; i < item.scrapes.length; i++) {
    if (i > 0 && random.below(150) === 0) counts.fill(0);
    const jump = isBehindGap(item, i) ? 400 : 0;
    for (let k = 0; k < counts.length; k++) counts[k]! += random.below(4) + jump;
    rows.push([...counts]);
  }
  const { job, instance } = item;
  const total = (i: number, weights: readonly number[]): number =>
    rows[i]!.reduce((sum, count, k) => sum + count * weights[k]!, 0);
  const series = (suffix: string, more: Record<string, string>, at: (i: number) => number) => ({
    labels: { __name__: `latency_seconds_${suffix}`, job, instance, ...more },
    samples: sampled(item, at),
  });
  return [
    ...bounds.map((le, bound) =>
      series('bucket', { le }, (i) =>
        total(
          i,
          bounds.map((_, k) => (k <= bound ? 1 : 0)),
        ),
      ),
    ),
    series('sum', {}, (i) => total(i, [0.125, 0.25, 0.5, 2, 8])),
    series('count', {}, (i) => total(i, [1, 1, 1, 1, 1])),
  ];
}

/**
 * Buckets that come one after another, and a restart now and then, far from zero for the reason at `isBehindGap`. Without
 * stale markers: 2.42 counts those of histograms as samples of a range.
 */
function nativeHistogram(random: SeededRandom, item: Target): DataSample[] {
  const isInteger = random.below(2) === 0;
  const schema = random.below(3);
  const unit = isInteger ? 1 : 0.375;
  let age = 1_000;
  return sampled({ ...item, staleAt: new Set() }, (i) => {
    age = random.below(120) === 0 ? 500 : age + 1;
    if (isBehindGap(item, i)) age += 500;
    const width = 2 + Math.min(6, (age - 500) >> 5);
    const positive = Float64Array.from({ length: width }, (_, k) => (age * (k + 1) + 3) * unit);
    const negative = Float64Array.of(age * unit);
    const zeroCount = age * unit;
    return {
      counterResetHint: 'unknown',
      schema,
      zeroThreshold: 2 ** -10,
      zeroCount,
      count: [...positive, ...negative].reduce((sum, count) => sum + count, zeroCount),
      sum: age * 12.5 * unit,
      positiveSpans: [{ offset: 1, length: width }],
      negativeSpans: [{ offset: 2, length: 1 }],
      positiveBuckets: positive,
      negativeBuckets: negative,
      customValues: null,
      isInteger,
      isStale: false,
    };
  });
}

function specialSeries(random: SeededRandom): DataSeries[] {
  const item = target(random, 'odd', 'x:1');
  const kinds: Readonly<Record<string, readonly number[]>> = {
    nan: [Number.NaN],
    inf: [Number.POSITIVE_INFINITY],
    minus_inf: [Number.NEGATIVE_INFINITY],
    zero: [0, -0],
    huge: [1e150, 3e150],
    tiny: [1e-300, 3e-300],
    mixed: [1, Number.NaN, -1, Number.POSITIVE_INFINITY, 0, Number.NEGATIVE_INFINITY, 0.5],
    sometimes: [Number.NaN, 2, 3, 4, 5, 6, 7, 8],
  };
  return Object.entries(kinds).map(([kind, values]) => ({
    labels: { __name__: 'odd_values', kind, job: item.job, instance: item.instance },
    samples: sampled(item, (i) => values[i % values.length]!),
  }));
}
