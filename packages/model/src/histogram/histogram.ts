/** A run of consecutive buckets: `offset` buckets after the end of the run before (or from 0), then `length` buckets. */
export type Span = { readonly offset: number; readonly length: number };

export type CounterResetHint = 'unknown' | 'reset' | 'not-reset' | 'gauge';

/** Custom bucket bounds instead of exponential ones (NHCB). */
export const CUSTOM_BUCKETS_SCHEMA = -53;

/**
 * A native histogram with float counts. `schema` −4..8 is exponential (bounds 2^(i·2^−schema)), −53 has the bounds in
 * `customValues`. Bucket arrays hold absolute counts, one per bucket of the spans. A stale marker is a histogram whose
 * `isStale` is set; its other fields mean nothing.
 */
export type FloatHistogram = {
  readonly counterResetHint: CounterResetHint;
  readonly schema: number;
  readonly zeroThreshold: number;
  readonly zeroCount: number;
  readonly count: number;
  readonly sum: number;
  readonly positiveSpans: readonly Span[];
  readonly negativeSpans: readonly Span[];
  readonly positiveBuckets: Float64Array;
  readonly negativeBuckets: Float64Array;
  readonly customValues: Float64Array | null;
  /** True when it came as an integer histogram; only encoders look at it. */
  readonly isInteger: boolean;
  readonly isStale: boolean;
};
