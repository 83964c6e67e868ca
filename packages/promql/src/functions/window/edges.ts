import { perWindow, type WindowKernel } from './window-set.ts';

/** count_over_time. */
export const countOverTime: WindowKernel = perWindow((_, __, lo, hi) => hi - lo, 1);

/** present_over_time. */
export const presentOverTime: WindowKernel = perWindow(() => 1, 1);

/** first_over_time for floats. */
export const firstOverTime: WindowKernel = perWindow((windows, _, lo) => windows.values[lo]!, 1);

/** last_over_time for floats. */
export const lastOverTime: WindowKernel = perWindow(
  (windows, _, __, hi) => windows.values[hi - 1]!,
  1,
);

/** ts_of_first_over_time, seconds. */
export const timeOfFirst: WindowKernel = perWindow(
  (windows, _, lo) => windows.timestampsMs[lo]! / 1000,
  1,
);

/** ts_of_last_over_time, seconds. */
export const timeOfLast: WindowKernel = perWindow(
  (windows, _, __, hi) => windows.timestampsMs[hi - 1]! / 1000,
  1,
);
