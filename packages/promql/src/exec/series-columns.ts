import { type FloatHistogram, isStaleAt, type Labels, wordsOf } from '@pollux/model';
import type { BucketColumns, SeriesColumns } from '@pollux/storage';

/** The raw samples of one series that a selector or subquery works on, in time order. */
export type RangeSeries = {
  readonly labels: Labels;
  readonly dropName: boolean;
  readonly count: number;
  readonly timestampsMs: Float64Array;
  readonly values: Float64Array;
  /** Parallel to the samples; a non-null entry is that histogram. */
  readonly histograms: readonly (FloatHistogram | null)[] | null;
  readonly startTimestampsMs: Float64Array | null;
  /** Not null: the samples are the last ones of these buckets, which stand for all. */
  readonly buckets: BucketColumns | null;
};

/** True when sample `index` is a stale marker of either kind; `words` views the values. */
export function isStaleSample(
  words: Uint32Array,
  histograms: readonly (FloatHistogram | null)[] | null,
  index: number,
): boolean {
  const histogram = histograms === null ? null : (histograms[index] ?? null);
  return histogram === null ? isStaleAt(words, index) : histogram.isStale;
}

/** As {@link isStaleSample}, without a view of the words, which few values need. */
export function isStaleValue({ values, histograms }: SeriesColumns, index: number): boolean {
  if (histograms === null && !Number.isNaN(values[index])) return false;
  return isStaleSample(wordsOf(values), histograms, index);
}

/** May say so of infinities of both signs, too. */
function mayHaveNaN(values: Float64Array, count: number): boolean {
  let i = 0;
  // A sum of four with a NaN is one.
  for (; i + 3 < count; i += 4)
    if (Number.isNaN(values[i]! + values[i + 1]! + (values[i + 2]! + values[i + 3]!))) return true;
  for (; i < count; i++) if (Number.isNaN(values[i])) return true;
  return false;
}

/** The series without its stale markers. The columns are compacted in place: the receiver owns them. */
export function withoutStale(series: SeriesColumns): RangeSeries {
  const { count, timestampsMs, values, startTimestampsMs } = series;
  // Stale markers are NaN; looking at their bits takes a buffer that short columns have not yet.
  if (series.histograms === null && !mayHaveNaN(values, count)) {
    return {
      labels: series.labels,
      dropName: false,
      count,
      timestampsMs,
      values,
      histograms: null,
      startTimestampsMs,
      buckets: series.buckets ?? null,
    };
  }
  const words = wordsOf(values);
  const histograms = series.histograms === null ? null : [...series.histograms];
  let kept = 0;
  for (let i = 0; i < count; i++) {
    if (isStaleSample(words, histograms, i)) continue;
    if (kept !== i) {
      timestampsMs[kept] = timestampsMs[i]!;
      words[kept * 2] = words[i * 2]!;
      words[kept * 2 + 1] = words[i * 2 + 1]!;
      if (startTimestampsMs !== null) startTimestampsMs[kept] = startTimestampsMs[i]!;
      if (histograms !== null) histograms[kept] = histograms[i] ?? null;
    }
    kept++;
  }
  const hasHistograms = histograms?.slice(0, kept).some((histogram) => histogram !== null) ?? false;
  return {
    labels: series.labels,
    dropName: false,
    count: kept,
    timestampsMs,
    values,
    histograms: hasHistograms ? histograms : null,
    startTimestampsMs,
    buckets: series.buckets ?? null,
  };
}
