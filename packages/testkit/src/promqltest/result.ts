import type { FloatHistogram, Labels } from '@pollux/model';
import type { Annotation } from '@pollux/storage';

/** Results as the engine under test gives them; a structural copy of the promql room's, which testkit may not import. */
export type TestVector = {
  readonly kind: 'vector';
  readonly labels: readonly Labels[];
  readonly values: Float64Array;
  readonly histograms: readonly (FloatHistogram | null)[] | null;
};
export type TestMatrix = {
  readonly kind: 'matrix';
  readonly series: readonly {
    readonly labels: Labels;
    readonly count: number;
    readonly timestampsMs: Float64Array;
    readonly values: Float64Array;
    readonly histograms: readonly (FloatHistogram | null)[] | null;
  }[];
};
export type TestResult =
  | TestVector
  | TestMatrix
  | { readonly kind: 'scalar'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string };
export type TestAnswer = {
  readonly result: TestResult;
  readonly annotations: readonly Annotation[];
};
