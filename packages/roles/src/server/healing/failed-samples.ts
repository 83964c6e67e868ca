import { isStaleAt, type Labels, wordsOf } from '@pollux/model';
import { firstSampleFrom, type IntervalSet, type SeriesColumns } from '@pollux/storage';
import { chooseSamples } from './choose-samples.ts';

/** What a scrape tells of itself, also when it fails: true of this server, whatever its twin saw. */
const OF_THE_SCRAPE: ReadonlySet<string> = new Set([
  'up',
  'scrape_duration_seconds',
  'scrape_samples_scraped',
  'scrape_samples_post_metric_relabeling',
  'scrape_series_added',
  'scrape_timeout_seconds',
  'scrape_sample_limit',
  'scrape_body_size_bytes',
]);

export type StaleMarker = { readonly labels: Labels; readonly timeMs: number };

/**
 * Which of the twin's samples stand in `cut` for those of scrapes that failed here: runs of indexes as of {@link chooseSamples}. And
 * the times of own stale markers, if the twin's series goes on there; its own markers come with its samples. None of a series of
 * which this server has samples of its own in `cut`: a rule, or another target, has written it.
 */
export function chooseForFailed(
  twin: SeriesColumns,
  own: SeriesColumns | null,
  cut: IntervalSet,
  guardMs: number,
): { readonly runs: readonly number[]; readonly markersMs: readonly number[] } {
  const nothing = { runs: [], markersMs: [] };
  if (OF_THE_SCRAPE.has(twin.labels.metricName)) return nothing;
  const { columns, markersMs } = own === null ? NO_SAMPLES : withoutMarkers(own);
  const { runs, seams } = chooseSamples(twin, columns, cut, guardMs);
  if (seams.length > 0) return nothing;
  if (!hasValueIn(twin, cut)) return { runs, markersMs: [] };
  return { runs, markersMs: markersMs.filter((timeMs) => !isMarkerAt(twin, timeMs)) };
}

const NO_SAMPLES = { columns: null, markersMs: [] } as const;

function withoutMarkers(own: SeriesColumns): {
  readonly columns: SeriesColumns;
  readonly markersMs: readonly number[];
} {
  const words = wordsOf(own.values);
  const kept: number[] = [];
  const markersMs: number[] = [];
  for (let i = 0; i < own.count; i++) {
    if (isMarker(own, words, i)) markersMs.push(own.timestampsMs[i]!);
    else kept.push(i);
  }
  if (markersMs.length === 0) return { columns: own, markersMs };
  const keptWords = new Uint32Array(kept.length * 2);
  for (const [to, from] of kept.entries())
    keptWords.set(words.subarray(from * 2, from * 2 + 2), to * 2);
  const columns: SeriesColumns = {
    ...own,
    count: kept.length,
    timestampsMs: Float64Array.from(kept, (i) => own.timestampsMs[i]!),
    values: new Float64Array(keptWords.buffer),
    histograms: own.histograms === null ? null : kept.map((i) => own.histograms![i]!),
    startTimestampsMs: null,
  };
  return { columns, markersMs };
}

function isMarker({ histograms }: SeriesColumns, words: Uint32Array, index: number): boolean {
  const histogram = histograms?.[index] ?? null;
  return histogram === null ? isStaleAt(words, index) : histogram.isStale;
}

function isMarkerAt(columns: SeriesColumns, timeMs: number): boolean {
  const at = firstSampleFrom(columns, timeMs);
  if (at >= columns.count || columns.timestampsMs[at] !== timeMs) return false;
  return isMarker(columns, wordsOf(columns.values), at);
}

function hasValueIn(columns: SeriesColumns, cut: IntervalSet): boolean {
  const words = wordsOf(columns.values);
  return cut.some(({ startMs, endMs }) => {
    for (let i = firstSampleFrom(columns, startMs); i < columns.count; i++) {
      if (columns.timestampsMs[i]! >= endMs) return false;
      if (!isMarker(columns, words, i)) return true;
    }
    return false;
  });
}
