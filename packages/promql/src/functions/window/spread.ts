import { neumaier } from './sum.ts';
import { perWindow, type WindowKernel } from './window-set.ts';

/** stdvar_over_time for floats. */
export const stdvarOverTime: WindowKernel = perWindow(
  (windows, _, lo, hi) => variance(windows.values, lo, hi),
  1,
);

/** stddev_over_time for floats. */
export const stddevOverTime: WindowKernel = perWindow(
  (windows, _, lo, hi) => Math.sqrt(variance(windows.values, lo, hi)),
  1,
);

/** quantile_over_time for floats; the parameter is the quantile. */
export const quantileOverTime: WindowKernel = perWindow(
  (windows, i, lo, hi) =>
    quantileOfSorted(windows.params[0]![i]!, sortedNanFirst(windows.values, lo, hi)),
  1,
);

/** mad_over_time: the median of distances to the median; NaN when any value is NaN. */
export const madOverTime: WindowKernel = perWindow((windows, _, lo, hi) => {
  const { values } = windows;
  for (let j = lo; j < hi; j++) if (Number.isNaN(values[j])) return Number.NaN;
  const sorted = sortedNanFirst(values, lo, hi);
  const median = quantileOfSorted(0.5, sorted);
  for (let j = 0; j < sorted.length; j++) sorted[j] = Math.abs(sorted[j]! - median);
  return quantileOfSorted(0.5, sorted.sort());
}, 1);

/** Welford's population variance with compensated mean and sum of squares. */
export function variance(values: Float64Array, lo: number, hi: number): number {
  let count = 0;
  let mean = 0;
  let cMean = 0;
  let squares = 0;
  let cSquares = 0;
  for (let j = lo; j < hi; j++) {
    const value = values[j]!;
    count++;
    const delta = value - (mean + cMean);
    const step = delta / count;
    let next = mean + step;
    cMean += neumaier(mean, step, next);
    mean = next;
    const term = delta * (value - (mean + cMean));
    next = squares + term;
    cSquares += neumaier(squares, term, next);
    squares = next;
  }
  return (squares + cSquares) / count;
}

/** A sorted copy; NaN counts as the lowest value. */
export function sortedNanFirst(values: Float64Array, lo: number, hi: number): Float64Array {
  const copy = values.slice(lo, hi);
  let nans = 0;
  for (let j = 0; j < copy.length; j++) if (Number.isNaN(copy[j])) nans++;
  copy.sort();
  // Typed arrays sort NaN to the end; it belongs to the front.
  if (nans > 0) {
    copy.copyWithin(nans, 0, copy.length - nans);
    copy.fill(Number.NaN, 0, nans);
  }
  return copy;
}

/** Linear interpolation between ranks; outside [0, 1] it is infinite, NaN gives NaN. */
export function quantileOfSorted(q: number, sorted: Float64Array): number {
  if (sorted.length === 0 || Number.isNaN(q)) return Number.NaN;
  if (q < 0) return Number.NEGATIVE_INFINITY;
  if (q > 1) return Number.POSITIVE_INFINITY;
  const n = sorted.length;
  const rank = q * (n - 1);
  const lower = Math.max(0, Math.floor(rank));
  const upper = Math.min(n - 1, lower + 1);
  const weight = rank - Math.floor(rank);
  return sorted[lower]! * (1 - weight) + sorted[upper]! * weight;
}
