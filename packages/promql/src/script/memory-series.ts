import {
  compareText,
  type FloatHistogram,
  isStaleAt,
  type Labels,
  type Matcher,
  matchesAll,
  setStaleAt,
  wordsOf,
} from '@pollux/model';
import type {
  NamesAnswer,
  Queryable,
  ReadContext,
  SelectRequest,
  SeriesColumns,
  SeriesSource,
  TimeRange,
} from '@pollux/storage';

/** One sample to keep; a histogram wins over the value. */
export type MemorySample = {
  readonly timestampMs: number;
  readonly value: number;
  readonly isStale?: boolean;
  readonly histogram?: FloatHistogram | null;
  readonly startTimestampMs?: number;
};

type Entry = { readonly labels: Labels; readonly samples: Map<number, MemorySample> };

/** A Queryable over series in memory, for tests: whatever is added is there, the last write of a time wins. */
export class MemorySeries implements Queryable {
  readonly #series = new Map<string, Entry>();
  /** Series per answer batch; small, so that readers meet several. */
  readonly #batchSize: number;

  constructor(batchSize = 3) {
    this.#batchSize = batchSize;
  }

  add(labels: Labels, sample: MemorySample): void {
    const key = labels.key();
    let entry = this.#series.get(key);
    if (entry === undefined) {
      entry = { labels, samples: new Map() };
      this.#series.set(key, entry);
    }
    entry.samples.set(sample.timestampMs, sample);
  }

  clear(): void {
    this.#series.clear();
  }

  select(request: SelectRequest, context: ReadContext): SeriesSource {
    const { range, matchers } = request;
    const found = this.#matching(matchers)
      .map((entry) => columnsOf(entry, range))
      .filter(({ count }) => count > 0);
    let at = 0;
    return {
      next: async () => {
        context.signal.throwIfAborted();
        if (at >= found.length) return null;
        const batch = found.slice(at, at + this.#batchSize);
        at += this.#batchSize;
        return batch;
      },
      warnings: [],
      close: () => {},
    };
  }

  async labelNames(
    range: TimeRange,
    matchers: readonly Matcher[],
    limit: number,
  ): Promise<NamesAnswer> {
    const names = new Set<string>();
    for (const entry of this.#within(range, matchers))
      for (const [name] of entry.labels) names.add(name);
    return answer(names, limit);
  }

  async labelValues(
    name: string,
    range: TimeRange,
    matchers: readonly Matcher[],
    limit: number,
  ): Promise<NamesAnswer> {
    const values = new Set<string>();
    for (const entry of this.#within(range, matchers)) {
      if (entry.labels.has(name)) values.add(entry.labels.get(name));
    }
    return answer(values, limit);
  }

  #matching(matchers: readonly Matcher[]): Entry[] {
    const found = [...this.#series.values()].filter(({ labels }) => matchesAll(matchers, labels));
    return found.sort((a, b) => a.labels.compare(b.labels));
  }

  #within(range: TimeRange, matchers: readonly Matcher[]): Entry[] {
    return this.#matching(matchers).filter((entry) => columnsOf(entry, range).count > 0);
  }
}

function answer(values: ReadonlySet<string>, limit: number): NamesAnswer {
  const sorted = [...values].sort(compareText);
  return { values: limit > 0 ? sorted.slice(0, limit) : sorted, warnings: [] };
}

function columnsOf({ labels, samples }: Entry, range: TimeRange): SeriesColumns {
  const inside = [...samples.values()]
    .filter(({ timestampMs }) => timestampMs >= range.minMs && timestampMs <= range.maxMs)
    .sort((a, b) => a.timestampMs - b.timestampMs);
  const count = inside.length;
  const values = Float64Array.from(inside, ({ value }) => value);
  const words = wordsOf(values);
  for (const [index, sample] of inside.entries()) {
    if (sample.isStale) setStaleAt(words, index);
    else if (isStaleAt(words, index)) values[index] = Number.NaN;
  }
  const hasHistograms = inside.some(({ histogram }) => histogram != null);
  const hasStarts = inside.some(({ startTimestampMs }) => (startTimestampMs ?? 0) !== 0);
  return {
    labels,
    count,
    timestampsMs: Float64Array.from(inside, ({ timestampMs }) => timestampMs),
    values,
    histograms: hasHistograms ? inside.map(({ histogram }) => histogram ?? null) : null,
    startTimestampsMs: hasStarts
      ? Float64Array.from(inside, ({ startTimestampMs }) => startTimestampMs ?? 0)
      : null,
    replica: '',
  };
}
