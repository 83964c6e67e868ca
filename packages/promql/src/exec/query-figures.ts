import type { QueryTimes } from '../parser/duration-expr.ts';
import type { QueryStats } from '../result.ts';
import type { ExecContext } from './context.ts';
import { sum } from './query-counts.ts';

/** What a query took, whichever thread ran it. */
export type QueryFigures = Pick<
  QueryStats,
  'totalQueryableSamples' | 'samplesRead' | 'peakSamples' | 'perStep'
>;

export const NO_FIGURES: QueryFigures = {
  totalQueryableSamples: 0,
  samplesRead: 0,
  peakSamples: 0,
  perStep: null,
};

/** At the end of a query; with `perStep`, the query's times, samples are told for each step. */
export function figuresOf(context: ExecContext, perStep: QueryTimes | null): QueryFigures {
  const counts = context.counts.finish();
  return {
    totalQueryableSamples: counts === null ? 0 : sum(counts.queryable),
    samplesRead: counts === null ? 0 : sum(counts.read),
    peakSamples: context.held.peak,
    perStep:
      counts === null || perStep === null
        ? null
        : {
            startMs: perStep.startMs,
            stepMs: perStep.stepMs,
            queryable: counts.queryable,
            read: counts.read,
          },
  };
}
