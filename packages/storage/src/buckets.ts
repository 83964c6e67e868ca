/** What is kept of the samples of a bucket beside its last one; times in ms. */
export type BucketColumn =
  | 'counts'
  | 'sums'
  | 'mins'
  | 'maxs'
  | 'firstTimesMs'
  | 'firstValues'
  | 'resets';

/**
 * Samples gathered into buckets (t − resolution, t], stale markers left out, as columns beside the last sample of each
 * bucket, which the `timestampsMs` and `values` of their SeriesColumns hold. Columns that the function has no need of are
 * empty. `mins` and `maxs` are NaN only where all values are; `resets` is what counter resets inside the bucket hid: the
 * sum of the values before them.
 */
export type BucketColumns = { readonly resolutionMs: number } & {
  readonly [column in BucketColumn]: Float64Array;
};

/** The functions over ranges that buckets answer when every window edge is a bucket edge, and what they need. */
export const BUCKET_FUNCTIONS: ReadonlyMap<string, readonly BucketColumn[]> = new Map([
  ['avg_over_time', ['counts', 'sums']],
  ['count_over_time', ['counts']],
  ['delta', ['counts', 'firstTimesMs', 'firstValues']],
  ['increase', ['counts', 'firstTimesMs', 'firstValues', 'resets']],
  ['last_over_time', []],
  ['max_over_time', ['maxs']],
  ['min_over_time', ['mins']],
  ['present_over_time', []],
  ['rate', ['counts', 'firstTimesMs', 'firstValues', 'resets']],
  ['sum_over_time', ['sums']],
]);

/** What the caller does with the samples: see each of them, or a function of {@link BUCKET_FUNCTIONS} over windows. */
export type SampleNeed =
  | { readonly kind: 'samples' }
  | {
      readonly kind: 'windows';
      readonly func: string;
      /** The windows (end − range, end] for end = firstEndMs, firstEndMs + stepMs … lastEndMs. */
      readonly firstEndMs: number;
      readonly lastEndMs: number;
      readonly stepMs: number;
      readonly rangeMs: number;
    };
