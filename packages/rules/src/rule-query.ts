import type { StopSignal } from '@pollux/base';
import type { FloatHistogram, Labels } from '@pollux/model';
import type { Annotation } from '@pollux/storage';

/** The answer to a rule's expression as columns: element i has `labels[i]` and `values[i]`, or `histograms[i]` if not null. */
export type RuleVector = {
  readonly labels: readonly Labels[];
  /** NaN payloads are kept by bits. */
  readonly values: Float64Array;
  readonly histograms: readonly (FloatHistogram | null)[] | null;
  readonly annotations: readonly Annotation[];
};

/** The group on whose behalf is asked, for who lists and logs queries. */
export type RuleGroupName = { readonly file: string; readonly name: string };

/**
 * Evaluates an expression at one instant. A scalar is one element without labels. Rejects with an OperatingError when the
 * expression gives a string or a range, at limits, and when `signal` aborts. Its own time-out bounds the wait.
 */
export interface RuleQuery {
  instant(
    expression: string,
    atMs: number,
    signal: StopSignal,
    group?: RuleGroupName,
  ): Promise<RuleVector>;
}
