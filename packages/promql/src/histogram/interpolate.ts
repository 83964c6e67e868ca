import type { CounterResetHint, FloatHistogram } from '@pollux/model';
import { HistogramAccumulator } from './accumulator.ts';
import { scaleHistogram } from './arithmetic.ts';
import { isHistogramReset } from './reset.ts';

/** Told of an operation that had to bring custom bounds of two histograms together. */
export type NoteReconciled = (operation: 'addition' | 'subtraction') => void;

/**
 * The histogram a share of the way from one sample to the next. A counter that was reset in between starts from zero.
 * Null when the layouts can not be brought together.
 */
export function interpolateHistogram(
  before: FloatHistogram,
  after: FloatHistogram,
  how: { readonly share: number; readonly isCounter: boolean; readonly note: NoteReconciled },
): FloatHistogram | null {
  const { share, isCounter, note } = how;
  if (share === 0 || share === 1) return share === 0 ? before : after;
  if (isCounter && isHistogramReset(after, before)) return scaleHistogram(after, share);
  const accumulator = new HistogramAccumulator(after);
  const difference = accumulator.subtract(before);
  if (difference.isIncompatible) return null;
  if (difference.isReconciled) note('subtraction');
  if (accumulator.scale(share).add(before).isReconciled) note('addition');
  return accumulator.finish(commonHint(before.counterResetHint, after.counterResetHint));
}

function commonHint(a: CounterResetHint, b: CounterResetHint): CounterResetHint {
  if (a === b) return a;
  return a === 'gauge' || b === 'gauge' ? 'gauge' : 'unknown';
}
