import { changes, resets } from './changes.ts';
import {
  countOverTime,
  firstOverTime,
  lastOverTime,
  presentOverTime,
  timeOfFirst,
  timeOfLast,
} from './edges.ts';
import { maxOverTime, minOverTime, timeOfMax, timeOfMin } from './extremes.ts';
import { idelta, irate } from './instant-rate.ts';
import { delta, increase, rate } from './rate.ts';
import { deriv, predictLinear } from './regression.ts';
import { doubleExponentialSmoothing } from './smoothing.ts';
import { madOverTime, quantileOverTime, stddevOverTime, stdvarOverTime } from './spread.ts';
import { avgOverTime, sumOverTime } from './sum.ts';
import type { WindowKernel } from './window-set.ts';

/** The float kernels of functions over ranges, by function name. */
export const WINDOW_KERNELS: ReadonlyMap<string, WindowKernel> = new Map([
  ['avg_over_time', avgOverTime],
  ['changes', changes],
  ['count_over_time', countOverTime],
  ['delta', delta],
  ['deriv', deriv],
  ['double_exponential_smoothing', doubleExponentialSmoothing],
  ['first_over_time', firstOverTime],
  ['idelta', idelta],
  ['increase', increase],
  ['irate', irate],
  ['last_over_time', lastOverTime],
  ['mad_over_time', madOverTime],
  ['max_over_time', maxOverTime],
  ['min_over_time', minOverTime],
  ['predict_linear', predictLinear],
  ['present_over_time', presentOverTime],
  ['quantile_over_time', quantileOverTime],
  ['rate', rate],
  ['resets', resets],
  ['stddev_over_time', stddevOverTime],
  ['stdvar_over_time', stdvarOverTime],
  ['sum_over_time', sumOverTime],
  ['ts_of_first_over_time', timeOfFirst],
  ['ts_of_last_over_time', timeOfLast],
  ['ts_of_max_over_time', timeOfMax],
  ['ts_of_min_over_time', timeOfMin],
]);
