import { LOG_FLAGS } from '../flags/flags.ts';

/** Of the original before 2025 and of today's: the former writes to databases of InfluxDB 1.x, the latter to buckets. */
export const ADAPTER_FLAGS = {
  'graphite-address': {
    kind: 'string',
    fallback: '',
    help: 'The host:port of the Graphite server to send samples to. None, if empty.',
  },
  'graphite-transport': {
    kind: 'choice',
    choices: ['tcp', 'tcp4', 'tcp6'],
    fallback: 'tcp',
    help: 'Transport protocol to use to communicate with Graphite; all are TCP to the address that is given.',
  },
  'graphite-prefix': {
    kind: 'string',
    fallback: '',
    help: 'The prefix to prepend to all metrics exported to Graphite. None, if empty.',
  },
  'opentsdb-url': {
    kind: 'string',
    fallback: '',
    help: 'The URL of the remote OpenTSDB server to send samples to. None, if empty.',
  },
  'influxdb-url': {
    kind: 'string',
    fallback: '',
    help: 'The URL of the remote InfluxDB server to send samples to and to read them from. None, if empty.',
  },
  'influxdb.database': {
    kind: 'string',
    fallback: 'prometheus',
    help: 'The database of InfluxDB 1.x; the adapter does not create it.',
  },
  'influxdb.retention-policy': {
    kind: 'string',
    fallback: 'autogen',
    help: 'The retention policy of the database.',
  },
  'influxdb.username': {
    kind: 'string',
    fallback: '',
    help: 'The user for InfluxDB 1.x. The password comes from the environment variable INFLUXDB_PW.',
  },
  'influxdb.bucket': {
    kind: 'string',
    fallback: '',
    help: 'The bucket to use instead of a database: of InfluxDB 2, or database/retention-policy of 1.8. The token comes from the environment variable INFLUXDB_AUTH_TOKEN.',
  },
  'influxdb.organization': {
    kind: 'string',
    fallback: '',
    help: 'The organization of the bucket.',
  },
  'send-timeout': {
    kind: 'duration',
    fallback: '30s',
    help: 'The timeout for sending samples to a remote storage, and for reading them.',
  },
  'web.listen-address': {
    kind: 'string',
    fallback: ':9201',
    help: 'Address to listen on for web endpoints.',
  },
  'web.config.file': {
    kind: 'string',
    fallback: '',
    help: 'Path to a file that can enable TLS or authentication, as of Prometheus.',
  },
  'web.telemetry-path': {
    kind: 'string',
    fallback: '/metrics',
    help: 'Path of the own metrics.',
  },
  ...LOG_FLAGS,
} as const;
