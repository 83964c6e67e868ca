import { type Exemplar, type Labels, type Matcher, matchesAll } from '@pollux/model';
import type { ExemplarSeries, TimeRange } from '@pollux/storage';
import type { ExemplarRing } from './exemplar-ring.ts';

/** Exemplars in the range of the series that pass one of the sets, sorted by labels, each oldest first. */
export function selectExemplars(
  ring: ExemplarRing,
  range: TimeRange,
  matcherSets: readonly (readonly Matcher[])[],
): ExemplarSeries[] {
  const bySeries = new Map<string, { labels: Labels; exemplars: Exemplar[] }>();
  for (const { seriesLabels, exemplar, timestampMs } of ring) {
    if (timestampMs < range.minMs || timestampMs > range.maxMs) continue;
    if (!matcherSets.some((matchers) => matchesAll(matchers, seriesLabels))) continue;
    const key = seriesLabels.key();
    let series = bySeries.get(key);
    if (series === undefined) {
      series = { labels: seriesLabels, exemplars: [] };
      bySeries.set(key, series);
    }
    series.exemplars.push(exemplar);
  }
  return [...bySeries.values()].sort((a, b) => a.labels.compare(b.labels));
}
