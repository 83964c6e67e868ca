import { type FloatHistogram, type Labels, matchesAll, setStaleAt, wordsOf } from '@pollux/model';
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
import type { SeriesPoint } from './series-values.ts';

/** One series growing in time; values by their bits. */
class GrowingSeries {
  readonly labels: Labels;
  #timestampsMs = new Float64Array(16);
  #values = new Float64Array(16);
  #histograms: (FloatHistogram | null)[] | null = null;
  #count = 0;

  constructor(labels: Labels) {
    this.labels = labels;
  }

  get lastMs(): number {
    return this.#count === 0 ? Number.NEGATIVE_INFINITY : this.#timestampsMs[this.#count - 1]!;
  }

  /** Takes element `index` of `values` by its bits. */
  push(timestampMs: number, values: Float64Array, index: number): void {
    if (this.#count === this.#values.length) this.#grow();
    const at = this.#count++;
    this.#timestampsMs[at] = timestampMs;
    const source = wordsOf(values);
    const target = wordsOf(this.#values);
    target[at * 2] = source[index * 2]!;
    target[at * 2 + 1] = source[index * 2 + 1]!;
    this.#histograms?.push(null);
  }

  pushHistogram(timestampMs: number, histogram: FloatHistogram): void {
    this.#histograms ??= new Array<FloatHistogram | null>(this.#count).fill(null);
    this.push(timestampMs, Float64Array.of(0), 0);
    this.#histograms[this.#count - 1] = histogram;
  }

  within(minMs: number, maxMs: number): SeriesColumns {
    const from = this.#lowerBound(minMs);
    const to = this.#lowerBound(maxMs + 1);
    return {
      labels: this.labels,
      count: to - from,
      timestampsMs: this.#timestampsMs.slice(from, to),
      values: this.#values.slice(from, to),
      histograms: this.#histograms === null ? null : this.#histograms.slice(from, to),
      startTimestampsMs: null,
      replica: '',
    };
  }

  #lowerBound(timeMs: number): number {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#timestampsMs[middle]! < timeMs) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #grow(): void {
    const timestampsMs = new Float64Array(this.#count * 2);
    timestampsMs.set(this.#timestampsMs);
    this.#timestampsMs = timestampsMs;
    const values = new Float64Array(this.#count * 2);
    wordsOf(values).set(wordsOf(this.#values));
    this.#values = values;
  }
}

/** The storage of one unit test: series in memory, appended in order of time. */
export class SampleStore implements Appendable, Queryable {
  readonly #series: GrowingSeries[] = [];
  readonly #refs = new Map<string, number>();

  /** Puts a series of the test file in, its points `stepMs` apart from `startMs` on. */
  load(labels: Labels, points: readonly SeriesPoint[], startMs: number, stepMs: number): void {
    const series = this.#series[this.#ref(labels) - 1]!;
    const cell = new Float64Array(1);
    for (const [index, point] of points.entries()) {
      if (point.kind === 'missing') continue;
      if (point.kind === 'value') cell[0] = point.value;
      else setStaleAt(wordsOf(cell), 0);
      series.push(startMs + index * stepMs, cell, 0);
    }
  }

  /** Everything held of the series with exactly these labels; null when there is no such series. */
  columns(labels: Labels): SeriesColumns | null {
    const ref = this.#refs.get(labels.key());
    if (ref === undefined) return null;
    return this.#series[ref - 1]!.within(Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY);
  }

  /** Labels of all series, in the order in which they came. */
  allLabels(): readonly Labels[] {
    return this.#series.map(({ labels }) => labels);
  }

  appender(): Appender {
    const staged: (() => void)[] = [];
    const outcomeAt = (series: GrowingSeries, atMs: number): number => {
      if (atMs > series.lastMs) return APPEND_OUTCOME.ok;
      return atMs === series.lastMs ? APPEND_OUTCOME.duplicate : APPEND_OUTCOME.outOfOrder;
    };
    return {
      series: (labels) => this.#ref(labels),
      appendFloats: (refs, timestampsMs, values, _startsMs, count, outcomes) => {
        let taken = 0;
        for (let i = 0; i < count; i++) {
          const series = this.#series[refs[i]! - 1]!;
          const atMs = timestampsMs[i]!;
          outcomes[i] = outcomeAt(series, atMs);
          if (outcomes[i] !== APPEND_OUTCOME.ok) continue;
          taken++;
          staged.push(() => series.push(atMs, values, i));
        }
        return taken;
      },
      appendHistogram: (ref, atMs, histogram) => {
        const series = this.#series[ref - 1]!;
        const outcome = outcomeAt(series, atMs);
        if (outcome === APPEND_OUTCOME.ok) {
          staged.push(() => series.pushHistogram(atMs, histogram));
        }
        return outcome;
      },
      appendExemplar: () => {},
      setMetadata: () => {},
      commit: async () => {
        for (const apply of staged) apply();
      },
      rollback: () => {},
    };
  }

  select({ matchers, range }: SelectRequest): SeriesSource {
    const found = this.#series
      .filter(({ labels }) => matchesAll(matchers, labels))
      .map((series) => series.within(range.minMs, range.maxMs))
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
    const names = this.#series.flatMap(({ labels }) => [...labels].map(([name]) => name));
    return { values: [...new Set(names)].sort(), warnings: [] };
  }

  async labelValues(name: string): Promise<NamesAnswer> {
    const values = this.#series.map(({ labels }) => labels.get(name));
    return { values: [...new Set(values)].filter((value) => value !== '').sort(), warnings: [] };
  }

  #ref(labels: Labels): number {
    const known = this.#refs.get(labels.key());
    if (known !== undefined) return known;
    const ref = this.#series.push(new GrowingSeries(labels));
    this.#refs.set(labels.key(), ref);
    return ref;
  }
}
