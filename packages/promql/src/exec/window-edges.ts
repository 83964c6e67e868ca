import type { WindowSet } from '../functions/window/window-set.ts';

/**
 * Where the windows of each series of an operator begin and end, batch of steps after batch. Both edges only move forward, and
 * with regular samples by as many at each step as at the one before: that is tried first, so that an edge costs a look at two
 * samples and not one at each that it passes.
 */
export class WindowEdges {
  /** Where the last batch left the edges: lo, hi per series. */
  #edges = new Int32Array(0);

  /** Stands before the first step of `seriesCount` series. */
  begin(seriesCount: number): void {
    const size = seriesCount * 2;
    if (this.#edges.length < size) this.#edges = new Int32Array(size);
    else this.#edges.fill(0, 0, size);
  }

  /** The end of the last window of series `s` so far; 0 before the first. */
  endOf(s: number): number {
    return this.#edges[s * 2 + 1]!;
  }

  /**
   * Sets `lo` and `hi` of the windows over the first `count` samples of `windows.timestampsMs`, which are those of series `s`.
   * Returns how many samples the widest holds.
   */
  place(windows: WindowSet, s: number, count: number): number {
    const { timestampsMs, lo, hi, startMs, endMs } = windows;
    const edges = this.#edges;
    let left = edges[s * 2]!;
    let right = edges[s * 2 + 1]!;
    let leftStride = 0;
    let rightStride = 0;
    let widest = 0;
    for (let i = 0; i < windows.count; i++) {
      const end = endMs[i]!;
      let next = right + rightStride;
      if (next > count || (next > right && timestampsMs[next - 1]! > end)) next = right;
      while (next < count && timestampsMs[next]! <= end) next++;
      rightStride = next - right;
      right = next;

      const start = startMs[i]!;
      next = left + leftStride;
      if (next > right || (next > left && timestampsMs[next - 1]! > start)) next = left;
      while (next < right && timestampsMs[next]! <= start) next++;
      leftStride = next - left;
      left = next;

      lo[i] = left;
      hi[i] = right;
      if (right - left > widest) widest = right - left;
    }
    edges[s * 2] = left;
    edges[s * 2 + 1] = right;
    return widest;
  }
}
