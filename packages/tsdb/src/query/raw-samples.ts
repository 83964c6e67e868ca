import type { TimedHistogram } from './histogram-run.ts';

/**
 * Samples of a batch of series as the thread that decodes them gets them: what {@link SampleTarget} was told of each series, in
 * the order in which it was told. `steps` is read from left to right, with `numbers`, `bytes` and `histograms` beside it:
 *
 *     series: | number of steps | step … |
 *     chunk:      | 0 | encoding | offset in bytes | length | hidden | source | deletions | ─ numbers: | reference | min, max … |
 *     samples:    | 1 | count |                                                           ─ numbers: | timestamps | values |
 *     samples with start timestamps: | 3 | count |       ─ numbers: | timestamps | values | start timestamps |
 *     histograms: | 2 | count |                                                           ─ histograms: | each |
 *
 * A source is 0 for the head, else 1 + its place in `blocks`. The three columns lie in one buffer of shared memory, lent until the
 * batch is given back.
 */
export type RawSamples = {
  readonly steps: Uint32Array;
  /** Values are copied as bits. */
  readonly numbers: Float64Array;
  readonly bytes: Uint8Array;
  readonly histograms: readonly TimedHistogram[];
  readonly blocks: readonly { readonly ulid: string; readonly directory: string }[];
};

export const STEP_CHUNK = 0;
export const STEP_SAMPLES = 1;
export const STEP_HISTOGRAMS = 2;
export const STEP_SAMPLES_WITH_START = 3;
/** Decoders may look this far behind a chunk. */
export const PADDING_BYTES = 16;
