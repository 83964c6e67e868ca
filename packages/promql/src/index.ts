export {
  Engine,
  type EngineFeatures,
  type EngineOptions,
  type InstantRequest,
  type QueryRequest,
  type RangeRequest,
} from './engine.ts';
export { QueryError, type QueryErrorKind } from './errors.ts';
export { histogramText } from './histogram/text.ts';
export type { PieceSink } from './json-writer.ts';
export { ActiveQueries } from './life/active-queries.ts';
export { ActiveQueryFile, type ActiveQueryFileOptions } from './life/active-query-file.ts';
export { activeQueryJson } from './life/active-query-json.ts';
export {
  type ActiveQuery,
  INTERNAL_ORIGIN,
  type QueryAbout,
  type QueryLife,
  type QueryObserver,
  type QueryOrigin,
  type QueryOutcome,
} from './life/query-life.ts';
export { QueryLog, type QueryLogOptions } from './life/query-log.ts';
export { SlowQueryLog, type SlowQueryLogOptions } from './life/slow-query-log.ts';
export { statsJson } from './life/stats-json.ts';
export {
  type Expr,
  FUNCTIONS,
  type FunctionSignature,
  ParsedQueries,
  ParseError,
  type ParserOptions,
  parseExpr,
  parseSeriesSelector,
  printExpr,
  type Span,
  type StepWindow,
  stepWindow,
  type TimeSpan,
  timeSpan,
  typeOf,
  walk,
} from './parser/index.ts';
export { joinedMatrix } from './range-cache/matrix-parts.ts';
export {
  type CachedRangeRequest,
  type EvaluateRange,
  RangeCache,
  type RangeCacheOptions,
  type RangeTimes,
} from './range-cache/range-cache.ts';
export { isStepLocal } from './range-cache/step-local.ts';
export type {
  EncodedAnswer,
  InstantVector,
  MatrixSeries,
  QueryAnswer,
  QueryResult,
  QueryStats,
  RangeMatrix,
  Scalar,
  StepStats,
  Str,
} from './result.ts';
export { writeResultJson } from './result-json.ts';
export type { FromQueryWorker, ToQueryWorker } from './workers/query.protocol.ts';
export {
  type QueryWorkerEntry,
  QueryWorkers,
  type QueryWorkersOptions,
} from './workers/query-workers.ts';
export { serveQueries } from './workers/serve-queries.ts';
