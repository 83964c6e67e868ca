import type { ByteCache } from '@pollux/base';
import type { Counter, Histogram, Registry } from '@pollux/telemetry';

type Sources = {
  readonly memtableBytes: () => number;
  readonly pageCache: ByteCache;
  readonly index: () => { readonly bytes: number; readonly series: number };
  readonly groups: () => number;
  readonly metadataEntries: () => number;
  readonly watermarks: () => readonly {
    readonly database: string;
    readonly retentionPolicy: string;
    readonly replica: string;
    readonly newestMs: number;
  }[];
};

/** The engine's self-metrics. */
export class StoreMetrics {
  readonly batches: Counter;
  readonly rows: Counter;
  readonly failures: Counter;
  readonly refused: Counter;
  readonly flushFailures: Counter;
  readonly refusedExemplars: Counter;
  readonly refusedMetadata: Counter;
  readonly settled: Counter;
  readonly settleFailures: Counter;
  readonly commitSeconds: Histogram;

  constructor(registry: Registry, sources: Sources) {
    this.batches = registry.counter('pollux_store_batches_total', 'Batches stored and synced.');
    this.rows = registry.counter('pollux_store_values_total', 'Field values stored and synced.');
    this.failures = registry.counter(
      'pollux_store_write_failures_total',
      'Batches refused because the disk failed.',
    );
    this.refused = registry.counter(
      'pollux_store_writes_throttled_total',
      'Batches refused because too many rows were waiting.',
    );
    this.flushFailures = registry.counter(
      'pollux_store_flush_failures_total',
      'Memtables that could not be written to a file.',
    );
    this.refusedExemplars = registry.counter(
      'pollux_store_exemplars_refused_total',
      'Exemplars left out: labels over 128 characters, a time that is not kept, or a series that is refused.',
    );
    this.refusedMetadata = registry.counter(
      'pollux_store_metadata_refused_total',
      'Metadata of metrics left out: it is too long, or there is too much of it.',
    );
    this.settled = registry.counter(
      'pollux_store_settled_values_total',
      "Field values of replicas given up because another replica's copy covers their window.",
    );
    this.settleFailures = registry.counter(
      'pollux_store_settle_failures_total',
      'Shard groups whose files could not be written anew without the copies that nobody needs.',
    );
    this.commitSeconds = registry.histogram(
      'pollux_store_commit_duration_seconds',
      'Time from staging a group commit to its acknowledgement, the sync included.',
      [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5],
    );
    registry.gaugeFrom(
      'pollux_store_memtable_bytes',
      'Memory of values that are not in data files yet.',
      sources.memtableBytes,
    );
    registry.gaugeFrom(
      'pollux_store_index_bytes',
      'Memory of the names of series and columns in open shard groups.',
      () => sources.index().bytes,
    );
    registry.gaugeFrom(
      'pollux_store_index_series',
      'Series in open shard groups; one that is in several counts in each.',
      () => sources.index().series,
    );
    registry.gaugeFrom(
      'pollux_store_page_cache_bytes',
      'Memory of inflated pages of data files.',
      () => sources.pageCache.bytes,
    );
    registry.collect(() => [
      {
        name: 'pollux_store_page_cache_lookups_total',
        help: 'Pages of data files asked for, by whether they were in memory.',
        type: 'counter',
        samples: [
          { suffix: '', labels: ['result', 'hit'], value: sources.pageCache.hits },
          { suffix: '', labels: ['result', 'miss'], value: sources.pageCache.misses },
        ],
      },
    ]);
    registry.gaugeFrom(
      'pollux_store_metadata_entries',
      'Metadata of metrics in memory, of the retention policies it was written to or asked about.',
      sources.metadataEntries,
    );
    registry.gaugeFrom('pollux_store_shard_groups', 'Shard groups on disk.', sources.groups);
    registry.collect(() => [
      {
        name: 'pollux_store_watermark_timestamp_seconds',
        help: 'Newest sample time that a replica has written.',
        type: 'gauge',
        samples: sources.watermarks().map(({ database, retentionPolicy, replica, newestMs }) => ({
          suffix: '',
          labels: ['database', database, 'retention_policy', retentionPolicy, 'replica', replica],
          value: newestMs / 1000,
        })),
      },
    ]);
  }
}
