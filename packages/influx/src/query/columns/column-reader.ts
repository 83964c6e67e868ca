import type { Labels } from '@pollux/model';
import type { ColumnData } from '@pollux/storage';
import type { ViewSeries } from '../../engine-port.ts';
import { oneCopy } from '../one-copy.ts';
import type { ReadPart } from '../table.ts';

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

/** A series' samples of a field; null when it has none. */
export function readField({ part, series }: PlacedSeries, field: string): ColumnData | null {
  const kind = part.fields.get(field);
  if (kind === undefined) return null;
  const data = oneCopy(part.view.read(series, field, kind));
  return data === null || data.count === 0 ? null : data;
}
