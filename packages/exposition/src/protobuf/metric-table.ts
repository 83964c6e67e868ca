import type { MetricType } from '@pollux/model';

/** One `Metric` of a target as it stood in earlier scrapes: its label bytes, and the ids of its series by position. */
export class KnownMetric {
  readonly family: KnownFamily;
  /** The label messages, byte by byte. */
  readonly key: string;
  /** By position (count, sum, value …); -1 where there is no such series. */
  readonly ids: number[] = [];
  /** Of quantiles or buckets, in the order in which they were first seen. */
  readonly bounds: number[] = [];
  /** Where it stood in the family in the last scrape. */
  position = -1;
  isGone = false;
  #liveIds = 0;
  /** Made once a target writes its bounds in another order. */
  #indexes: Map<number, number> | null = null;

  constructor(family: KnownFamily, key: string) {
    this.family = family;
    this.key = key;
  }

  get isEmpty(): boolean {
    return this.#liveIds === 0;
  }

  setId(position: number, id: number): void {
    while (this.ids.length <= position) this.ids.push(-1);
    this.ids[position] = id;
    this.#liveIds += id < 0 ? -1 : 1;
  }

  /** The index of `bound`, which is the `index`-th of the message at hand. */
  indexOf(index: number, bound: number): number {
    if (this.bounds[index] === bound) return index;
    this.#indexes ??= new Map(this.bounds.map((known, i) => [known, i]));
    const known = this.#indexes.get(bound);
    if (known !== undefined) return known;
    this.#indexes.set(bound, this.bounds.length);
    return this.bounds.push(bound) - 1;
  }

  /** Whether the labels are the bytes from `start` to `end`. */
  matches(bytes: Uint8Array, start: number, end: number): boolean {
    const { key } = this;
    if (this.isGone || key.length !== end - start) return false;
    for (let i = 0, at = start; at < end; i++, at++)
      if (key.charCodeAt(i) !== bytes[at]) return false;
    return true;
  }
}

/** A metric family of a target, and its metrics in the order of the last scrape. */
export class KnownFamily {
  readonly name: string;
  readonly type: MetricType;
  readonly metrics = new Map<string, KnownMetric>();
  isGone = false;
  /** In the table of families. */
  index = -1;
  /** What stood in front of the first metric: name, help and type. Empty where something stood behind them, too. */
  #head: Uint8Array = new Uint8Array(0);
  #order: KnownMetric[] = [];
  #next: KnownMetric[] = [];
  #cursor = 0;
  #scrape = 0;

  constructor(name: string, type: MetricType) {
    this.name = name;
    this.type = type;
  }

  /** Begins the family in scrape `scrape`; it may stand there more than once. */
  begin(scrape: number): void {
    if (this.#scrape === scrape) return;
    this.#scrape = scrape;
    const spare = this.#order;
    this.#order = this.#next;
    this.#next = spare;
    spare.length = 0;
    this.#cursor = 0;
  }

  setHead(head: Uint8Array): void {
    this.#head = head.slice();
  }

  hasHead(head: Uint8Array): boolean {
    return !this.isGone && this.#head.length > 0 && Buffer.compare(this.#head, head) === 0;
  }

  /** The metric that stood next in the last scrape, if its labels are these bytes. */
  recognise(bytes: Uint8Array, start: number, end: number): KnownMetric | null {
    const expected = this.#order[this.#cursor];
    if (expected?.matches(bytes, start, end) !== true) return null;
    this.#cursor++;
    this.#see(expected);
    return expected;
  }

  /** As {@link recognise}, wherever it stood; the next one is expected behind it. */
  find(key: string): KnownMetric {
    let metric = this.metrics.get(key);
    if (metric === undefined) {
      metric = new KnownMetric(this, key);
      this.metrics.set(key, metric);
    } else if (this.#order[metric.position] === metric) this.#cursor = metric.position + 1;
    this.#see(metric);
    return metric;
  }

  #see(metric: KnownMetric): void {
    metric.position = this.#next.length;
    this.#next.push(metric);
  }
}
