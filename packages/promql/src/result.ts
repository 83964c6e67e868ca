import type { FloatHistogram, Labels } from '@pollux/model';
import type { Annotation } from '@pollux/storage';

/** One value per series at one time, in the query's order. Where `histograms[i]` is not null the value is that histogram. */
export type InstantVector = {
  readonly kind: 'vector';
  readonly timestampMs: number;
  readonly labels: readonly Labels[];
  readonly values: Float64Array;
  readonly histograms: readonly (FloatHistogram | null)[] | null;
};

/** One series of a matrix; arrays may be longer than `count`. */
export type MatrixSeries = {
  readonly labels: Labels;
  readonly count: number;
  readonly timestampsMs: Float64Array;
  readonly values: Float64Array;
  readonly histograms: readonly (FloatHistogram | null)[] | null;
};

/** Samples over time, series sorted by labels. */
export type RangeMatrix = { readonly kind: 'matrix'; readonly series: readonly MatrixSeries[] };

export type Scalar = {
  readonly kind: 'scalar';
  readonly timestampMs: number;
  readonly value: number;
};

export type Str = {
  readonly kind: 'string';
  readonly timestampMs: number;
  readonly value: string;
};

export type QueryResult = InstantVector | RangeMatrix | Scalar | Str;

/** Figures of one query, under the names of the API's `stats`. */
export type QueryStats = {
  readonly queueMs: number;
  readonly prepareMs: number;
  readonly evalMs: number;
  /** Samples of all windows, as often as they overlap. */
  readonly totalQueryableSamples: number;
  /** Samples that had to be read for them. */
  readonly samplesRead: number;
  readonly peakSamples: number;
  /** Where they were asked for and `promql-per-step-stats` is on. */
  readonly perStep: StepStats | null;
};

/** Step i is at `startMs + i * stepMs`. */
export type StepStats = {
  readonly startMs: number;
  readonly stepMs: number;
  readonly queryable: Float64Array;
  readonly read: Float64Array;
};

export type QueryAnswer<R extends QueryResult = QueryResult> = {
  readonly result: R;
  readonly annotations: readonly Annotation[];
  readonly stats: QueryStats;
};

/** An answer as JSON: `{"resultType":…,"result":…}`. */
export type EncodedAnswer = {
  /** All of it, in pieces; or it comes in parts, without the closing brace, and must be taken or given up. */
  readonly body:
    | { readonly kind: 'whole'; readonly pieces: readonly Uint8Array[] }
    | { readonly kind: 'parts'; readonly parts: AsyncIterable<Uint8Array> };
  /** True when the limit on series has cut it. */
  readonly isTruncated: boolean;
  readonly annotations: readonly Annotation[];
  readonly stats: QueryStats;
};
