import type { FloatHistogram } from '@pollux/model';

/**
 * A histogram that follows one of another source: what its hint said was of its neighbour there, so nothing is known now, as in
 * Prometheus. Gauges stay gauges.
 */
export function afterSeam(histogram: FloatHistogram | null): FloatHistogram | null {
  const hint = histogram?.counterResetHint;
  if (histogram === null || hint === 'gauge' || hint === 'unknown') return histogram;
  return { ...histogram, counterResetHint: 'unknown' };
}
