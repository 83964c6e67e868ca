import { NO_SERIES_LIMITS, type SeriesLimits } from './cardinality/series-guard.ts';
import { MAX_BUCKETS } from './downsample/bucket-chunk.ts';
import type { DownsamplingRule } from './downsample/rule.ts';
import type { RetentionRule } from './retention/settings.ts';

export type FsyncMode =
  /** The operating system decides. */
  | 'none'
  /** At most `fsyncIntervalMs` of acknowledged samples are at risk in a power loss; none in a crash of the process. */
  | 'interval'
  /** A commit is acknowledged and visible only after its sync; concurrent commits share one. */
  | 'always';

export type TsdbOptions = {
  /** Time that a block covers which is cut from the head; blocks and chunks are aligned to it. */
  readonly minBlockDurationMs: number;
  /** Longest time that a compacted block covers; 0 = a tenth of what is kept longest, at most 31 days. */
  readonly maxBlockDurationMs: number;
  /** See RetentionSettings, for this and the next three. */
  readonly retentionMs: number;
  readonly retentionBytes: number;
  readonly retentionPercentage: number;
  readonly retentionRules: readonly RetentionRule[];
  /** Resolutions in which samples are kept beside themselves, ascending; see {@link wrongRule}. */
  readonly downsampling: readonly DownsamplingRule[];
  /** Buckets of a series in one slice, at most 1024; fewer are written before samples are dropped. */
  readonly bucketsPerSlice: number;
  /** Answers from buckets, and says so, where samples that a query needs were dropped; otherwise it fails. */
  readonly allowApproximate: boolean;
  readonly fsync: FsyncMode;
  readonly fsyncIntervalMs: number;
  readonly walSegmentBytes: number;
  readonly walCompression: 'none' | 'snappy' | 'zstd';
  readonly seriesLimits: SeriesLimits;
  /** Exemplars kept in memory over all series; 0 = none are kept. */
  readonly maxExemplars: number;
  /** How far behind the head's newest sample a sample may be and still be taken; 0 = out-of-order samples are refused. */
  readonly outOfOrderWindowMs: number;
  /**
   * Keeps the start timestamps of samples: in the log and in chunks. Those of all floats are then XOR2 chunks (encoding 4), those of
   * histograms have encodings 5 and 6, which Prometheus reads from 3.14 on. Off, they are taken and forgotten.
   */
  readonly startTimestamps: boolean;
  /**
   * In which encoding compaction writes floats; null leaves them as they are in the blocks that it takes. Prometheus cannot
   * read dense ones.
   */
  readonly compactedFloats: 'dense' | null;
  readonly samplesPerChunk: number;
  readonly slabBytes: number;
  /** A file of head chunks is not made larger; Prometheus reads at most 128 MiB. */
  readonly headChunkFileBytes: number;
  /** Pages of block files in memory, for all blocks together, at most; fewer where the blocks are small. */
  readonly fileCacheBytes: number;
  /** A head snapshot is not written sooner after the last one; 0 = never, also not at the close. */
  readonly snapshotIntervalMs: number;
  /** ... nor before the log has grown by this much, which a start without a new snapshot would read. */
  readonly snapshotLogBytes: number;
  /** It is written sooner when half as many series again have come, so many at least. */
  readonly snapshotSeries: number;
  /** A start that has so much of the log to read has it read by a worker. */
  readonly replayWorkerMinBytes: number;
  /** Blocks that are so large together are compacted by a worker. */
  readonly compactionWorkerMinBytes: number;
  /** How often retention and the need for a block are checked. */
  readonly maintenanceIntervalMs: number;
  /** A query or batch that is open for longer than this while the head waits to be moved to a block is ended. */
  readonly maxReaderHoldMs: number;
  /** Takes the directory for this process and returns how to give it back; null when the caller has done so. */
  readonly lockDirectory: ((directory: string) => () => void) | null;
};

export const DEFAULT_TSDB_OPTIONS: TsdbOptions = {
  minBlockDurationMs: 2 * 60 * 60 * 1000,
  maxBlockDurationMs: 0,
  retentionMs: 15 * 24 * 60 * 60 * 1000,
  retentionBytes: 0,
  retentionPercentage: 0,
  retentionRules: [],
  downsampling: [],
  bucketsPerSlice: MAX_BUCKETS,
  allowApproximate: false,
  fsync: 'interval',
  fsyncIntervalMs: 1000,
  walSegmentBytes: 128 * 1024 * 1024,
  walCompression: 'snappy',
  seriesLimits: NO_SERIES_LIMITS,
  maxExemplars: 0,
  outOfOrderWindowMs: 0,
  startTimestamps: false,
  compactedFloats: null,
  samplesPerChunk: 120,
  slabBytes: 16 * 1024 * 1024,
  headChunkFileBytes: 128 * 1024 * 1024,
  fileCacheBytes: 64 * 1024 * 1024,
  snapshotIntervalMs: 5 * 60 * 1000,
  snapshotLogBytes: 4 * 1024 * 1024,
  snapshotSeries: 20_000,
  // A worker saves a third of 0.1 s a MiB, takes 0.05 s to start and, for a while, 15 MB: below this it is not worth its memory.
  replayWorkerMinBytes: 8 * 1024 * 1024,
  // Below this slices of the thread are done in seconds, and a worker's 30 MB would be had and given back all day long.
  compactionWorkerMinBytes: 32 * 1024 * 1024,
  maintenanceIntervalMs: 2_000,
  maxReaderHoldMs: 150_000,
  lockDirectory: null,
};
