import { type FloatHistogram, wordsOf } from '@pollux/model';
import { afterSeam, firstSampleFrom, type SeriesColumns } from '@pollux/storage';
import type { Segment } from './segments.ts';

/** Samples [start, end) of one replica's columns. */
type Run = { readonly from: SeriesColumns; readonly start: number; readonly end: number };

/** One series of the samples that each replica has in its segments; null when there are none. */
export function cutToSegments(
  copies: ReadonlyMap<number | undefined, SeriesColumns>,
  segments: readonly Segment[],
): SeriesColumns | null {
  const runs: Run[] = [];
  let count = 0;
  for (const { replica, startMs, endMs } of segments) {
    const from = copies.get(replica);
    if (from === undefined) continue;
    const start = firstSampleFrom(from, startMs);
    const end = firstSampleFrom(from, endMs);
    if (start === end) continue;
    runs.push({ from, start, end });
    count += end - start;
  }
  const [only] = runs;
  if (only === undefined) return null;
  if (runs.length === 1) return sliced(only);
  const timestampsMs = new Float64Array(count);
  const words = new Uint32Array(count * 2);
  const hasHistograms = runs.some(({ from }) => from.histograms !== null);
  const histograms: (FloatHistogram | null)[] = [];
  let to = 0;
  for (const [index, { from, start, end }] of runs.entries()) {
    timestampsMs.set(from.timestampsMs.subarray(start, end), to);
    // As words, so that payloads of NaN stay.
    words.set(wordsOf(from.values).subarray(start * 2, end * 2), to * 2);
    if (hasHistograms) {
      for (let i = start; i < end; i++) {
        const histogram = from.histograms?.[i] ?? null;
        histograms.push(index > 0 && i === start ? afterSeam(histogram) : histogram);
      }
    }
    to += end - start;
  }
  return {
    labels: only.from.labels,
    count,
    timestampsMs,
    values: new Float64Array(words.buffer),
    histograms: hasHistograms ? histograms : null,
    startTimestampsMs: null,
    replica: '',
  };
}

function sliced({ from, start, end }: Run): SeriesColumns {
  if (start === 0 && end === from.count) return from;
  return {
    ...from,
    count: end - start,
    timestampsMs: from.timestampsMs.subarray(start, end),
    values: from.values.subarray(start, end),
    histograms: from.histograms?.slice(start, end) ?? null,
    startTimestampsMs: from.startTimestampsMs?.subarray(start, end) ?? null,
  };
}
