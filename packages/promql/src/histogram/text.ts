import { type FloatHistogram, formatFloat } from '@pollux/model';
import { allBuckets } from './buckets.ts';

/** `{count:4, sum:10, [-0.5,0.5]:2, (0.5,1]:2}`, as Prometheus shows a histogram in text. */
export function histogramText(histogram: FloatHistogram): string {
  const parts = [`count:${formatFloat(histogram.count)}`, `sum:${formatFloat(histogram.sum)}`];
  for (const bucket of allBuckets(histogram)) {
    if (bucket.count === 0) continue;
    const open = bucket.lowerInclusive ? '[' : '(';
    const close = bucket.upperInclusive ? ']' : ')';
    const bounds = `${formatFloat(bucket.lower)},${formatFloat(bucket.upper)}`;
    parts.push(`${open}${bounds}${close}:${formatFloat(bucket.count)}`);
  }
  return `{${parts.join(', ')}}`;
}
