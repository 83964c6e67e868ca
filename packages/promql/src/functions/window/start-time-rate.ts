import type { FloatHistogram } from '@pollux/model';
import { histogramRate } from './histogram-rate.ts';
import type { MixedInput } from './mixed.ts';

/** rate and increase where samples tell when their counter started. */
export function rateWithStartTimes(input: MixedInput): number | FloatHistogram | null {
  return histogramRate(input);
}
