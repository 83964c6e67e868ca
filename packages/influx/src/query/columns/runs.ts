import type { ColumnData } from '@pollux/storage';
import type { WindowGrid } from './window-grid.ts';

/** Rows of a column looked at in one go. */
export const MAX_RUN_ROWS = 65_536;

/**
 * Rows of a column cut where windows end: run `i` is the rows `[starts[i], starts[i + 1])`, all of them of window `windows[i]`.
 * Made once for all that is computed of the column.
 */
export type Runs = {
  count: number;
  readonly starts: Int32Array;
  readonly windows: Int32Array;
};

export function createRuns(): Runs {
  return {
    count: 0,
    starts: new Int32Array(MAX_RUN_ROWS + 1),
    windows: new Int32Array(MAX_RUN_ROWS),
  };
}

/**
 * Cuts rows [from, to), at most {@link MAX_RUN_ROWS}, none of them before the grid's first window; what lies behind its last one is
 * left out. `window` is one that the row at `from` does not lie before. Gives the window of the last run, for the rows that follow.
 */
export function cutRuns(
  runs: Runs,
  data: ColumnData,
  from: number,
  to: number,
  grid: WindowGrid,
  window: number,
): number {
  const { timesMs, nanos } = data;
  const { starts, windows } = runs;
  const { endsMs, endsNanos } = grid;
  let at = window;
  let count = 0;
  let row = from;
  while (row < to) {
    at = windowOf(grid, at, timesMs[row]!, nanos === null ? 0 : nanos[row]!);
    if (at === grid.count) break;
    starts[count] = row;
    windows[count] = at;
    count++;
    row++;
    const endMs = endsMs[at]!;
    const endNanos = endsNanos === null ? 0 : endsNanos[at]!;
    if (nanos === null) {
      const end = endNanos > 0 ? endMs + 1 : endMs;
      while (row < to && timesMs[row]! < end) row++;
    } else {
      while (
        row < to &&
        (timesMs[row]! < endMs || (timesMs[row]! === endMs && nanos[row]! < endNanos))
      )
        row++;
    }
  }
  starts[count] = row;
  runs.count = count;
  return Math.min(at, grid.count - 1);
}

/** The first window at or behind `from` that ends behind the time; the grid's count when there is none. */
function windowOf(grid: WindowGrid, from: number, ms: number, nanos: number): number {
  if (isInside(grid, from, ms, nanos)) return from;
  // Mostly the next one.
  if (from + 1 < grid.count && isInside(grid, from + 1, ms, nanos)) return from + 1;
  let low = from + 1;
  let high = grid.count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isInside(grid, middle, ms, nanos)) high = middle;
    else low = middle + 1;
  }
  return low;
}

function isInside(grid: WindowGrid, window: number, ms: number, nanos: number): boolean {
  const endMs = grid.endsMs[window]!;
  if (ms !== endMs) return ms < endMs;
  return grid.endsNanos !== null && nanos < grid.endsNanos[window]!;
}
