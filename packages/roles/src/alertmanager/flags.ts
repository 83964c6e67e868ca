import { LOG_FLAGS } from '../flags/flags.ts';
import { FEATURE_NAMES } from './features.ts';

/** Alertmanager's flags that are served, with its defaults. */
export const ALERTMANAGER_FLAGS = {
  'config.file': {
    kind: 'string',
    fallback: 'alertmanager.yml',
    help: 'Alertmanager configuration file name.',
  },
  'storage.path': { kind: 'string', fallback: 'data/', help: 'Base path for data storage.' },
  'data.retention': { kind: 'duration', fallback: '120h', help: 'How long to keep data for.' },
  'data.maintenance-interval': {
    kind: 'duration',
    fallback: '15m',
    help: 'Interval between garbage collection and snapshotting to disk of the silences and the notification logs.',
  },
  'history.retention': {
    kind: 'duration',
    fallback: '30d',
    help: 'How long the history of alerts, notifications, silences and reloads is kept.',
  },
  'history.max-bytes': {
    kind: 'integer',
    fallback: 512 * 1024 * 1024,
    help: 'Size on disk over which the oldest history is removed.',
  },
  'alerts.gc-interval': { kind: 'duration', fallback: '30m', help: 'Interval between alert GC.' },
  'alerts.per-alertname-limit': {
    kind: 'integer',
    fallback: 0,
    help: 'Maximum number of alerts per alertname; 0 for none.',
  },
  'outbox.max-age': {
    kind: 'duration',
    fallback: '1h',
    help: 'What could not be delivered to a receiver for so long is given up: it becomes a dead letter.',
  },
  'dispatch.maintenance-interval': {
    kind: 'duration',
    fallback: '30s',
    help: 'Interval between maintenance of aggregation groups.',
  },
  'dispatch.start-delay': {
    kind: 'duration',
    fallback: '0s',
    help: 'Minimum amount of time to wait before dispatching alerts.',
  },
  'web.listen-address': {
    kind: 'list',
    fallback: ['0.0.0.0:9093'],
    help: 'Address on which to expose metrics and web interface. Can be repeated.',
  },
  'web.config.file': {
    kind: 'string',
    fallback: '',
    help: 'Path to a configuration file that can enable TLS or authentication.',
  },
  'web.systemd-socket': {
    kind: 'boolean',
    fallback: false,
    help: 'Listen on the sockets that systemd hands over, instead of on --web.listen-address.',
  },
  'web.timeout': {
    kind: 'duration',
    fallback: '0s',
    help: 'Timeout for HTTP requests. If negative or zero, no timeout is set.',
  },
  'log.silences': {
    kind: 'boolean',
    fallback: false,
    help: 'Write a line to the log for each silence that is made, changed or ended.',
  },
  'auto-gomemlimit.ratio': {
    kind: 'string',
    fallback: '0.9',
    help: 'Taken for the sake of units of the original; it has no effect.',
  },
  'web.external-url': {
    kind: 'string',
    fallback: '',
    help: 'The URL under which Alertmanager is externally reachable.',
  },
  'web.route-prefix': {
    kind: 'string',
    fallback: '',
    help: 'Prefix for the internal routes of web endpoints. Defaults to the path of --web.external-url.',
  },
  'web.get-concurrency': {
    kind: 'integer',
    fallback: 16,
    help: 'Maximum number of GET requests processed concurrently.',
  },
  'silences.max-silences': {
    kind: 'integer',
    fallback: 0,
    help: 'Maximum number of silences, including expired ones; 0 for none.',
  },
  'silences.max-silence-size-bytes': {
    kind: 'integer',
    fallback: 0,
    help: 'Maximum silence size in bytes; 0 for none.',
  },
  'cluster.listen-address': {
    kind: 'string',
    fallback: '0.0.0.0:9094',
    help: 'Listen address for cluster. Set to empty string to disable HA mode.',
  },
  'cluster.advertise-address': {
    kind: 'string',
    fallback: '',
    help: 'Explicit address to advertise in cluster.',
  },
  'cluster.allow-insecure-public-advertise-address-discovery': {
    kind: 'boolean',
    fallback: false,
    help: 'Advertise a public address when this machine has no private one.',
  },
  'cluster.tls-config': {
    kind: 'string',
    fallback: '',
    help: 'File with the certificates for mutual TLS between members; without it gossip is not encrypted.',
  },
  'cluster.peer-name': {
    kind: 'string',
    fallback: '',
    help: 'Name of this member; a ULID when empty.',
  },
  'cluster.peer': { kind: 'list', fallback: [], help: 'Initial peers (may be repeated).' },
  'cluster.peer-timeout': {
    kind: 'duration',
    fallback: '15s',
    help: 'Time to wait between peers to send notifications.',
  },
  'cluster.peers-resolve-timeout': {
    kind: 'duration',
    fallback: '15s',
    help: 'Time to resolve peers.',
  },
  'cluster.gossip-interval': {
    kind: 'duration',
    fallback: '200ms',
    help: 'Interval between sending gossip messages.',
  },
  'cluster.pushpull-interval': {
    kind: 'duration',
    fallback: '1m',
    help: 'Interval for gossip state syncs.',
  },
  'cluster.tcp-timeout': {
    kind: 'duration',
    fallback: '10s',
    help: 'Timeout for establishing a stream connection with a remote node for a full state sync.',
  },
  'cluster.probe-timeout': {
    kind: 'duration',
    fallback: '500ms',
    help: 'Timeout to wait for an ack from a probed node before assuming it is unhealthy.',
  },
  'cluster.probe-interval': {
    kind: 'duration',
    fallback: '1s',
    help: 'Interval between random node probes.',
  },
  'cluster.settle-timeout': {
    kind: 'duration',
    fallback: '1m',
    help: 'Maximum time to wait for cluster connections to settle before evaluating notifications.',
  },
  'cluster.reconnect-interval': {
    kind: 'duration',
    fallback: '10s',
    help: 'Interval between attempting to reconnect to lost peers.',
  },
  'cluster.reconnect-timeout': {
    kind: 'duration',
    fallback: '6h',
    help: 'Length of time to attempt to reconnect to a lost peer.',
  },
  'cluster.label': {
    kind: 'string',
    fallback: '',
    help: 'Members talk only to members with the same label.',
  },
  'enable-feature': {
    kind: 'string',
    fallback: '',
    help: `Experimental features to enable, comma separated: ${FEATURE_NAMES.join(', ')}.`,
  },
  'dingtalk.config-file': {
    kind: 'string',
    fallback: '',
    help: 'Configuration file of prometheus-webhook-dingtalk; with it, POST /dingtalk/<target>/send is served as there.',
  },
  ...LOG_FLAGS,
} as const;
