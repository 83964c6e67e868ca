/**
 * What one function has found in each window so far, window by window. Which arrays are used, and for what, is up to the kernel;
 * `counts` is 0 where no value was seen, and then nothing else counts.
 */
export type Lanes = {
  readonly counts: Float64Array;
  /** Floats, or whole numbers as int64 by way of `words` and `integers`: the same memory. */
  readonly values: Float64Array;
  readonly words: Uint32Array;
  readonly integers: BigInt64Array;
  /** Where `values` were found: milliseconds and the rest. */
  readonly timesMs: Float64Array;
  readonly nanos: Int32Array;
  /** A second value, of the same type. */
  readonly others: Float64Array;
  readonly otherWords: Uint32Array;
  readonly otherIntegers: BigInt64Array;
  /** Windows that may have been touched since the last reset: [low, high). */
  low: number;
  high: number;
};

export function createLanes(windows: number): Lanes {
  const values = new ArrayBuffer(windows * 8);
  const others = new ArrayBuffer(windows * 8);
  return {
    counts: new Float64Array(windows),
    values: new Float64Array(values),
    words: new Uint32Array(values),
    integers: new BigInt64Array(values),
    timesMs: new Float64Array(windows),
    nanos: new Int32Array(windows),
    others: new Float64Array(others),
    otherWords: new Uint32Array(others),
    otherIntegers: new BigInt64Array(others),
    low: windows,
    high: 0,
  };
}

/** Forgets what was found, at a cost of the windows touched. */
export function resetLanes(lanes: Lanes): void {
  if (lanes.low < lanes.high) lanes.counts.fill(0, lanes.low, lanes.high);
  lanes.low = lanes.counts.length;
  lanes.high = 0;
}
