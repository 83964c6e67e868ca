import type { SeededRandom } from '@pollux/base';
import { formatFloat, Labels, NORMAL_NAN_HIGH, NORMAL_NAN_LOW, wordsOf } from '@pollux/model';

/** One sample of an exposition as the database is to keep it, its value by its bits. */
export type ServedSample = {
  /** As exposed, without the labels of the target. */
  readonly labels: Labels;
  readonly high: number;
  readonly low: number;
  /** Null: the scrape's own time holds. */
  readonly timestampMs: number | null;
};

export type Exposition = { readonly text: string; readonly samples: readonly ServedSample[] };

/** One exposed series: its value at second `tick` of the run, or null while it is not exposed. */
type Source = {
  readonly labels: Labels;
  readonly valueAt: (tick: number) => number | null;
  /** How far its explicit time lags behind, ms; null where the scrape's own time holds. */
  readonly lagMs: number | null;
};

/** Values that a format may lose: signs, ends of the range, integers that no longer fit. */
const ODD_VALUES: readonly number[] = [
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  0,
  -0,
  5e-324,
  -5e-324,
  2.2250738585072014e-308,
  Number.MAX_VALUE,
  -Number.MAX_VALUE,
  2 ** 53 + 2,
  1e23,
  0.1 + 0.2,
  1 / 3,
];

/** Seconds that a series is exposed and then not: one missed scrape, several, longer than a head lives. */
const PRESENCES: readonly (readonly [shownSeconds: number, hiddenSeconds: number])[] = [
  [1, 1],
  [7, 1],
  [5, 5],
  [30, 20],
  [90, 60],
  [20, 170],
  [100, 260],
  [200, 1_000],
];

/** Series of every kind that a database meets, drawn from a seed. Each call of {@link expose} is one scrape. */
export class Generator {
  readonly #sources: readonly Source[];
  /** True: every line carries its time; else only those whose kind asks for it. */
  readonly #isAllTimed: boolean;
  #tick = 0;

  constructor(random: SeededRandom, isAllTimed: boolean) {
    this.#isAllTimed = isAllTimed;
    this.#sources = [
      ...times(30, (i) => counter(random, i)),
      ...times(20, (i) => walk(random, i)),
      ...times(15, (i) => decimal(random, i)),
      ...times(10, (i) => constant(i)),
      ...ODD_VALUES.map((_, i) => odd(i)),
      ...PRESENCES.map((presence, i) => vanishing(presence, i)),
      ...histogram(random),
      ...spelled(),
      // Timed samples come late; when they come more often than their time moves, the same sample comes again.
      ...[0, 1, 250, 5_000].map((lagMs, i) => ({ ...walk(random, i), ...timed(i), lagMs })),
    ];
  }

  get seriesCount(): number {
    return this.#sources.length;
  }

  expose(nowMs: number): Exposition {
    const tick = this.#tick++;
    const lines: string[] = [];
    const samples: ServedSample[] = [];
    const value = new Float64Array(1);
    const words = wordsOf(value);
    for (const { labels, valueAt, lagMs } of this.#sources) {
      const shown = valueAt(tick);
      if (shown === null) continue;
      const timestampMs = lagMs !== null ? nowMs - lagMs : this.#isAllTimed ? nowMs : null;
      const time = timestampMs === null ? '' : ` ${timestampMs}`;
      lines.push(`${labels.toMetricString()} ${formatFloat(shown)}${time}\n`);
      value[0] = shown;
      const isNan = Number.isNaN(shown);
      const high = isNan ? NORMAL_NAN_HIGH : words[1]!;
      const low = isNan ? NORMAL_NAN_LOW : words[0]!;
      samples.push({ labels, high, low, timestampMs });
    }
    return { text: lines.join(''), samples };
  }
}

function times<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}

function source(name: string, labels: Record<string, string>, valueAt: Source['valueAt']): Source {
  return { labels: Labels.from({ __name__: name, ...labels }), valueAt, lagMs: null };
}

/** Grows by whole or broken steps and starts anew now and then. */
function counter(random: SeededRandom, index: number): Source {
  let value = random.below(1_000_000);
  const resetOdds = 40 + index * 20;
  return source('soak_counter_total', { index: String(index) }, () => {
    if (random.below(resetOdds) === 0) value = 0;
    value += index % 3 === 0 ? random.below(100) / 8 : random.below(1_000);
    return value;
  });
}

/** A walk that uses the whole mantissa. */
function walk(random: SeededRandom, index: number): Source {
  let value = 0;
  const scale = 10 ** (index - 10);
  return source('soak_gauge', { index: String(index) }, () => {
    value += (random.below(2 ** 31) / 2 ** 30 - 1) * scale;
    return value;
  });
}

function decimal(random: SeededRandom, index: number): Source {
  const digits = index % 4;
  return source('soak_decimal', { index: String(index) }, () =>
    Number((random.below(100_000) / 10 ** digits).toFixed(digits)),
  );
}

function constant(index: number): Source {
  return source('soak_constant', { index: String(index) }, () => index * 1.5);
}

/** Stays on one value for a while, then takes the next. */
function odd(index: number): Source {
  return source('soak_odd', { index: String(index) }, (tick) => {
    const step = index < 4 ? tick : Math.floor(tick / 17);
    return ODD_VALUES[(index + step) % ODD_VALUES.length] ?? 0;
  });
}

function vanishing(presence: readonly [number, number], index: number): Source {
  const [shown, hidden] = presence;
  return source('soak_vanishing', { index: String(index) }, (tick) =>
    tick % (shown + hidden) < shown ? tick : null,
  );
}

function histogram(random: SeededRandom): Source[] {
  const bounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
  const counts = [...bounds.map(() => 0), 0];
  let sum = 0;
  const buckets = counts.map((_, i) =>
    source('soak_seconds_bucket', { le: i < bounds.length ? String(bounds[i]) : '+Inf' }, () => {
      if (i === 0) {
        const seconds = random.below(12_000) / 1_000;
        sum += seconds;
        for (const [at, bound] of bounds.entries()) if (seconds <= bound) counts[at]! += 1;
        counts[bounds.length]! += 1;
      }
      return counts[i] ?? 0;
    }),
  );
  return [
    ...buckets,
    source('soak_seconds_sum', {}, () => sum),
    source('soak_seconds_count', {}, () => counts[bounds.length] ?? 0),
  ];
}

/** Names and values that need every kind of care. */
function spelled(): Source[] {
  const values = [
    { city: 'Köln', cjk: '服务器', emoji: '🙂' },
    { path: 'C:\\dir\\"q"', lines: 'a\nb' },
    { long: 'x'.repeat(3_000) },
    { braces: '{a="b", c="d"} 1 2' },
  ];
  return values.map((labels, i) => source('soak_spelled', labels, (tick) => tick * (i + 1)));
}

function timed(index: number): Pick<Source, 'labels'> {
  return { labels: Labels.from({ __name__: 'soak_timed', index: String(index) }) };
}
