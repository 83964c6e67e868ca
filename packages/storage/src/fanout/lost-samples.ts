import { isStaleAt, wordsOf } from '@pollux/model';
import type { SeriesColumns, TimeRange } from '../queryable.ts';

/** Another replica scrapes at other moments: its first sample of a time may lie a bucket beside this one's, at most so much … */
const MAX_SHIFT_MS = 5 * 60_000;
/** … or, where samples are further apart than that, as far as they are, at most. */
const MAX_INTERVAL_MS = 60 * 60_000;

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
  const { counts, firstTimesMs, resolutionMs } = buckets;
  const times = samples === null ? new Float64Array(0) : liveTimes(samples);
  const missing: number[] = [];
  for (let i = 0; i < lost.count; i++) {
    const firstMs = firstTimesMs[i]!;
    const lastMs = lastTimesMs[i]!;
    const fromMs = Math.max(firstMs, range.minMs);
    const toMs = Math.min(lastMs, range.maxMs);
    // Of a bucket that the range cuts, no sample may be in it.
    if (fromMs > toMs) continue;
    const beforeMs = i > 0 ? firstMs - lastTimesMs[i - 1]! : MAX_INTERVAL_MS;
    const behindMs = i + 1 < lost.count ? firstTimesMs[i + 1]! - lastMs : MAX_INTERVAL_MS;
    // A bucket of several has samples nearer to each other than it is long.
    const intervalMs = counts[i] === 1 ? Math.min(beforeMs, behindMs, MAX_INTERVAL_MS) : 0;
    const shiftMs = Math.max(Math.min(resolutionMs, MAX_SHIFT_MS), intervalMs);
    const held = firstAfter(times, toMs + shiftMs) - firstAfter(times, fromMs - shiftMs - 1);
    const isWhole = fromMs === firstMs && toMs === lastMs;
    const wanted = isWhole ? Math.max(1, Math.floor(counts[i]! / 2)) : 1;
    if (held < wanted) missing.push(i);
  }
  return missing;
}

/** Index of the first of the ascending times behind `atMs`. */
function firstAfter(times: Float64Array, atMs: number): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (times[middle]! <= atMs) low = middle + 1;
    else high = middle;
  }
  return low;
}

function liveTimes({ count, timestampsMs, values, histograms }: SeriesColumns): Float64Array {
  const words = wordsOf(values);
  const times = new Float64Array(count);
  let kept = 0;
  for (let i = 0; i < count; i++) {
    const isHistogram = histograms?.[i] != null;
    if (isHistogram || !isStaleAt(words, i)) times[kept++] = timestampsMs[i]!;
  }
  return times.subarray(0, kept);
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
