import { isStaleAt, wordsOf } from '@pollux/model';
import type { SeriesColumns, TimeRange } from '../queryable.ts';

/** Another replica scrapes at other moments: its first sample of a time may lie so much beside this one's, at most. */
const MAX_SHIFT_MS = 5 * 60_000;

/**
 * The buckets of `lost`, by index, for which `samples` has too few in the range: less than half of what the bucket counts,
 * or, where the range holds only a part of it, none. `samples` null: there are none.
 */
export function missingBuckets(
  samples: SeriesColumns | null,
  lost: SeriesColumns,
  range: TimeRange,
): number[] {
  const { buckets, timestampsMs: lastTimesMs } = lost;
  if (buckets === undefined) return [];
  const shiftMs = Math.min(buckets.resolutionMs, MAX_SHIFT_MS);
  const times = samples === null ? [] : liveTimes(samples);
  const missing: number[] = [];
  let low = 0;
  let high = 0;
  for (let i = 0; i < lost.count; i++) {
    const firstMs = buckets.firstTimesMs[i]!;
    const lastMs = lastTimesMs[i]!;
    const fromMs = Math.max(firstMs, range.minMs);
    const toMs = Math.min(lastMs, range.maxMs);
    // Of a bucket that the range cuts, no sample may be in it.
    if (fromMs > toMs) continue;
    while (low < times.length && times[low]! < fromMs - shiftMs) low++;
    while (high < times.length && times[high]! <= toMs + shiftMs) high++;
    const isWhole = fromMs === firstMs && toMs === lastMs;
    const wanted = isWhole ? Math.max(1, Math.floor(buckets.counts[i]! / 2)) : 1;
    if (high - low < wanted) missing.push(i);
  }
  return missing;
}

function liveTimes({ count, timestampsMs, values, histograms }: SeriesColumns): number[] {
  const words = wordsOf(values);
  const times: number[] = [];
  for (let i = 0; i < count; i++) {
    const isHistogram = histograms?.[i] != null;
    if (isHistogram || !isStaleAt(words, i)) times.push(timestampsMs[i]!);
  }
  return times;
}

/** The last samples of these buckets; null when the buckets have none that could be shown. */
export function lastSamples(
  lost: SeriesColumns,
  indices: readonly number[],
  range: TimeRange,
): SeriesColumns | null {
  const shown = indices.filter(
    (index) => lost.buckets?.counts[index] !== 0 && lost.timestampsMs[index]! <= range.maxMs,
  );
  if (shown.length === 0) return null;
  const words = wordsOf(lost.values);
  const values = new Float64Array(shown.length);
  const target = wordsOf(values);
  for (const [i, index] of shown.entries()) {
    target[2 * i] = words[2 * index]!;
    target[2 * i + 1] = words[2 * index + 1]!;
  }
  return {
    labels: lost.labels,
    count: shown.length,
    timestampsMs: Float64Array.from(shown, (index) => lost.timestampsMs[index]!),
    values,
    histograms: null,
    startTimestampsMs: null,
    replica: lost.replica,
  };
}
