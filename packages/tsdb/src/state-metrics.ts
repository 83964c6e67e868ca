import type { Registry } from '@pollux/telemetry';
import type { BlockSet } from './block/block-set.ts';
import type { FileCache } from './block/file-cache.ts';
import type { Downsampled } from './downsample/downsampled.ts';
import type { ExemplarRing } from './head/exemplar-ring.ts';
import type { Head } from './head/head.ts';
import type { HeadChunkFiles } from './head-chunks/head-chunk-files.ts';
import type { Recovery } from './recovery.ts';
import type { Retention } from './retention/retention.ts';
import type { Wal } from './wal/wal.ts';

/** Registers metrics that are read from the parts when scraped. */
export function exposeState(
  registry: Registry,
  parts: {
    readonly head: Head;
    readonly chunkFiles: HeadChunkFiles;
    readonly wal: Wal;
    readonly blocks: BlockSet;
    readonly retention: Retention;
    readonly downsampled: Downsampled;
    readonly recovery: Recovery;
  },
): void {
  const { head, chunkFiles, wal, blocks, retention, recovery, downsampled } = parts;
  const gauge = (name: string, help: string, read: () => number): void =>
    registry.gaugeFrom(`prometheus_tsdb_${name}`, help, read);
  registry.gaugeFrom(
    'pollux_tsdb_replay_ratio',
    'How much of the log has been replayed since the start, 0 to 1; 1 once every acknowledged sample answers.',
    () => {
      const { state, fraction } = recovery.status;
      return state === 'ready' ? 1 : Math.min(fraction, 0.99);
    },
  );
  gauge('head_series', 'Total number of series in the head block.', () => head.table.count);
  gauge(
    'head_chunks',
    'Total number of chunks in the head block.',
    () => head.chunkCount + head.outOfOrder.samples.chunkCount,
  );
  gauge(
    'head_native_histogram_series',
    'Number of series in the head block whose most recent sample is a native histogram.',
    () => head.histograms.count,
  );
  gauge('head_min_time', 'Minimum time bound of the head block in milliseconds.', () =>
    head.isEmpty ? 0 : head.minMs,
  );
  gauge('head_max_time', 'Maximum timestamp of the head block in milliseconds.', () =>
    head.isEmpty ? 0 : head.maxMs,
  );
  gauge('head_min_time_seconds', 'Minimum time bound of the head block in seconds.', () =>
    head.isEmpty ? 0 : head.minMs / 1000,
  );
  gauge('head_max_time_seconds', 'Maximum timestamp of the head block in seconds.', () =>
    head.isEmpty ? 0 : head.maxMs / 1000,
  );
  gauge(
    'head_slab_bytes',
    'Bytes of shared memory that hold the open chunks of the head, reusable ones included.',
    () => head.pool.count * head.pool.slabBytes,
  );
  gauge(
    'head_chunks_storage_size_bytes',
    'Size of the chunks_head directory.',
    () => chunkFiles.sizeBytes,
  );
  gauge(
    'head_chunk_waiting_bytes',
    'Bytes of completed head chunks in memory that are not yet in a file.',
    () => chunkFiles.waitingBytes,
  );
  gauge('symbol_table_size_bytes', 'Size of symbol offsets of blocks in memory.', () =>
    blocks.blocks.reduce((sum, { index }) => sum + index.symbolOffsetsBytes, 0),
  );
  gauge('lowest_timestamp', 'Lowest timestamp value stored in the database.', () =>
    Math.min(
      blocks.blocks[0]?.meta.minTime ?? Infinity,
      head.isEmpty ? Infinity : head.minMs,
      head.outOfOrder.minMs,
    ),
  );
  gauge('blocks_loaded', 'Number of currently loaded data blocks.', () => blocks.blocks.length);
  registry.gaugeFrom(
    'pollux_tsdb_damaged_blocks',
    'Blocks that cannot be opened, and open ones in which damage was found.',
    () => blocks.damagedCount,
  );
  gauge(
    'storage_blocks_bytes',
    'The number of bytes that are currently used for local storage by all blocks.',
    () => blocks.sizeBytes,
  );
  registry.gaugeFrom(
    'pollux_tsdb_downsampled_bytes',
    'Bytes of down-sampled data; not counted towards the retention size.',
    () => downsampled.sizeBytes,
  );
  registry.gaugeFrom(
    'pollux_tsdb_downsampled_slices',
    'Slices of down-sampled data.',
    () => downsampled.sliceCount,
  );
  gauge('wal_storage_size_bytes', 'Size of the write log directory.', () => wal.sizeBytes());
  gauge(
    'out_of_order_wbl_storage_size_bytes',
    'Size of the write log directory.',
    () => head.outOfOrder.log?.sizeBytes() ?? 0,
  );
  gauge(
    'retention_limit_bytes',
    'Max number of bytes to be retained in the tsdb blocks, 0 means disabled.',
    () => retention.settings.bytes,
  );
  gauge(
    'retention_limit_percentage',
    'Max percentage of total storage space to be retained in the tsdb blocks, configured 0 means disabled.',
    () => retention.settings.percentage,
  );
  registry.gaugeFrom(
    'pollux_tsdb_blocks_with_deletions',
    'Blocks that still hold samples which were deleted; they are rewritten one after the other.',
    () => blocks.blocks.filter(({ deletionCount }) => deletionCount > 0).length,
  );
  gauge(
    'retention_limit_seconds',
    'How long to retain samples in storage.',
    () => retention.settings.timeMs / 1000,
  );
  exposeExemplars(gauge, head.options.exemplars);
}

/** Registers how large the cache of block files is and what it is good for. */
export function exposeCache(registry: Registry, cache: FileCache): void {
  registry.gaugeFrom(
    'pollux_tsdb_file_cache_bytes',
    'Memory of pages of block files.',
    () => cache.bytes,
  );
  registry.collect(() => [
    {
      name: 'pollux_tsdb_file_cache_lookups_total',
      help: 'Pages of block files asked for, by whether they were in memory.',
      type: 'counter',
      samples: [
        { suffix: '', labels: ['result', 'hit'], value: cache.lookups.hits },
        { suffix: '', labels: ['result', 'miss'], value: cache.lookups.misses },
      ],
    },
  ]);
}

function exposeExemplars(
  gauge: (name: string, help: string, read: () => number) => void,
  ring: ExemplarRing,
): void {
  gauge(
    'exemplar_exemplars_in_storage',
    'Number of exemplars currently in circular storage.',
    () => ring.count,
  );
  gauge(
    'exemplar_series_with_exemplars_in_storage',
    'Number of series with exemplars currently in circular storage.',
    () => ring.seriesCount,
  );
  gauge(
    'exemplar_last_exemplars_timestamp_seconds',
    'The timestamp of the oldest exemplar stored in circular storage. Useful to check for what time range the current exemplar buffer limit allows.',
    () => ring.firstTimestampMs / 1000,
  );
  gauge(
    'exemplar_max_exemplars',
    'Total number of exemplars the exemplar storage can store, resizeable.',
    () => ring.capacity,
  );
}
