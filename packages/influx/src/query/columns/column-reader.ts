import type { Labels } from '@pollux/model';
import type { ColumnData } from '@pollux/storage';
import type { View, ViewSeries } from '../../engine-port.ts';
import { oneCopy } from '../one-copy.ts';
import { type ReadPart, SERIES_AHEAD } from '../table.ts';

/** A series and where it is read. */
export type PlacedSeries = {
  readonly name: string;
  readonly tags: Labels;
  readonly part: ReadPart;
  readonly series: ViewSeries;
};

export function seriesOf(parts: readonly ReadPart[]): PlacedSeries[] {
  const found: PlacedSeries[] = [];
  for (const part of parts) {
    for (const series of part.view.series(part.measurement, part.matches, part.conditions))
      found.push({ name: series.measurement, tags: series.tags, part, series });
  }
  return found;
}

/** Reads series in the order in which they are given. */
export class SeriesReader {
  readonly #all: readonly PlacedSeries[];
  #next = 0;

  constructor(all: readonly PlacedSeries[]) {
    this.#all = all;
  }

  /** To be called before each series is read. */
  enter(): void {
    if (this.#next % SERIES_AHEAD === 0) this.#readAhead();
    this.#next++;
  }

  #readAhead(): void {
    const wanted = new Map<View, { readonly series: ViewSeries[]; readonly fields: Set<string> }>();
    for (const { part, series } of this.#all.slice(this.#next, this.#next + SERIES_AHEAD)) {
      let known = wanted.get(part.view);
      if (known === undefined) {
        known = { series: [], fields: new Set() };
        wanted.set(part.view, known);
      }
      known.series.push(series);
      for (const field of part.fields.keys()) known.fields.add(field);
    }
    for (const [view, { series, fields }] of wanted) view.readAhead(series, fields);
  }

  /** Its samples of a field; null when it has none. */
  read({ part, series }: PlacedSeries, field: string): ColumnData | null {
    const kind = part.fields.get(field);
    if (kind === undefined) return null;
    const data = oneCopy(part.view.read(series, field, kind));
    return data === null || data.count === 0 ? null : data;
  }
}
