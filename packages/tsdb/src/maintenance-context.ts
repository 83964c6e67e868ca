import type { BlockSet } from './block/block-set.ts';
import type { SeriesGuard } from './cardinality/series-guard.ts';
import type { DeletionLog } from './deletion-log.ts';
import type { Downsampled } from './downsample/downsampled.ts';
import type { Head } from './head/head.ts';
import type { HeadChunkFiles } from './head-chunks/head-chunk-files.ts';
import type { SnapshotSchedule } from './head-snapshot/snapshot-schedule.ts';
import type { TsdbInit } from './init.ts';
import type { TsdbMetrics } from './metrics.ts';
import type { TsdbOptions } from './options.ts';
import type { Retention } from './retention/retention.ts';
import type { Expiries } from './wal/expiries.ts';
import type { WalCompression } from './wal/segment-writer.ts';
import type { Wal } from './wal/wal.ts';
import type { Zstd } from './wal/zstd.ts';

export type MaintenanceParts = {
  readonly init: TsdbInit;
  readonly options: TsdbOptions;
  readonly metrics: TsdbMetrics;
  readonly head: Head;
  readonly chunkFiles: HeadChunkFiles;
  readonly wal: Wal;
  readonly blocks: BlockSet;
  readonly expiries: Expiries;
  readonly compression: WalCompression;
  readonly zstd: Zstd;
  readonly guard: SeriesGuard;
  readonly snapshots: SnapshotSchedule;
  readonly retention: Retention;
  readonly downsampled: Downsampled;
};

/** What a part of the maintenance works with. */
export type MaintenanceContext = MaintenanceParts & {
  readonly deletions: DeletionLog;
  /** Aborts when the database closes. */
  readonly signal: AbortSignal;
};
