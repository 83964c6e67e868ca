import { neumaier } from './sum.ts';
import { perWindow, type WindowKernel } from './window-set.ts';

/** deriv: slope per second of the least-squares line. */
export const deriv: WindowKernel = perWindow((windows, _, lo, hi) => {
  const { timestampsMs, values } = windows;
  return linearRegression(timestampsMs, values, lo, hi, timestampsMs[lo]!).slope;
}, 2);

/** predict_linear: the line's value so many seconds after the evaluation time. */
export const predictLinear: WindowKernel = perWindow((windows, i, lo, hi) => {
  const { timestampsMs, values, params, evalMs } = windows;
  const line = linearRegression(timestampsMs, values, lo, hi, evalMs[i]!);
  return line.slope * params[0]![i]! + line.intercept;
}, 2);

/** Least squares with compensated sums; x is seconds since `originMs`. A constant series has slope 0 exactly. */
export function linearRegression(
  timestampsMs: Float64Array,
  values: Float64Array,
  lo: number,
  hi: number,
  originMs: number,
): { readonly slope: number; readonly intercept: number } {
  const n = hi - lo;
  const initial = values[lo]!;
  let isConstant = true;
  let sumX = 0;
  let sumY = 0;
  let sumXY = 0;
  let sumX2 = 0;
  let cX = 0;
  let cY = 0;
  let cXY = 0;
  let cX2 = 0;
  for (let j = lo; j < hi; j++) {
    const y = values[j]!;
    if (isConstant && j > lo && y !== initial) isConstant = false;
    const x = (timestampsMs[j]! - originMs) / 1000;
    let next = sumX + x;
    cX += neumaier(sumX, x, next);
    sumX = next;
    next = sumY + y;
    cY += neumaier(sumY, y, next);
    sumY = next;
    next = sumXY + x * y;
    cXY += neumaier(sumXY, x * y, next);
    sumXY = next;
    next = sumX2 + x * x;
    cX2 += neumaier(sumX2, x * x, next);
    sumX2 = next;
  }
  if (isConstant) {
    return Number.isFinite(initial)
      ? { slope: 0, intercept: initial }
      : { slope: Number.NaN, intercept: Number.NaN };
  }
  sumX += cX;
  sumY += cY;
  sumXY += cXY;
  sumX2 += cX2;
  const covariance = sumXY - (sumX * sumY) / n;
  const variance = sumX2 - (sumX * sumX) / n;
  const slope = covariance / variance;
  return { slope, intercept: sumY / n - (slope * sumX) / n };
}
