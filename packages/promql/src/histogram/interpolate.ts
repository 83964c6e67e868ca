import type { FloatHistogram } from '@pollux/model';
import { HistogramAccumulator } from './accumulator.ts';
import { scaleHistogram } from './arithmetic.ts';
import { isHistogramReset } from './reset.ts';

/**
 * The histogram a share of the way from one sample to the next. A counter that was reset in between starts from zero.
 * Null when the layouts can not be brought together.
 */
export function interpolateHistogram(
  before: FloatHistogram,
  after: FloatHistogram,
  share: number,
  isCounter: boolean,
): FloatHistogram | null {
  if (isCounter && isHistogramReset(after, before)) return scaleHistogram(after, share);
  const accumulator = new HistogramAccumulator(scaleHistogram(before, 1 - share));
  const { isIncompatible } = accumulator.add(scaleHistogram(after, share));
  return isIncompatible ? null : accumulator.finish(before.counterResetHint);
}
