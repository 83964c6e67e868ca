import type { FloatHistogram, Labels } from '@pollux/model';
import type { RuleQuery } from './rule-query.ts';

export type EvaluationInput = {
  readonly query: RuleQuery;
  /** The schedule's instant. */
  readonly atMs: number;
  /** The instant that expressions see and samples carry: `atMs` less the query offset. */
  readonly queryAtMs: number;
  /** 0 for none. */
  readonly limit: number;
  readonly externalLabels: Labels;
  readonly externalUrl: string;
  readonly signal: AbortSignal;
  /** Told after each expansion of a template; `fault` is null when it went well. */
  readonly onExpansion: (fault: string | null) => void;
};

/** Samples to write, all at `queryAtMs`; columns as in RuleVector. */
export type RuleSamples = {
  readonly labels: readonly Labels[];
  readonly values: Float64Array;
  readonly histograms: readonly (FloatHistogram | null)[] | null;
};
