/** Seconds since 1970 with up to three decimals, and the value as text (`NaN`, `+Inf`, `-Inf` included). */
export type WireSample = readonly [seconds: number, value: string];

/** Boundaries rule: 0 open left, 1 open right, 2 open both, 3 closed both. */
export type WireBucket = readonly [
  rule: 0 | 1 | 2 | 3,
  lower: string,
  upper: string,
  count: string,
];

export type WireHistogram = {
  readonly count: string;
  readonly sum: string;
  readonly buckets?: readonly WireBucket[];
};

export type WireHistogramSample = readonly [seconds: number, histogram: WireHistogram];

export type WireLabels = Readonly<Record<string, string>>;

export type VectorElement = {
  readonly metric: WireLabels;
  readonly value?: WireSample;
  readonly histogram?: WireHistogramSample;
};

export type MatrixElement = {
  readonly metric: WireLabels;
  readonly values?: readonly WireSample[];
  readonly histograms?: readonly WireHistogramSample[];
};

/** `data` of /api/v1/query and /api/v1/query_range. */
export type QueryData = (
  | { readonly resultType: 'vector'; readonly result: readonly VectorElement[] }
  | { readonly resultType: 'matrix'; readonly result: readonly MatrixElement[] }
  | { readonly resultType: 'scalar' | 'string'; readonly result: WireSample }
) & { readonly stats?: QueryStats };

export type QueryStats = {
  readonly timings: {
    readonly evalTotalTime: number;
    readonly resultSortTime: number;
    readonly queryPreparationTime: number;
    readonly innerEvalTime: number;
    readonly execQueueTime: number;
    readonly execTotalTime: number;
  };
  readonly samples?: {
    readonly totalQueryableSamples: number;
    readonly peakSamples: number;
    readonly totalQueryableSamplesPerStep?: readonly (readonly [number, number])[];
  };
};

/** `data` of /api/v1/query_exemplars. */
export type WireExemplarSeries = {
  readonly seriesLabels: WireLabels;
  readonly exemplars: readonly {
    readonly labels: WireLabels;
    readonly value: string;
    readonly timestamp: number;
  }[];
};

/** A value's text as a number; `NaN`, `+Inf` and `-Inf` included. */
export function parseSampleValue(text: string): number {
  if (text === '+Inf') return Number.POSITIVE_INFINITY;
  if (text === '-Inf') return Number.NEGATIVE_INFINITY;
  return Number(text);
}
