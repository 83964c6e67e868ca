import { OperatingError } from '@pollux/base';
import { type Labels, LabelsBuilder, matchesAll, wordsOf } from '@pollux/model';
import {
  columnsWithin,
  type NamesAnswer,
  type Queryable,
  type ReadContext,
  type SelectRequest,
  type SeriesColumns,
  type SeriesSource,
} from '@pollux/storage';

/** Series as a server gave them at one moment, to be asked again. */
export class HeldSeries implements Queryable {
  /** By the key of their labels, sorted by labels. */
  readonly series: ReadonlyMap<string, SeriesColumns>;

  constructor(series: readonly SeriesColumns[]) {
    const sorted = [...series].sort((a, b) => a.labels.compare(b.labels));
    this.series = new Map(sorted.map((columns) => [columns.labels.key(), columns]));
  }

  select({ range, matchers }: SelectRequest, _: ReadContext): SeriesSource {
    let found: readonly SeriesColumns[] | null = [...this.series.values()].flatMap((columns) => {
      if (!matchesAll(matchers, columns.labels)) return [];
      const { count, ...within } = columnsWithin(columns, range);
      if (count === 0) return [];
      // Whoever gets them owns them.
      const timestampsMs = within.timestampsMs.slice(0, count);
      return [{ ...within, count, timestampsMs, values: within.values.slice(0, count) }];
    });
    return {
      next: async () => {
        const batch = found;
        found = null;
        return batch === null || batch.length === 0 ? null : batch;
      },
      warnings: [],
      close: () => {},
    };
  }

  labelNames(): Promise<NamesAnswer> {
    return noNames();
  }

  labelValues(): Promise<NamesAnswer> {
    return noNames();
  }

  /** Without what is newer. */
  upTo(maxMs: number): HeldSeries {
    return new HeldSeries(
      [...this.series.values()].map((columns) => columnsWithin(columns, { minMs: 0, maxMs })),
    );
  }

  /** Where a sample of this one is not in `other`, or is another one there; null when there is none such. */
  strangerTo(other: HeldSeries): { readonly labels: Labels; readonly timeMs: number } | null {
    for (const [key, { labels, count, timestampsMs, values }] of this.series) {
      const known = other.series.get(key);
      const words = wordsOf(values);
      const theirs = known === undefined ? null : wordsOf(known.values);
      let at = 0;
      for (let i = 0; i < count; i++) {
        const timeMs = timestampsMs[i]!;
        if (known === undefined || theirs === null) return { labels, timeMs };
        while (at < known.count && known.timestampsMs[at]! < timeMs) at++;
        const isSame =
          at < known.count &&
          known.timestampsMs[at] === timeMs &&
          theirs[at * 2] === words[i * 2] &&
          theirs[at * 2 + 1] === words[i * 2 + 1];
        if (!isSame) return { labels, timeMs };
      }
    }
    return null;
  }
}

/** Queries never ask for names. */
async function noNames(): Promise<NamesAnswer> {
  throw new OperatingError('SIM.NO_NAMES', 'held series have no lists of labels');
}

export function withoutLabel(columns: SeriesColumns, name: string): SeriesColumns {
  return { ...columns, labels: new LabelsBuilder(columns.labels).delete(name).build() };
}
