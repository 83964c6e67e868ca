import { splitNanos } from '../table.ts';
import type { Windows } from '../windows.ts';

/** Windows that follow each other without a gap, by number; times behind the last one's end belong to none. */
export type WindowGrid = {
  readonly count: number;
  /** First nanosecond of each window. */
  readonly starts: readonly bigint[];
  /** Where each window ends, excluded: milliseconds, and what is beyond them (null when they are whole everywhere). */
  readonly endsMs: Float64Array;
  readonly endsNanos: Int32Array | null;
};

/** One window that holds every time: statements without GROUP BY time. */
export function wholeTime(label: bigint): WindowGrid {
  const endsMs = Float64Array.of(Number.POSITIVE_INFINITY);
  return { count: 1, starts: [label], endsMs, endsNanos: null };
}

/** The windows from that of `first` to that of `last`; null when they are more than `limit`. */
export function windowGrid(
  windows: Windows,
  first: bigint,
  last: bigint,
  limit: number,
): WindowGrid | null {
  const end = windows.start(last);
  const starts: bigint[] = [];
  let at = windows.start(first);
  if ((end - at) / windows.interval > BigInt(limit) * 2n) return null;
  for (; at <= end; at = windows.next(at)) {
    if (starts.length === limit) return null;
    starts.push(at);
  }
  const endsMs = new Float64Array(starts.length);
  const endsNanos = new Int32Array(starts.length);
  let hasNanos = false;
  for (let i = 0; i < starts.length; i++) {
    const [ms, nanos] = splitNanos(starts[i + 1] ?? at);
    endsMs[i] = ms;
    endsNanos[i] = nanos;
    hasNanos ||= nanos !== 0;
  }
  return { count: starts.length, starts, endsMs, endsNanos: hasNanos ? endsNanos : null };
}
