import { perWindow, type WindowKernel } from './window-set.ts';

/** double_exponential_smoothing (Holt-Winters without season); parameters: smoothing factor, trend factor. */
export const doubleExponentialSmoothing: WindowKernel = perWindow((windows, i, lo, hi) => {
  const { values, params } = windows;
  const smoothing = params[0]![i]!;
  const trendFactor = params[1]![i]!;
  let previous = 0;
  let level = values[lo]!;
  let trend = values[lo + 1]! - values[lo]!;
  for (let j = lo + 1; j < hi; j++) {
    const scaled = smoothing * values[j]!;
    // The first trend is taken as it is; later ones blend in the last change of level.
    if (j > lo + 1) trend = trendFactor * (level - previous) + (1 - trendFactor) * trend;
    const carried = (1 - smoothing) * (level + trend);
    previous = level;
    level = scaled + carried;
  }
  return level;
}, 2);
