import { assert } from '@pollux/base';
import type { FamilySample, MetricFamily } from './metric-family.ts';

/** Most label combinations of one metric that are exposed. */
const MAX_CHILDREN = 10_000;

/** A number that only grows. */
export class Counter {
  #value = 0;

  /** What is no amount (negative, NaN), as a clock set back gives, is left out. */
  inc(by = 1): void {
    if (by > 0) this.#value += by;
  }

  get value(): number {
    return this.#value;
  }
}

/** A number that goes up and down, or is asked for when scraped. */
export class Gauge {
  #value = 0;

  set(value: number): void {
    this.#value = value;
  }

  inc(by = 1): void {
    this.#value += by;
  }

  dec(by = 1): void {
    this.#value -= by;
  }

  get value(): number {
    return this.#value;
  }
}

/** Counts per upper bound (inclusive), with sum and count. */
export class Histogram {
  readonly bounds: readonly number[];
  readonly #counts: Float64Array;
  #sum = 0;

  constructor(bounds: readonly number[]) {
    assert(
      bounds.every((bound, i) => Number.isFinite(bound) && !(i > 0 && bounds[i - 1]! >= bound)),
      `histogram bounds ${bounds.join()} must be finite and ascend`,
    );
    this.bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    let index = 0;
    // Negated, so that NaN falls below no bound and is counted under +Inf, as client_golang does.
    while (index < this.bounds.length && !(value <= this.bounds[index]!)) index++;
    this.#counts[index]!++;
    this.#sum += value;
  }

  get sum(): number {
    return this.#sum;
  }

  /** Per bucket, not cumulative; the last is +Inf. */
  get counts(): Float64Array {
    return this.#counts;
  }
}

/** Most recent observations that a summary's quantiles are taken from. */
const SUMMARY_WINDOW = 512;
const SUMMARY_QUANTILES = [0.01, 0.05, 0.5, 0.9, 0.99] as const;

/** Quantiles over the last 512 observations, with sum and count of all. NaN as long as there is none. */
export class Summary {
  readonly #quantiles: readonly number[];
  readonly #window: Float64Array;
  #count = 0;
  #sum = 0;

  constructor(quantiles: readonly number[]) {
    this.#quantiles = quantiles;
    this.#window = new Float64Array(quantiles.length === 0 ? 0 : SUMMARY_WINDOW);
  }

  observe(value: number): void {
    this.#window[this.#count % SUMMARY_WINDOW] = value;
    this.#count++;
    this.#sum += value;
  }

  get count(): number {
    return this.#count;
  }

  get sum(): number {
    return this.#sum;
  }

  /** Value per quantile, by nearest rank. */
  quantiles(): readonly (readonly [quantile: number, value: number])[] {
    const sorted = this.#window.slice(0, Math.min(this.#count, SUMMARY_WINDOW)).sort();
    return this.#quantiles.map((quantile) => {
      const rank = Math.max(0, Math.ceil(quantile * sorted.length) - 1);
      return [quantile, sorted[rank] ?? Number.NaN] as const;
    });
  }
}

type Metric = Counter | Gauge | Histogram | Summary;

/** The children of one metric by label values. */
export class Family<M> {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram' | 'summary';
  readonly labelNames: readonly string[];
  readonly #create: () => M;
  readonly #children = new Map<string, { values: readonly string[]; metric: M }>();

  constructor(
    name: string,
    help: string,
    type: 'counter' | 'gauge' | 'histogram' | 'summary',
    labelNames: readonly string[],
    create: () => M,
  ) {
    this.name = name;
    this.help = help;
    this.type = type;
    this.labelNames = labelNames;
    this.#create = create;
  }

  /** The child with these values, in the order of the label names. Keep it where the way is hot. */
  with(...values: string[]): M {
    assert(
      values.length === this.labelNames.length,
      `${this.name} takes ${this.labelNames.length} label values`,
    );
    const key = values.join('\ud800');
    const known = this.#children.get(key);
    if (known !== undefined) return known.metric;
    // Labels of self-metrics are few by design; past the bound a child is handed out but not exposed.
    const metric = this.#create();
    if (this.#children.size < MAX_CHILDREN) this.#children.set(key, { values, metric });
    return metric;
  }

  /** Forgets a child, as when its target is gone. */
  remove(...values: string[]): void {
    this.#children.delete(values.join('\ud800'));
  }

  clear(): void {
    this.#children.clear();
  }

  *children(): IterableIterator<readonly [labels: string[], metric: M]> {
    for (const { values, metric } of this.#children.values()) {
      const labels: string[] = [];
      for (const [index, name] of this.labelNames.entries()) labels.push(name, values[index]!);
      yield [labels, metric];
    }
  }
}

/** Gives families at scrape time; for values that live elsewhere (process, head, queues). */
export type Collector = () => readonly MetricFamily[];

/** The self-metrics of one role; never global, so two roles can share a process. */
export class Registry {
  readonly #families = new Map<string, Family<Metric>>();
  readonly #collectors: Collector[] = [];

  counter(name: string, help: string): Counter {
    return this.counters(name, help, []).with();
  }

  gauge(name: string, help: string): Gauge {
    return this.gauges(name, help, []).with();
  }

  histogram(name: string, help: string, bounds: readonly number[]): Histogram {
    return this.histograms(name, help, [], bounds).with();
  }

  counters(name: string, help: string, labelNames: readonly string[]): Family<Counter> {
    return this.#family(new Family(name, help, 'counter', labelNames, () => new Counter()));
  }

  gauges(name: string, help: string, labelNames: readonly string[]): Family<Gauge> {
    return this.#family(new Family(name, help, 'gauge', labelNames, () => new Gauge()));
  }

  histograms(
    name: string,
    help: string,
    labelNames: readonly string[],
    bounds: readonly number[],
  ): Family<Histogram> {
    return this.#family(
      new Family(name, help, 'histogram', labelNames, () => new Histogram(bounds)),
    );
  }

  /** Without quantiles, sum and count alone are kept and shown. */
  summaries(
    name: string,
    help: string,
    labelNames: readonly string[],
    quantiles: readonly number[] = SUMMARY_QUANTILES,
  ): Family<Summary> {
    return this.#family(
      new Family(name, help, 'summary', labelNames, () => new Summary(quantiles)),
    );
  }

  /** Asks `read` at each scrape. */
  gaugeFrom(name: string, help: string, read: () => number): void {
    this.collect(() => [
      { name, help, type: 'gauge', samples: [{ suffix: '', labels: [], value: read() }] },
    ]);
  }

  collect(collector: Collector): void {
    this.#collectors.push(collector);
  }

  /** All families, sorted by name; several of one name (two collectors) become one, as the text format wants. */
  gather(): MetricFamily[] {
    const families: MetricFamily[] = [];
    for (const family of this.#families.values()) families.push(expose(family));
    for (const collector of this.#collectors) families.push(...collector());
    families.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
    const merged: MetricFamily[] = [];
    for (const family of families) {
      const last = merged.at(-1);
      if (last?.name !== family.name) merged.push(family);
      else merged[merged.length - 1] = { ...last, samples: [...last.samples, ...family.samples] };
    }
    return merged;
  }

  /** The same name twice gives the first family: two parts may count into one metric. */
  #family<M extends Metric>(family: Family<M>): Family<M> {
    const known = this.#families.get(family.name);
    if (known === undefined) {
      this.#families.set(family.name, family as unknown as Family<Metric>);
      return family;
    }
    assert(
      known.type === family.type && known.labelNames.join() === family.labelNames.join(),
      `metric ${family.name} registered twice with different shapes`,
    );
    return known as unknown as Family<M>;
  }
}

function expose(family: Family<Metric>): MetricFamily {
  const samples: FamilySample[] = [];
  for (const [labels, metric] of family.children()) {
    if (metric instanceof Histogram) samples.push(...histogramSamples(labels, metric));
    else if (metric instanceof Summary) samples.push(...summarySamples(labels, metric));
    else samples.push({ suffix: '', labels, value: metric.value });
  }
  return { name: family.name, help: family.help, type: family.type, samples };
}

function histogramSamples(labels: readonly string[], histogram: Histogram): FamilySample[] {
  const samples: FamilySample[] = [];
  let cumulative = 0;
  for (const [index, count] of histogram.counts.entries()) {
    cumulative += count;
    const bound = histogram.bounds[index];
    samples.push({
      suffix: '_bucket',
      labels: [...labels, 'le', bound === undefined ? '+Inf' : String(bound)],
      value: cumulative,
    });
  }
  samples.push({ suffix: '_sum', labels, value: histogram.sum });
  samples.push({ suffix: '_count', labels, value: cumulative });
  return samples;
}

function summarySamples(labels: readonly string[], summary: Summary): FamilySample[] {
  const samples: FamilySample[] = summary.quantiles().map(([quantile, value]) => ({
    suffix: '',
    labels: [...labels, 'quantile', String(quantile)],
    value,
  }));
  samples.push({ suffix: '_sum', labels, value: summary.sum });
  samples.push({ suffix: '_count', labels, value: summary.count });
  return samples;
}
