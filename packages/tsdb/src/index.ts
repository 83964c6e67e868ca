export { type CopyBlockOptions, copyBlock } from './backfill/copy-block.ts';
export { HistogramBlocks } from './backfill/histogram-blocks.ts';
export type { Duplicates, RangeMerge, SampleBatch } from './backfill/range-merge.ts';
export {
  SampleSorter,
  type SampleSorterOptions,
  type SortedRange,
} from './backfill/sample-sorter.ts';
export { type WriteRangeOptions, writeRangeAsBlock } from './backfill/write-blocks.ts';
export type {
  CardinalityDimension,
  CardinalityEntry,
  CardinalityReport,
  HistoryPoint,
} from './cardinality/cardinality-history.ts';
export { NO_SERIES_LIMITS, type SeriesLimits } from './cardinality/series-guard.ts';
export type { FloatEncoding } from './compaction/float-families.ts';
export { type RewriteBlockOptions, rewriteBlock } from './compaction/rewrite-block.ts';
export { Tsdb } from './db.ts';
export { type DownsamplingRule, wrongRule } from './downsample/rule.ts';
export {
  BlockUnavailableError,
  ClosedError,
  CorruptionError,
  DirectoryError,
  NotSupportedError,
  PartlyStoredError,
  RawDroppedError,
  WalSyncError,
  WalWriteError,
} from './errors.ts';
export type { HistogramRecord } from './format/wal-histograms.ts';
export type {
  ExemplarRecord,
  MetadataRecord,
  SampleColumns,
  SeriesRecord,
  TombstoneRecord,
} from './format/wal-record.ts';
export type { HeadStats, NamedCount } from './head/stats.ts';
export type { TsdbInit } from './init.ts';
export {
  type AnalysedBlock,
  type AnalyseOptions,
  analyseBlock,
  type CountedText,
  type Spread,
} from './inspect/analyse-block.ts';
export {
  type BlockSummary,
  blockSummary,
  type SliceSummary,
  sliceSummaries,
} from './inspect/block-summary.ts';
export type { Finding } from './inspect/finding.ts';
export {
  type RepairAction,
  type RepairOptions,
  repairDirectory,
} from './inspect/repair-directory.ts';
export {
  type Verification,
  type VerifyOptions,
  verifyDirectory,
} from './inspect/verify-directory.ts';
export { DEFAULT_TSDB_OPTIONS, type FsyncMode, type TsdbOptions } from './options.ts';
export { rawSamplesOpener } from './query/raw-samples-reader.ts';
export { ReadOnlyTsdb, type ReadOnlyTsdbInit } from './read-only-tsdb.ts';
export type { RecoveryStatus } from './recovery.ts';
export { MAX_RETENTION_RULES } from './retention/series-classes.ts';
export type { RetentionRule, RetentionSettings } from './retention/settings.ts';
export type { WalRecord } from './wal/records.ts';
export { segmentName, type WalPosition } from './wal/segment.ts';
export type { Damage } from './wal/segment-reader.ts';
export type { CheckpointInfo, WalDeletion, WalListener, WalTail } from './wal/wal.ts';
export { WalReader, type WalReaderOptions } from './wal/wal-reader.ts';
export { Zstd } from './wal/zstd.ts';
