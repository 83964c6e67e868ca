/** The first of the ascending `times[start, end)` that is not before `timeMs`, or `end`. */
export function firstNotBefore(
  times: Float64Array,
  start: number,
  end: number,
  timeMs: number,
): number {
  let low = start;
  let high = end;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (times[middle]! < timeMs) low = middle + 1;
    else high = middle;
  }
  return low;
}
