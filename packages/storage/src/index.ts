export { APPEND_OUTCOME, type Appendable, type Appender, type SeriesRef } from './appendable.ts';
export {
  type CoverageRecorder,
  type CoverageState,
  type CoverageSubject,
  type Interval,
  NO_COVERAGE,
} from './coverage/coverage.ts';
export type { Engine, EngineFactory, WriteSemantics } from './engine.ts';
export { MemoryBudget } from './memory-budget.ts';
export {
  type Annotation,
  type ExemplarQueryable,
  type ExemplarSeries,
  type NamesAnswer,
  NO_HINTS,
  type Queryable,
  type ReadContext,
  type SelectHints,
  type SelectRequest,
  type SeriesColumns,
  type SeriesSource,
  type TimeRange,
} from './queryable.ts';
