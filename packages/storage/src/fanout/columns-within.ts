import type { SeriesColumns, TimeRange } from '../queryable.ts';

/**
 * Only the samples in the range, both ends included; the same object when that is all of them, else columns that share its memory. A server
 * may answer a remote read with whole chunks, of which the rest may be another's to answer.
 */
export function columnsWithin(columns: SeriesColumns, { minMs, maxMs }: TimeRange): SeriesColumns {
  const { timestampsMs, count, values, histograms, startTimestampsMs } = columns;
  let start = 0;
  let end = count;
  while (start < end && timestampsMs[start]! < minMs) start++;
  while (end > start && timestampsMs[end - 1]! > maxMs) end--;
  if (end - start === count) return columns;
  return {
    ...columns,
    count: end - start,
    timestampsMs: timestampsMs.subarray(start, end),
    values: values.subarray(start, end),
    histograms: histograms?.slice(start, end) ?? null,
    startTimestampsMs: startTimestampsMs?.subarray(start, end) ?? null,
  };
}

/** Index of the first sample at `timeMs` or later; the count of samples when there is none. */
export function firstSampleFrom(
  { timestampsMs, count }: Pick<SeriesColumns, 'timestampsMs' | 'count'>,
  timeMs: number,
): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (timestampsMs[middle]! < timeMs) low = middle + 1;
    else high = middle;
  }
  return low;
}
