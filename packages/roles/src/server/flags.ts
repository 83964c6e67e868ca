import { LOG_FLAGS } from '../flags/flags.ts';
import { QUERY_FLAGS } from '../flags/query-flags.ts';

/** Prometheus' flags that this server serves, with its defaults, and Pollux' own (`ha.*`, `storage.fsync` …). */
export const SERVER_FLAGS = {
  'config.file': {
    kind: 'string',
    fallback: 'prometheus.yml',
    help: 'Prometheus configuration file path.',
  },
  'web.listen-address': {
    kind: 'list',
    fallback: ['0.0.0.0:9090'],
    help: 'Address to listen on for UI, API, and telemetry. Can be repeated.',
  },
  'web.config.file': {
    kind: 'string',
    fallback: '',
    help: 'Path to configuration file that can enable TLS or authentication.',
  },
  'web.external-url': {
    kind: 'string',
    fallback: '',
    help: 'The URL under which Prometheus is externally reachable.',
  },
  'web.route-prefix': {
    kind: 'string',
    fallback: '',
    help: 'Prefix for the internal routes of web endpoints. Defaults to the path of --web.external-url.',
  },
  'web.enable-lifecycle': {
    kind: 'boolean',
    fallback: false,
    help: 'Enable shutdown and reload via HTTP request.',
  },
  'web.enable-admin-api': {
    kind: 'boolean',
    fallback: false,
    help: 'Enable API endpoints for admin control actions.',
  },
  'web.enable-remote-write-receiver': {
    kind: 'boolean',
    fallback: false,
    help: 'Enable API endpoint accepting remote write requests.',
  },
  'web.max-connections': {
    kind: 'integer',
    fallback: 512,
    help: 'Maximum number of simultaneous connections, on each address.',
  },
  'web.cors.origin': {
    kind: 'string',
    fallback: '.*',
    help: 'Regex for CORS origin. It is fully anchored.',
  },
  'storage.tsdb.path': {
    kind: 'string',
    fallback: 'data/',
    help: 'Base path for metrics storage.',
  },
  'storage.tsdb.retention.time': {
    kind: 'duration',
    fallback: '0s',
    help: 'How long to retain samples in storage. 15d when neither this nor a size is set.',
  },
  'storage.tsdb.retention.size': {
    kind: 'string',
    fallback: '0B',
    help: 'Maximum number of bytes that can be stored for blocks.',
  },
  'storage.tsdb.min-block-duration': {
    kind: 'duration',
    fallback: '2h',
    help: 'Time that one block covers.',
  },
  'storage.tsdb.max-block-duration': {
    kind: 'duration',
    fallback: '0s',
    help: 'Largest time that one block may cover after compaction. 0s: a tenth of the retention time, at most 31d.',
  },
  'storage.tsdb.wal-compression': {
    kind: 'boolean',
    fallback: true,
    help: 'Compress the tsdb WAL.',
  },
  'storage.tsdb.wal-compression-type': {
    kind: 'choice',
    choices: ['snappy', 'zstd'],
    fallback: 'snappy',
    help: 'Compression algorithm for the tsdb WAL.',
  },
  'storage.tsdb.chunk-encoding': {
    kind: 'choice',
    choices: ['xor', 'dense'],
    fallback: 'xor',
    help: 'Experimental. How compaction writes floats: dense blocks are three to four times smaller, but Prometheus cannot read them; `pollux tool tsdb rewrite --encoding=xor` turns them back. xor leaves blocks as they are.',
  },
  'storage.fsync': {
    kind: 'choice',
    choices: ['none', 'interval', 'always'],
    fallback: 'interval',
    help: 'When the log is synced: never, every second, or before each acknowledgement. Only a power loss can tell the difference.',
  },
  'storage.start-timestamps': {
    kind: 'boolean',
    fallback: false,
    help: 'Keep the start timestamps of samples, in the log and in chunks, which are then XOR2 ones for all floats. Prometheus reads such chunks from 3.14 on.',
  },
  'storage.remote.max-pinned-bytes': {
    kind: 'integer',
    fallback: 0,
    help: 'Log bytes that one absent remote write destination may keep; 0: 10 GiB, never more than half of what is free.',
  },
  'storage.remote.read-sample-limit': {
    kind: 'integer',
    fallback: 50_000_000,
    help: 'Maximum overall number of samples to return via the remote read interface.',
  },
  'storage.remote.read-concurrent-limit': {
    kind: 'integer',
    fallback: 10,
    help: 'Maximum number of concurrent remote read calls.',
  },
  'rules.alert.for-outage-tolerance': {
    kind: 'duration',
    fallback: '1h',
    help: 'Max time to tolerate prometheus outage for restoring "for" state of alert.',
  },
  'rules.alert.for-grace-period': {
    kind: 'duration',
    fallback: '10m',
    help: 'Minimum duration between alert and restored "for" state.',
  },
  'rules.alert.resend-delay': {
    kind: 'duration',
    fallback: '1m',
    help: 'Minimum amount of time to wait before resending an alert to Alertmanager.',
  },
  'alertmanager.notification-queue-capacity': {
    kind: 'integer',
    fallback: 10_000,
    help: 'The capacity of the queue for pending Alertmanager notifications.',
  },
  ...QUERY_FLAGS,
  'query.result-cache-size': {
    kind: 'integer',
    fallback: 67_108_864,
    help: 'Bytes of results of range queries that are kept, so that a dashboard that comes again has only its new steps evaluated; 0: none. nocache=1 in a request passes it by.',
  },
  'query.warm-up': {
    kind: 'boolean',
    fallback: true,
    help: 'After the start, while there is nothing else to do, run made-up queries over made-up data, so that the first real ones meet optimised code.',
  },
  'query.slow-log-threshold': {
    kind: 'duration',
    fallback: '10s',
    help: 'Queries that take longer, their wait included, are logged with their plan; 0s: none.',
  },
  'query.allow-approximate': {
    kind: 'boolean',
    fallback: false,
    help: 'Answer from down-sampled data, with an info annotation, where samples that a query needs were dropped; otherwise it fails.',
  },
  'enable-feature': {
    kind: 'list',
    fallback: [],
    help: 'Features to enable, with commas: promql-experimental-functions, promql-extended-range-selectors, promql-binop-fill-modifiers, promql-delayed-name-removal, promql-per-step-stats, use-start-timestamps.',
  },
  'scrape.discovery-reload-interval': {
    kind: 'duration',
    fallback: '5s',
    help: 'Shortest time between two changes of the targets.',
  },
  'ha.replica-labels': {
    kind: 'string',
    fallback: 'prometheus_replica',
    help: 'External labels that tell replicas apart, with commas.',
  },
  'ha.twin': {
    kind: 'list',
    fallback: [],
    help: 'Address of another server of the same configuration. Times in which this one was down are filled with its samples. Can be repeated.',
  },
  'ha.twin.http-config-file': {
    kind: 'string',
    fallback: '',
    help: 'Client settings for --ha.twin: basic_auth, tls_config …',
  },
  'ha.twin.clock-difference': {
    kind: 'duration',
    fallback: '5s',
    help: 'At least the difference of the clocks of this server and its twins: kept free between own samples and theirs.',
  },
  'ha.twin.samples-per-second': {
    kind: 'integer',
    fallback: 100_000,
    help: 'Samples read from a twin at most.',
  },
  ...LOG_FLAGS,
} as const;
