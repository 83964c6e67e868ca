/**
 * The windows of one series over a run of steps. Window i holds the samples [lo[i], hi[i]) and covers the times
 * (startMs[i], endMs[i]], all of one length; both bounds never go back from step to step, so every kernel is one pass with moving pointers.
 *
 *   samples   0 1 2 3 4 5 6 7 8 9
 *   step 0      [-------)
 *   step 1          [-------)
 *   step 2              [-----)
 */
export type WindowSet = {
  timestampsMs: Float64Array;
  values: Float64Array;
  readonly lo: Int32Array;
  readonly hi: Int32Array;
  readonly startMs: Float64Array;
  readonly endMs: Float64Array;
  /** The times the steps are evaluated for; equal to endMs without offset and @. */
  readonly evalMs: Float64Array;
  /** Number of windows. */
  count: number;
  /** Scalar arguments, one value a step. */
  readonly params: readonly Float64Array[];
};

/**
 * Computes a function over all windows of a set: result i goes to `out[base + i]`, and `kinds[base + i]` becomes 1. A
 * window that has no result is left alone.
 */
export type WindowKernel = (
  windows: WindowSet,
  out: Float64Array,
  kinds: Uint8Array,
  base: number,
) => void;

/** A kernel for functions that look at one window at a time. */
export function perWindow(
  compute: (windows: WindowSet, index: number, lo: number, hi: number) => number,
  leastSamples: number,
): WindowKernel {
  return (windows, out, kinds, base) => {
    const { lo, hi, count } = windows;
    for (let i = 0; i < count; i++) {
      if (hi[i]! - lo[i]! < leastSamples) continue;
      out[base + i] = compute(windows, i, lo[i]!, hi[i]!);
      kinds[base + i] = 1;
    }
  };
}

/** True when windows share so many samples that rescanning each costs more than keeping a running state. */
export function overlapsMuch(windows: WindowSet): boolean {
  const { lo, hi, count } = windows;
  if (count < 4) return false;
  let scanned = 0;
  for (let i = 0; i < count; i++) scanned += hi[i]! - lo[i]!;
  return scanned > 3 * (hi[count - 1]! - lo[0]!);
}
