import { perWindow, type WindowKernel } from './window-set.ts';

/** irate: the last two samples, per second; a reset counts from zero. */
export const irate: WindowKernel = perWindow((windows, _, __, hi) => {
  const { values, timestampsMs } = windows;
  const last = values[hi - 1]!;
  const previous = values[hi - 2]!;
  const seconds = (timestampsMs[hi - 1]! - timestampsMs[hi - 2]!) / 1000;
  return (last < previous ? last : last - previous) / seconds;
}, 2);

/** idelta: the difference of the last two samples. */
export const idelta: WindowKernel = perWindow(
  (windows, _, __, hi) => windows.values[hi - 1]! - windows.values[hi - 2]!,
  2,
);
