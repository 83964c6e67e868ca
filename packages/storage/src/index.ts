export { afterSeam } from './after-seam.ts';
export { limitAhead, MAX_AHEAD_MS } from './ahead-limit.ts';
export { APPEND_OUTCOME, type Appendable, type Appender, type SeriesRef } from './appendable.ts';
export {
  BUCKET_FUNCTIONS,
  type BucketColumn,
  type BucketColumns,
  type SampleNeed,
} from './buckets.ts';
export { ChangeLog, type ChangeWatch } from './change-log.ts';
export {
  type CoverageRecorder,
  type CoverageState,
  type CoverageSubject,
  type Interval,
  NO_COVERAGE,
} from './coverage/coverage.ts';
export {
  CoverageFile,
  type RecoveredCoverage,
  readCoverageFile,
} from './coverage/coverage-file.ts';
export {
  type CoverageJournal,
  CoverageLog,
  type CoverageReport,
  HEARTBEAT_INTERVAL_MS,
  MAX_HEARTBEAT_GAP_MS,
  type SubjectReport,
} from './coverage/coverage-log.ts';
export {
  COVERAGE_HEADER,
  type CoverageSummary,
  type CoverageWire,
  decodeHeader,
  encodeHeader,
  fromWire,
  summaryOf,
  toWire,
} from './coverage/coverage-wire.ts';
export {
  type FailedScrapesPlan,
  type GoodScrapes,
  goodScrapesOf,
  planFailedScrapes,
} from './coverage/failed-scrapes-plan.ts';
export type { HealingPlan } from './coverage/healing.ts';
export { pieceOf, planHealing, spanOf } from './coverage/healing-plan.ts';
export {
  type IntervalSet,
  intersect,
  intervalSet,
  overlaps,
  subtract,
  totalMs,
  union,
} from './coverage/interval-set.ts';
export { SubjectHistory } from './coverage/subject-history.ts';
export { SubjectIndex } from './coverage/subject-index.ts';
export { mayMatch, mayMatchAny } from './coverage/subject-match.ts';
export type { Engine, EngineFactory, WriteSemantics } from './engine.ts';
export { columnsWithin, firstSampleFrom } from './fanout/columns-within.ts';
export type { LocalAnswer, LocalStorage, Refusal } from './fanout/local-storage.ts';
export { mergeColumns } from './fanout/merge-columns.ts';
export { mergeQueryables } from './fanout/merge-queryables.ts';
export { MergedSource, type MergeInput, type SeriesJoin } from './fanout/merge-sources.ts';
export {
  type LocalCoverage,
  onlyUncovered,
  uncoveredRanges,
} from './fanout/uncovered-ranges.ts';
export { withRemotes } from './fanout/with-remotes.ts';
export { ALL_TIME, type ColumnData, MAX_TIME_MS, type NanoRange } from './fields/field-column.ts';
export type { FieldKind } from './fields/field-kind.ts';
export type { GroupIdentity } from './fields/group-identity.ts';
export type { MetricMetadata } from './fields/metric-metadata.ts';
export type {
  FieldConflict,
  PointColumns,
  SeriesKey,
  WriteOutcome,
  WriteTarget,
} from './fields/point-columns.ts';
export type {
  PlacedSamples,
  SampleColumns,
  SampleOutcome,
  SampleRules,
} from './fields/sample-columns.ts';
export type { TagCondition } from './fields/tag-condition.ts';
export {
  histogramAt,
  isIntegral,
  isSameHistogram,
  sampleOf,
  staleHistogram,
  withKnownSchema,
  withSchema,
} from './histogram-values.ts';
export { MemoryBudget } from './memory-budget.ts';
export { PlannedSource } from './planned-source.ts';
export {
  type Annotation,
  type ChunkSink,
  type ChunkSource,
  type ExemplarQueryable,
  type ExemplarSeries,
  type LabelProjection,
  type NamesAnswer,
  NO_HINTS,
  type Queryable,
  type RawBatch,
  type RawSource,
  type ReadContext,
  type SampleWindows,
  type SelectHints,
  type SelectRequest,
  type SelectSize,
  type SeriesColumns,
  type SeriesSource,
  type TimeRange,
  withoutNeed,
} from './queryable.ts';
export type { OpenRawReader, RawReader } from './raw-series.ts';
export { type CopyChoice, chooseCopy, DEFAULT_COPY_CHOICE } from './replica/choose-copy.ts';
export { type CopyWindow, coveringCopy } from './replica/covering-copy.ts';
export type { CopyTimes } from './replica/holes.ts';
export { replicaOfValues, splitReplica, splitReplicaLabels } from './replica/split-replica.ts';
export { UnavailableError } from './unavailable-error.ts';
export { labelsOfUtf8, seriesOfUtf8 } from './utf8-labels.ts';
