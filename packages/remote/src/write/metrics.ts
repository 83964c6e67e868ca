import { shownAddress } from '@pollux/config';
import type { Counter, Family, Gauge, Histogram, Registry } from '@pollux/telemetry';

const LABELS = ['remote_name', 'url'] as const;
/** Seconds; Prometheus' buckets for a sent batch. */
const DURATION_BOUNDS = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60, 120, 300,
] as const;

export type Kind = 'samples' | 'histograms' | 'exemplars';
export const KINDS: readonly Kind[] = ['samples', 'histograms', 'exemplars'];

export type DropReason =
  /** Older than sample_age_limit. */
  | 'too_old'
  /** write_relabel_configs dropped the series. */
  | 'dropped_series'
  /** The log holds no series record for it. */
  | 'unintentionally_dropped_series'
  /** The destination was away for longer than the bound on pinned bytes allows. */
  | 'queue_full';

type PerKind<M> = Readonly<Record<Kind, M>>;

/** Metrics of remote storage under Prometheus' names, registered once per role. */
export class RemoteWriteMetrics {
  readonly in: PerKind<Counter>;
  readonly highestTimestampSeconds: Gauge;
  readonly #counters: Readonly<Record<string, Family<Counter>>>;
  readonly #gauges: Readonly<Record<string, Family<Gauge>>>;
  readonly #dropped: PerKind<Family<Counter>>;
  readonly #duration: Family<Histogram>;
  readonly #walSegment: Family<Gauge>;
  readonly #walRecords: Family<Counter>;
  readonly #walFailures: Family<Counter>;

  constructor(registry: Registry) {
    const perKind = <M>(make: (kind: Kind) => M): PerKind<M> => ({
      samples: make('samples'),
      histograms: make('histograms'),
      exemplars: make('exemplars'),
    });
    const name = (suffix: string): string => `prometheus_remote_storage_${suffix}`;
    this.in = perKind((kind) =>
      registry.counter(
        name(`${kind}_in_total`),
        `${capital(kind)} in to remote storage, compare to ${kind} out for queue managers.`,
      ),
    );
    this.highestTimestampSeconds = registry.gauge(
      name('highest_timestamp_in_seconds'),
      'Highest timestamp that has come into the remote storage via the Appender interface, in seconds since epoch. Initialized to 0 when no data has been received yet.',
    );
    const counters: Record<string, Family<Counter>> = {};
    for (const [suffix, help] of Object.entries(COUNTERS)) {
      counters[suffix] = registry.counters(name(suffix), help, LABELS);
    }
    this.#counters = counters;
    const gauges: Record<string, Family<Gauge>> = {};
    for (const [suffix, help] of Object.entries(GAUGES)) {
      const full = suffix.startsWith('pollux_') ? suffix : name(suffix);
      gauges[suffix] = registry.gauges(full, help, LABELS);
    }
    this.#gauges = gauges;
    this.#dropped = perKind((kind) =>
      registry.counters(
        name(`${kind}_dropped_total`),
        `Total number of ${kind} which were dropped after being read from the WAL before being sent via remote write, either via relabelling, due to being too old or unintentionally because of an unknown reference ID.`,
        [...LABELS, 'reason'],
      ),
    );
    this.#duration = registry.histograms(
      name('sent_batch_duration_seconds'),
      'Duration of send calls to the remote storage.',
      LABELS,
      DURATION_BOUNDS,
    );
    this.#walSegment = registry.gauges(
      'prometheus_wal_watcher_current_segment',
      'Current segment the WAL watcher is reading records from.',
      ['consumer'],
    );
    this.#walRecords = registry.counters(
      'prometheus_wal_watcher_records_read_total',
      'Number of records read by the WAL watcher from the WAL.',
      ['consumer', 'type'],
    );
    this.#walFailures = registry.counters(
      'prometheus_wal_watcher_record_decode_failures_total',
      'Number of records read by the WAL watcher that resulted in an error when decoding.',
      ['consumer'],
    );
  }

  /** The children of one destination; all exist from the start, so that rates begin at zero. */
  of(remoteName: string, url: string): DestinationMetrics {
    const shown = shownAddress(url);
    const at = <M>(family: Family<M> | undefined): M => {
      if (family === undefined) throw new RangeError('BUG: unknown remote storage metric');
      return family.with(remoteName, shown);
    };
    const counter = (suffix: string): Counter => at(this.#counters[suffix]);
    const gauge = (suffix: string): Gauge => at(this.#gauges[suffix]);
    const perKind = <M>(make: (kind: Kind) => M): PerKind<M> => ({
      samples: make('samples'),
      histograms: make('histograms'),
      exemplars: make('exemplars'),
    });
    for (const kind of KINDS) {
      for (const reason of ['too_old', 'dropped_series', 'queue_full'] as const) {
        this.#dropped[kind].with(remoteName, shown, reason);
      }
    }
    return {
      sent: perKind((kind) => counter(`${kind}_total`)),
      failed: perKind((kind) => counter(`${kind}_failed_total`)),
      retried: perKind((kind) => counter(`${kind}_retried_total`)),
      pending: perKind((kind) => gauge(`${kind}_pending`)),
      dropped: (kind, reason) => this.#dropped[kind].with(remoteName, shown, reason),
      metadataSent: counter('metadata_total'),
      metadataFailed: counter('metadata_failed_total'),
      metadataRetried: counter('metadata_retried_total'),
      bytes: counter('bytes_total'),
      metadataBytes: counter('metadata_bytes_total'),
      enqueueRetries: counter('enqueue_retries_total'),
      batchDuration: this.#duration.with(remoteName, shown),
      highestSentSeconds: gauge('queue_highest_sent_timestamp_seconds'),
      highestReadSeconds: gauge('queue_highest_timestamp_seconds'),
      shards: gauge('shards'),
      shardsMax: gauge('shards_max'),
      shardsMin: gauge('shards_min'),
      shardsDesired: gauge('shards_desired'),
      shardCapacity: gauge('shard_capacity'),
      maxSamplesPerSend: gauge('max_samples_per_send'),
      pinnedBytes: gauge('pollux_remote_pinned_bytes'),
      walSegment: this.#walSegment.with(remoteName),
      walRecords: (type) => this.#walRecords.with(remoteName, type),
      walFailures: this.#walFailures.with(remoteName),
    };
  }

  /** Forgets a destination that is no longer configured. */
  remove(remoteName: string, url: string): void {
    const shown = shownAddress(url);
    for (const family of Object.values(this.#counters)) family.remove(remoteName, shown);
    for (const family of Object.values(this.#gauges)) family.remove(remoteName, shown);
    this.#duration.remove(remoteName, shown);
    this.#walSegment.remove(remoteName);
    this.#walFailures.remove(remoteName);
  }
}

export type DestinationMetrics = {
  readonly sent: PerKind<Counter>;
  readonly failed: PerKind<Counter>;
  readonly retried: PerKind<Counter>;
  readonly pending: PerKind<Gauge>;
  readonly dropped: (kind: Kind, reason: DropReason) => Counter;
  readonly metadataSent: Counter;
  readonly metadataFailed: Counter;
  readonly metadataRetried: Counter;
  readonly bytes: Counter;
  readonly metadataBytes: Counter;
  readonly enqueueRetries: Counter;
  readonly batchDuration: Histogram;
  readonly highestSentSeconds: Gauge;
  readonly highestReadSeconds: Gauge;
  readonly shards: Gauge;
  readonly shardsMax: Gauge;
  readonly shardsMin: Gauge;
  readonly shardsDesired: Gauge;
  readonly shardCapacity: Gauge;
  readonly maxSamplesPerSend: Gauge;
  readonly pinnedBytes: Gauge;
  readonly walSegment: Gauge;
  readonly walRecords: (type: string) => Counter;
  readonly walFailures: Counter;
};

const COUNTERS: Readonly<Record<string, string>> = {
  samples_total: 'Total number of samples sent to remote storage.',
  histograms_total: 'Total number of histograms sent to remote storage.',
  exemplars_total: 'Total number of exemplars sent to remote storage.',
  metadata_total: 'Total number of metadata entries sent to remote storage.',
  samples_failed_total:
    'Total number of samples which failed on send to remote storage, non-recoverable errors.',
  histograms_failed_total:
    'Total number of histograms which failed on send to remote storage, non-recoverable errors.',
  exemplars_failed_total:
    'Total number of exemplars which failed on send to remote storage, non-recoverable errors.',
  metadata_failed_total:
    'Total number of metadata entries which failed on send to remote storage, non-recoverable errors.',
  samples_retried_total:
    'Total number of samples which failed on send to remote storage but were retried because the send error was recoverable.',
  histograms_retried_total:
    'Total number of histograms which failed on send to remote storage but were retried because the send error was recoverable.',
  exemplars_retried_total:
    'Total number of exemplars which failed on send to remote storage but were retried because the send error was recoverable.',
  metadata_retried_total:
    'Total number of metadata entries which failed on send to remote storage but were retried because the send error was recoverable.',
  enqueue_retries_total:
    'Total number of times enqueue has failed because a shards queue was full.',
  bytes_total:
    'The total number of bytes of data (not metadata) sent by the queue after compression. Note that when exemplars over remote write is enabled the exemplars included in a remote write request count towards this metric.',
  metadata_bytes_total:
    'The total number of bytes of metadata sent by the queue after compression.',
};

const GAUGES: Readonly<Record<string, string>> = {
  samples_pending:
    'The number of samples pending in the queues shards to be sent to the remote storage.',
  histograms_pending:
    'The number of histograms pending in the queues shards to be sent to the remote storage.',
  exemplars_pending:
    'The number of exemplars pending in the queues shards to be sent to the remote storage.',
  queue_highest_sent_timestamp_seconds:
    'Timestamp from a WAL sample, the highest timestamp successfully sent by this queue, in seconds since epoch. Initialized to 0 when no data has been sent yet.',
  queue_highest_timestamp_seconds:
    'Timestamp of the highest sample enqueued into this queue, in seconds since epoch. Initialized to 0 when no data has been enqueued yet.',
  shards: 'The number of shards used for parallel sending to the remote storage.',
  shards_max: 'The maximum number of shards that the queue is allowed to run.',
  shards_min: 'The minimum number of shards that the queue is allowed to run.',
  shards_desired:
    'The number of shards that the queues shard calculation wants to run based on the rate of samples in vs. samples out.',
  shard_capacity:
    'The capacity of each shard of the queue used for parallel sending to the remote storage.',
  max_samples_per_send:
    'The maximum number of samples to be sent, in a single request, to the remote storage. Note that, when sending of exemplars over remote write is enabled, exemplars count towards this limt.',
  pollux_remote_pinned_bytes:
    'Bytes of log segments and checkpoints that only this destination still keeps on the disk.',
};

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
