import { type FloatHistogram, formatFloat } from '@pollux/model';
import { allBuckets } from './buckets.ts';

/** `{count:4, sum:10, [-0.5,0.5]:2, (0.5,1]:2}`, as Prometheus shows a histogram in text. */
export function histogramText(histogram: FloatHistogram): string {
  const parts = [`count:${formatFloat(histogram.count)}`, `sum:${formatFloat(histogram.sum)}`];
  // A zero bucket of less than nothing is told in text only.
  const shown =
    histogram.zeroCount < 0 ? { ...histogram, zeroCount: -histogram.zeroCount } : histogram;
  const { zeroThreshold } = histogram;
  for (const bucket of allBuckets(shown)) {
    if (bucket.count === 0) continue;
    const isZero = bucket.lower === -zeroThreshold && bucket.upper === zeroThreshold;
    const count = isZero ? histogram.zeroCount : bucket.count;
    const open = bucket.lowerInclusive ? '[' : '(';
    const close = bucket.upperInclusive ? ']' : ')';
    const bounds = `${formatFloat(bucket.lower)},${formatFloat(bucket.upper)}`;
    parts.push(`${open}${bounds}${close}:${formatFloat(count)}`);
  }
  return `{${parts.join(', ')}}`;
}
