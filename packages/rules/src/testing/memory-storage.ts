import { Labels, matchesAll, wordsOf } from '@pollux/model';
import {
  APPEND_OUTCOME,
  type Appendable,
  type Appender,
  type NamesAnswer,
  type Queryable,
  type SelectRequest,
  type SeriesColumns,
  type SeriesSource,
} from '@pollux/storage';

type Stored = {
  readonly labels: Labels;
  readonly timestampsMs: number[];
  /** Values by their bits: low word, high word. */
  readonly words: number[];
};

/** A storage for tests: keeps everything, in order per series, bits of values included. */
export class MemoryStorage implements Appendable, Queryable {
  readonly #series: Stored[] = [];
  readonly #refs = new Map<string, number>();
  commits = 0;
  /** When set, every commit fails with it. */
  failure: Error | null = null;

  appender(): Appender {
    const staged: (() => void)[] = [];
    return {
      series: (labels) => this.#ref(labels),
      appendFloats: (refs, timestampsMs, values, _starts, count, outcomes) => {
        const words = wordsOf(values);
        let taken = 0;
        for (let i = 0; i < count; i++) {
          const stored = this.#series[refs[i]! - 1]!;
          const last = stored.timestampsMs.at(-1) ?? Number.NEGATIVE_INFINITY;
          const atMs = timestampsMs[i]!;
          const low = words[i * 2]!;
          const high = words[i * 2 + 1]!;
          if (atMs <= last) {
            outcomes[i] = atMs === last ? APPEND_OUTCOME.duplicate : APPEND_OUTCOME.outOfOrder;
            continue;
          }
          outcomes[i] = APPEND_OUTCOME.ok;
          taken++;
          staged.push(() => {
            stored.timestampsMs.push(atMs);
            stored.words.push(low, high);
          });
        }
        return taken;
      },
      appendHistogram: () => APPEND_OUTCOME.ok,
      appendExemplar: () => {},
      setMetadata: () => {},
      commit: async () => {
        if (this.failure !== null) throw this.failure;
        for (const apply of staged) apply();
        this.commits++;
      },
      rollback: () => {},
    };
  }

  /** The samples of the series with these labels as `ms: value`, a stale marker as `ms: stale`. */
  samples(labels: Readonly<Record<string, string>>): string[] {
    const stored = this.#series[(this.#refs.get(Labels.from(labels).key()) ?? 0) - 1];
    if (stored === undefined) return [];
    const columns = columnsOf(stored);
    const words = wordsOf(columns.values);
    return stored.timestampsMs.map((atMs, i) => {
      const isStale = words[i * 2 + 1] === 0x7ff00000 && words[i * 2] === 2;
      return `${atMs}: ${isStale ? 'stale' : columns.values[i]}`;
    });
  }

  /** Label sets of all series, as text. */
  names(): string[] {
    return this.#series.map(({ labels }) => labels.toMetricString());
  }

  /** The last sample's value as 16 hex digits. */
  lastBits(labels: Readonly<Record<string, string>>): string {
    const words = this.#series[(this.#refs.get(Labels.from(labels).key()) ?? 0) - 1]!.words;
    const hex = (word: number): string => word.toString(16).padStart(8, '0');
    return hex(words.at(-1)!) + hex(words.at(-2)!);
  }

  put(labels: Readonly<Record<string, string>>, timestampMs: number, value: number): void {
    const stored = this.#series[this.#ref(Labels.from(labels)) - 1]!;
    const words = wordsOf(Float64Array.of(value));
    stored.timestampsMs.push(timestampMs);
    stored.words.push(words[0]!, words[1]!);
  }

  putStale(labels: Readonly<Record<string, string>>, timestampMs: number): void {
    const stored = this.#series[this.#ref(Labels.from(labels)) - 1]!;
    stored.timestampsMs.push(timestampMs);
    stored.words.push(0x00000002, 0x7ff00000);
  }

  select({ matchers, range }: SelectRequest): SeriesSource {
    const found = this.#series
      .filter(({ labels }) => matchesAll(matchers, labels))
      .map((stored) => columnsOf(within(stored, range.minMs, range.maxMs)))
      .filter(({ count }) => count > 0)
      .sort((a, b) => a.labels.compare(b.labels));
    let isRead = false;
    return {
      next: async () => {
        if (isRead) return null;
        isRead = true;
        return found;
      },
      warnings: [],
      close: () => {},
    };
  }

  async labelNames(): Promise<NamesAnswer> {
    return { values: [], warnings: [] };
  }

  async labelValues(): Promise<NamesAnswer> {
    return { values: [], warnings: [] };
  }

  #ref(labels: Labels): number {
    const known = this.#refs.get(labels.key());
    if (known !== undefined) return known;
    const ref = this.#series.push({ labels, timestampsMs: [], words: [] });
    this.#refs.set(labels.key(), ref);
    return ref;
  }
}

function within(stored: Stored, minMs: number, maxMs: number): Stored {
  const timestampsMs: number[] = [];
  const words: number[] = [];
  for (const [i, atMs] of stored.timestampsMs.entries()) {
    if (atMs < minMs || atMs > maxMs) continue;
    timestampsMs.push(atMs);
    words.push(stored.words[i * 2]!, stored.words[i * 2 + 1]!);
  }
  return { labels: stored.labels, timestampsMs, words };
}

function columnsOf(stored: Stored): SeriesColumns {
  const values = new Float64Array(stored.timestampsMs.length);
  wordsOf(values).set(stored.words);
  return {
    labels: stored.labels,
    count: values.length,
    timestampsMs: Float64Array.from(stored.timestampsMs),
    values,
    histograms: null,
    startTimestampsMs: null,
    replica: '',
  };
}
