import { compareText, Labels, type Matcher, matchesAll } from '@pollux/model';
import type {
  Annotation,
  NamesAnswer,
  Queryable,
  SelectRequest,
  SeriesColumns,
  SeriesSource,
  TimeRange,
} from '@pollux/storage';

export type ListedSeries = {
  readonly labels: Readonly<Record<string, string>>;
  /** Time in ms and value, ascending. */
  readonly samples: readonly (readonly [timestampMs: number, value: number])[];
};

/** A storage for tests: a list of series. */
export class ListQueryable implements Queryable {
  readonly #series: readonly { readonly labels: Labels; readonly from: ListedSeries }[];
  /** Given with every answer. */
  warnings: readonly Annotation[] = [];
  /** When set, every read fails with it. */
  failure: Error | null = null;
  readonly requests: SelectRequest[] = [];

  constructor(series: readonly ListedSeries[]) {
    this.#series = series.map((from) => ({ labels: Labels.from(from.labels), from }));
  }

  select(request: SelectRequest): SeriesSource {
    this.requests.push(request);
    const found = this.#matching(request.range, request.matchers);
    let isRead = false;
    return {
      next: async () => {
        if (this.failure !== null) throw this.failure;
        if (isRead) return null;
        isRead = true;
        return found;
      },
      warnings: this.warnings,
      close: () => {},
    };
  }

  async labelNames(
    range: TimeRange,
    matchers: readonly Matcher[],
    limit: number,
  ): Promise<NamesAnswer> {
    const all = this.#matching(range, matchers).flatMap(({ labels }) =>
      [...labels].map(([name]) => name),
    );
    return this.#names(all, limit);
  }

  async labelValues(
    name: string,
    range: TimeRange,
    matchers: readonly Matcher[],
    limit: number,
  ): Promise<NamesAnswer> {
    const all = this.#matching(range, matchers).map(({ labels }) => labels.get(name));
    return this.#names(
      all.filter((value) => value !== ''),
      limit,
    );
  }

  #names(all: readonly string[], limit: number): NamesAnswer {
    if (this.failure !== null) throw this.failure;
    const values = [...new Set(all)].sort(compareText);
    return { values: limit === 0 ? values : values.slice(0, limit), warnings: this.warnings };
  }

  #matching({ minMs, maxMs }: TimeRange, matchers: readonly Matcher[]): SeriesColumns[] {
    const found: SeriesColumns[] = [];
    for (const { labels, from } of this.#series) {
      const samples = from.samples.filter(([at]) => at >= minMs && at <= maxMs);
      if (samples.length === 0 || !matchesAll(matchers, labels)) continue;
      found.push({
        labels,
        count: samples.length,
        timestampsMs: Float64Array.from(samples.map(([at]) => at)),
        values: Float64Array.from(samples.map(([, value]) => value)),
        histograms: null,
        startTimestampsMs: null,
        replica: '',
      });
    }
    return found.sort((a, b) => a.labels.compare(b.labels));
  }
}
