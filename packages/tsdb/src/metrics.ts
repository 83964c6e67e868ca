import type { Counter, Family, Gauge, Histogram, Registry } from '@pollux/telemetry';

/** What became of samples of one kind. */
export type SampleMetrics = {
  readonly samplesAppended: Counter;
  readonly outOfOrderSamples: Counter;
  readonly outOfBoundsSamples: Counter;
  readonly tooOldSamples: Counter;
  readonly duplicateSamples: Counter;
  readonly outOfOrderAppended: Counter;
};

/** Self-metrics under Prometheus' names, so that its dashboards and alerts work. */
export type TsdbMetrics = SampleMetrics & {
  readonly histograms: SampleMetrics;
  readonly exemplarsAppended: Counter;
  readonly outOfOrderExemplars: Counter;
  readonly outOfOrderDelta: Histogram;
  /** Of the out-of-order log, by what the record holds. */
  readonly oooUnknownRefs: Family<Counter>;
  /** Of the out-of-order log, under the names of its fellow. */
  readonly wbl: {
    readonly walSegment: Gauge;
    readonly walWriteFailures: Counter;
    readonly walFsyncFailures: Counter;
    readonly walFsyncSeconds: Histogram;
  };
  readonly seriesCreated: Counter;
  /** By limit, job, and instance where the limit is the target's. */
  readonly seriesRefused: Family<Counter>;
  readonly seriesRemoved: Counter;
  readonly chunksCreated: Counter;
  readonly chunksRemoved: Counter;
  readonly headTruncations: Counter;
  readonly headTruncationFailures: Counter;
  readonly compactions: Counter;
  readonly compactionFailures: Counter;
  readonly compactionsTriggered: Counter;
  readonly compactionsSkipped: Counter;
  readonly verticalCompactions: Counter;
  readonly compactionSeconds: Histogram;
  readonly populatingBlock: Gauge;
  readonly chunkSizeBytes: Histogram;
  readonly chunkSamples: Histogram;
  readonly chunkRangeSeconds: Histogram;
  readonly tombstoneCleanupSeconds: Histogram;
  readonly checkpoints: Counter;
  readonly checkpointFailures: Counter;
  readonly headChunkWriteFailures: Counter;
  readonly headChunkCorruptions: Counter;
  readonly snapshots: Counter;
  readonly snapshotFailures: Counter;
  readonly snapshotErrors: Counter;
  readonly walSegment: Gauge;
  readonly walWriteFailures: Counter;
  readonly walFsyncFailures: Counter;
  readonly walFsyncSeconds: Histogram;
  readonly walUnsureBytes: Counter;
  readonly walCorruptions: Counter;
  readonly walLostBytes: Counter;
  readonly walLostRecords: Counter;
  readonly lostSeries: Counter;
  /** By what the record holds: `series`, `samples` … */
  readonly unknownRefs: Family<Counter>;
  readonly reloads: Counter;
  readonly reloadFailures: Counter;
  readonly blockCorruptions: Counter;
  readonly slicesWritten: Counter;
  readonly downsamplingFailures: Counter;
  readonly downsamplingSeconds: Histogram;
  readonly timeRetentions: Counter;
  readonly sizeRetentions: Counter;
  readonly cleanStart: Gauge;
  readonly replaySeconds: Gauge;
};

/** Seconds. */
const FSYNC_BUCKETS = [
  0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1, 2, 4,
];

export function tsdbMetrics(registry: Registry): TsdbMetrics {
  const counter = (name: string, help: string): Counter =>
    registry.counter(`prometheus_tsdb_${name}`, help);
  const gauge = (name: string, help: string): Gauge =>
    registry.gauge(`prometheus_tsdb_${name}`, help);
  const histogram = (name: string, help: string, bounds: readonly number[]): Histogram =>
    registry.histogram(`prometheus_tsdb_${name}`, help, bounds);
  return {
    ...sampleMetrics(registry, 'float'),
    histograms: sampleMetrics(registry, 'histogram'),
    exemplarsAppended: counter(
      'exemplar_exemplars_appended_total',
      'Total number of appended exemplars.',
    ),
    outOfOrderExemplars: counter(
      'exemplar_out_of_order_exemplars_total',
      'Total number of out of order exemplar ingestion failed attempts.',
    ),
    outOfOrderDelta: registry.histogram(
      'prometheus_tsdb_sample_ooo_delta',
      'Delta in seconds by which a sample is considered out of order (reported regardless of OOO time window and whether sample is accepted or not).',
      [600, 1800, 3600, 7200, 10800, 21600, 43200],
    ),
    seriesCreated: counter(
      'head_series_created_total',
      'Total number of series created in the head.',
    ),
    seriesRefused: registry.counters(
      'pollux_tsdb_series_refused_total',
      'Times that a new series was refused, by the limit that was reached and whose series it was.',
      ['limit', 'job', 'instance'],
    ),
    seriesRemoved: counter(
      'head_series_removed_total',
      'Total number of series removed in the head.',
    ),
    chunksCreated: counter(
      'head_chunks_created_total',
      'Total number of chunks created in the head.',
    ),
    chunksRemoved: counter(
      'head_chunks_removed_total',
      'Total number of chunks removed in the head.',
    ),
    headTruncations: counter(
      'head_truncations_total',
      'Total number of head truncations attempted.',
    ),
    headTruncationFailures: counter(
      'head_truncations_failed_total',
      'Total number of head truncations that failed.',
    ),
    compactions: counter('compactions_total', 'Total number of compactions that were executed.'),
    compactionFailures: counter(
      'compactions_failed_total',
      'Total number of compactions that failed.',
    ),
    compactionsTriggered: counter(
      'compactions_triggered_total',
      'Total number of triggered compactions for the partition.',
    ),
    compactionsSkipped: counter(
      'compactions_skipped_total',
      'Compactions left out for want of room.',
    ),
    verticalCompactions: counter(
      'vertical_compactions_total',
      'Total number of compactions done on overlapping blocks.',
    ),
    compactionSeconds: histogram(
      'compaction_duration_seconds',
      'Duration of compaction runs.',
      exponential(1, 2, 14),
    ),
    populatingBlock: gauge(
      'compaction_populating_block',
      'Set to 1 when a block is currently being written to the disk.',
    ),
    chunkSizeBytes: histogram(
      'compaction_chunk_size_bytes',
      'Final size of chunks on their first compaction',
      exponential(32, 1.5, 12),
    ),
    chunkSamples: histogram(
      'compaction_chunk_samples',
      'Final number of samples on their first compaction',
      exponential(4, 1.5, 12),
    ),
    chunkRangeSeconds: histogram(
      'compaction_chunk_range_seconds',
      'Final time range of chunks on their first compaction',
      exponential(100, 4, 10),
    ),
    tombstoneCleanupSeconds: histogram(
      'tombstone_cleanup_seconds',
      'The time taken to recompact blocks to remove tombstones.',
      exponential(0.001, 10, 8),
    ),
    checkpoints: counter(
      'checkpoint_creations_total',
      'Total number of checkpoint creations attempted.',
    ),
    checkpointFailures: counter(
      'checkpoint_creations_failed_total',
      'Total number of checkpoint creations that failed.',
    ),
    headChunkWriteFailures: counter(
      'head_chunk_write_failures_total',
      'Total number of writes or syncs of head chunk files that failed.',
    ),
    headChunkCorruptions: counter(
      'mmap_chunk_corruptions_total',
      'Total number of head chunk files that were damaged at start.',
    ),
    snapshots: counter('head_snapshots_total', 'Total number of head snapshots that were written.'),
    snapshotFailures: counter(
      'head_snapshots_failed_total',
      'Total number of head snapshots that could not be written.',
    ),
    snapshotErrors: counter(
      'snapshot_replay_error_total',
      'Total number of head snapshots that could not be used at start.',
    ),
    walSegment: gauge(
      'wal_segment_current',
      'Write log segment index that TSDB is currently writing to.',
    ),
    walWriteFailures: counter(
      'wal_writes_failed_total',
      'Total number of write log writes that failed.',
    ),
    walFsyncFailures: counter(
      'wal_fsyncs_failed_total',
      'Total number of write log syncs that failed.',
    ),
    walFsyncSeconds: registry.histogram(
      'prometheus_tsdb_wal_fsync_duration_seconds',
      'Duration of write log fsync.',
      FSYNC_BUCKETS,
    ),
    oooUnknownRefs: registry.counters(
      'prometheus_tsdb_wbl_replay_unknown_refs_total',
      'Total number of unknown series references encountered during WBL replay.',
      ['type'],
    ),
    wbl: {
      walSegment: gauge(
        'out_of_order_wbl_segment_current',
        'Write log segment index that TSDB is currently writing to.',
      ),
      walWriteFailures: counter(
        'out_of_order_wbl_writes_failed_total',
        'Total number of write log writes that failed.',
      ),
      walFsyncFailures: counter(
        'out_of_order_wbl_fsyncs_failed_total',
        'Total number of write log syncs that failed.',
      ),
      walFsyncSeconds: registry.histogram(
        'prometheus_tsdb_out_of_order_wbl_fsync_duration_seconds',
        'Duration of write log fsync.',
        FSYNC_BUCKETS,
      ),
    },
    walUnsureBytes: registry.counter(
      'pollux_tsdb_wal_unsure_bytes_total',
      'Bytes of the log that failed syncs left in doubt and that were too many to write again.',
    ),
    walCorruptions: counter('wal_corruptions_total', 'Total number of WAL corruptions.'),
    walLostBytes: registry.counter(
      'pollux_tsdb_wal_lost_bytes_total',
      'Bytes of the log that were passed over since they are damaged.',
    ),
    walLostRecords: registry.counter(
      'pollux_tsdb_wal_lost_records_total',
      'Records of the log that were whole but could not be decoded.',
    ),
    lostSeries: registry.counter(
      'pollux_tsdb_wal_lost_series_total',
      'Series of which the log has samples, but not the record that says who they are.',
    ),
    unknownRefs: registry.counters(
      'prometheus_tsdb_wal_replay_unknown_refs_total',
      'Total number of unknown series references encountered during WAL replay.',
      ['type'],
    ),
    reloads: counter(
      'reloads_total',
      'Number of times the database reloaded block data from disk.',
    ),
    reloadFailures: counter(
      'reloads_failures_total',
      'Number of times the database failed to reload block data from disk.',
    ),
    blockCorruptions: registry.counter(
      'pollux_tsdb_block_corruptions_total',
      'Parts of blocks that could not be read.',
    ),
    slicesWritten: registry.counter(
      'pollux_tsdb_downsampled_slices_written_total',
      'Slices of down-sampled data that were written.',
    ),
    downsamplingFailures: registry.counter(
      'pollux_tsdb_downsampling_failures_total',
      'Slices of down-sampled data that could not be written.',
    ),
    downsamplingSeconds: registry.histogram(
      'pollux_tsdb_downsampling_duration_seconds',
      'Time taken to write a slice of down-sampled data.',
      exponential(0.1, 2, 14),
    ),
    timeRetentions: counter(
      'time_retentions_total',
      'The number of times that blocks were deleted because the maximum time limit was exceeded.',
    ),
    sizeRetentions: counter(
      'size_retentions_total',
      'The number of times that blocks were deleted because the maximum number of bytes was exceeded.',
    ),
    cleanStart: gauge(
      'clean_start',
      '-1: lockfile is disabled. 0: a lockfile from a previous execution was replaced. 1: lockfile creation was clean',
    ),
    replaySeconds: gauge('data_replay_duration_seconds', 'Time taken to replay the data on disk.'),
  };
}

function sampleMetrics(registry: Registry, type: 'float' | 'histogram'): SampleMetrics {
  const typed = (name: string, help: string): Counter =>
    registry.counters(`prometheus_tsdb_${name}`, help, ['type']).with(type);
  return {
    samplesAppended: typed('head_samples_appended_total', 'Total number of appended samples.'),
    outOfOrderSamples: typed(
      'out_of_order_samples_total',
      'Total number of out of order samples ingestion failed attempts due to out of order being disabled.',
    ),
    outOfBoundsSamples: typed(
      'out_of_bound_samples_total',
      'Total number of out of bound samples ingestion failed attempts with out of order support disabled.',
    ),
    tooOldSamples: typed(
      'too_old_samples_total',
      'Total number of out of order samples ingestion failed attempts with out of support enabled, but sample outside of time window.',
    ),
    duplicateSamples: typed(
      'duplicate_samples_total',
      'Total number of samples refused for another value at the same time.',
    ),
    outOfOrderAppended: typed(
      'head_out_of_order_samples_appended_total',
      'Total number of appended out of order samples.',
    ),
  };
}

/** `count` bounds from `first` on, each `factor` times the one before. */
function exponential(first: number, factor: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => first * factor ** i);
}
