import { defined } from '@pollux/base';
import type { FloatHistogram } from '@pollux/model';
import { afterSeam } from '../after-seam.ts';
import type { SeriesColumns } from '../queryable.ts';

/**
 * One series out of several answers for it, by time; of samples at one time the earlier argument's stays. Values move as
 * 32-bit words. The labels and replica are those of the first.
 */
export function mergeColumns(parts: readonly SeriesColumns[]): SeriesColumns {
  const withSamples = parts.filter(({ count }) => count > 0);
  let merged = withSamples[0] ?? defined(parts[0], 'a part to merge');
  for (const next of withSamples.slice(1)) merged = mergeTwo(merged, next);
  return merged;
}

function mergeTwo(a: SeriesColumns, b: SeriesColumns): SeriesColumns {
  const capacity = a.count + b.count;
  const timestampsMs = new Float64Array(capacity);
  const words = new Uint32Array(capacity * 2);
  const hasHistograms = a.histograms !== null || b.histograms !== null;
  const histograms: (FloatHistogram | null)[] = [];
  const hasStarts = a.startTimestampsMs !== null || b.startTimestampsMs !== null;
  const starts = hasStarts ? new Float64Array(capacity) : null;
  const wordsA = wordsOf(a);
  const wordsB = wordsOf(b);
  let i = 0;
  let j = 0;
  let to = 0;
  let previous: SeriesColumns | null = null;
  while (i < a.count || j < b.count) {
    const timeA = i < a.count ? a.timestampsMs[i]! : Number.POSITIVE_INFINITY;
    const timeB = j < b.count ? b.timestampsMs[j]! : Number.POSITIVE_INFINITY;
    const takesA = timeA <= timeB;
    const from = takesA ? a : b;
    const source = takesA ? wordsA : wordsB;
    const index = takesA ? i : j;
    timestampsMs[to] = from.timestampsMs[index]!;
    words[to * 2] = source[index * 2]!;
    words[to * 2 + 1] = source[index * 2 + 1]!;
    if (hasHistograms) {
      const histogram = from.histograms?.[index] ?? null;
      histograms.push(previous === null || previous === from ? histogram : afterSeam(histogram));
    }
    previous = from;
    if (starts !== null) starts[to] = from.startTimestampsMs?.[index] ?? 0;
    to++;
    if (takesA) i++;
    if (timeB <= timeA) j++;
  }
  return {
    labels: a.labels,
    count: to,
    timestampsMs,
    values: new Float64Array(words.buffer),
    histograms: hasHistograms ? histograms : null,
    startTimestampsMs: starts,
    replica: a.replica === b.replica ? a.replica : '',
  };
}

function wordsOf({ values }: SeriesColumns): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.length * 2);
}
