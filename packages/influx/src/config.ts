import { OperatingError } from '@pollux/base';
import {
  boolean,
  byteSize,
  type ConfigEntry,
  type ConfigNode,
  checked,
  type DecodeContext,
  type Decoder,
  type Fields,
  list,
  nonNegativeInteger,
  object,
  optional,
  parseToml,
  raw,
  record,
  Secret,
  secret,
  string,
} from '@pollux/config';
import { parseInfluxDuration } from './influxql/duration.ts';

const NOTHING: ConfigNode = { kind: 'null', place: { file: 'defaults', line: 0, column: 0 } };

/** Go's durations as influxdb.conf writes them (`30m`, `10s`, `0s`), in milliseconds. */
const duration = checked(string, (text) => {
  if (text === '0' || text === '') return 0;
  const nanos = parseInfluxDuration(text);
  if (nanos === null || nanos === 'overflow') {
    throw new OperatingError('INFLUX.CONFIG', `"${text}" is no duration; write for example "30m"`);
  }
  return Number(nanos / 1_000_000n);
});

const metaFields = {
  dir: optional(string, '/var/lib/influxdb/meta'),
  'retention-autocreate': optional(boolean, true),
  'logging-enabled': optional(boolean, true),
};
const meta = object(metaFields);

const dataFields = {
  dir: optional(string, '/var/lib/influxdb/data'),
  'wal-dir': optional(string, '/var/lib/influxdb/wal'),
  'wal-fsync-delay': optional(duration, 0),
  'index-version': optional(string, 'inmem'),
  'trace-logging-enabled': optional(boolean, false),
  'query-log-enabled': optional(boolean, true),
  'validate-keys': optional(boolean, false),
  'strict-error-handling': optional(boolean, false),
  'cache-max-memory-size': optional(byteSize, 1024 ** 3),
  'cache-snapshot-memory-size': optional(byteSize, 25 * 1024 ** 2),
  'cache-snapshot-write-cold-duration': optional(duration, 600_000),
  'compact-full-write-cold-duration': optional(duration, 4 * 3_600_000),
  'compact-throughput': optional(byteSize, 48 * 1024 ** 2),
  'compact-throughput-burst': optional(byteSize, 48 * 1024 ** 2),
  'max-concurrent-compactions': optional(nonNegativeInteger, 0),
  'max-index-log-file-size': optional(byteSize, 1024 ** 2),
  'max-series-per-database': optional(nonNegativeInteger, 1_000_000),
  'max-values-per-tag': optional(nonNegativeInteger, 100_000),
  'series-id-set-cache-size': optional(nonNegativeInteger, 100),
  'tsm-use-madv-willneed': optional(boolean, false),
};
const data = object(dataFields);

const coordinatorFields = {
  'write-timeout': optional(duration, 10_000),
  'max-concurrent-queries': optional(nonNegativeInteger, 0),
  'query-timeout': optional(duration, 0),
  'log-queries-after': optional(duration, 0),
  'max-select-point': optional(nonNegativeInteger, 0),
  'max-select-series': optional(nonNegativeInteger, 0),
  'max-select-buckets': optional(nonNegativeInteger, 0),
  'termination-query-log': optional(boolean, false),
};
const coordinator = object(coordinatorFields);

const retentionFields = {
  enabled: optional(boolean, true),
  'check-interval': optional(duration, 30 * 60_000),
};
const retention = object(retentionFields);

const continuousFields = {
  enabled: optional(boolean, true),
  'log-enabled': optional(boolean, true),
  'query-stats-enabled': optional(boolean, false),
  'run-interval': optional(duration, 1_000),
};
const continuous = object(continuousFields);

const subscriberFields = {
  enabled: optional(boolean, true),
  'http-timeout': optional(duration, 30_000),
  'insecure-skip-verify': optional(boolean, false),
  'ca-certs': optional(string, ''),
  'write-concurrency': optional(nonNegativeInteger, 40),
  'write-buffer-size': optional(nonNegativeInteger, 1_000),
};
const subscriber = object(subscriberFields);

const httpFields = {
  enabled: optional(boolean, true),
  'bind-address': optional(string, ':8086'),
  'auth-enabled': optional(boolean, false),
  'log-enabled': optional(boolean, true),
  'suppress-write-log': optional(boolean, false),
  'access-log-path': optional(string, ''),
  'access-log-status-filters': optional(list(string), []),
  'write-tracing': optional(boolean, false),
  'flux-enabled': optional(boolean, false),
  'flux-log-enabled': optional(boolean, false),
  'pprof-enabled': optional(boolean, true),
  'pprof-auth-enabled': optional(boolean, false),
  'debug-pprof-enabled': optional(boolean, false),
  'ping-auth-enabled': optional(boolean, false),
  'prom-read-auth-enabled': optional(boolean, false),
  headers: optional(record(string), {}),
  'https-enabled': optional(boolean, false),
  'https-certificate': optional(string, ''),
  'https-private-key': optional(string, ''),
  'shared-secret': optional(secret, new Secret('')),
  'max-row-limit': optional(nonNegativeInteger, 0),
  'max-connection-limit': optional(nonNegativeInteger, 0),
  'unix-socket-enabled': optional(boolean, false),
  'bind-socket': optional(string, '/var/run/influxdb.sock'),
  'unix-socket-permissions': optional(string, '0777'),
  'unix-socket-group': optional(string, ''),
  'max-body-size': optional(nonNegativeInteger, 25_000_000),
  'max-concurrent-write-limit': optional(nonNegativeInteger, 0),
  'max-enqueued-write-limit': optional(nonNegativeInteger, 0),
  'enqueued-write-timeout': optional(duration, 30_000),
  realm: optional(string, 'InfluxDB'),
};
const http = object(httpFields);

/** Settings that influxdb.conf does not have; `[ha]` is ours. */
const haFields = {
  'replica-labels': optional(list(string), ['prometheus_replica']),
  /**
   * Copies of replicas that nobody needs are given up so long after a window at the latest; 0 keeps all. By default all are kept: at the
   * joint with a server the gateway leaves no seam guard out, since the store has that server's own copy.
   */
  settle: optional(duration, 0),
  /** Takes `5u` in line protocol, which released builds of InfluxDB 1.x refuse. */
  'unsigned-integers': optional(boolean, false),
};
const ha = object(haFields);

/** Pages about what the store holds, where InfluxDB before 1.3 had its own. */
const adminFields = {
  enabled: optional(boolean, false),
  'bind-address': optional(string, ':8083'),
};
const admin = object(adminFields);

/** Sections of upstream whose services this program does not have; read so that a file of influxd's needs no change. */
const others = {
  'shard-precreation': optional(raw, NOTHING),
  monitor: optional(raw, NOTHING),
  logging: optional(raw, NOTHING),
  graphite: optional(raw, NOTHING),
  collectd: optional(raw, NOTHING),
  opentsdb: optional(raw, NOTHING),
  udp: optional(raw, NOTHING),
  tls: optional(raw, NOTHING),
};

const root = object({
  'reporting-disabled': optional(boolean, false),
  'bind-address': optional(string, '127.0.0.1:8088'),
  meta: optional(meta, defaultsOf(meta)),
  data: optional(data, defaultsOf(data)),
  coordinator: optional(coordinator, defaultsOf(coordinator)),
  retention: optional(retention, defaultsOf(retention)),
  http: optional(http, defaultsOf(http)),
  subscriber: optional(subscriber, defaultsOf(subscriber)),
  continuous_queries: optional(continuous, defaultsOf(continuous)),
  admin: optional(admin, defaultsOf(admin)),
  ha: optional(ha, defaultsOf(ha)),
  ...others,
});

export type InfluxConfig = ReturnType<typeof root>;

const SECTIONS: Readonly<Record<string, Fields>> = {
  meta: metaFields,
  data: dataFields,
  coordinator: coordinatorFields,
  retention: retentionFields,
  http: httpFields,
  subscriber: subscriberFields,
  continuous_queries: continuousFields,
  admin: adminFields,
  ha: haFields,
};

/**
 * Reads influxdb.conf (an empty text gives upstream's defaults) under `INFLUXDB_<SECTION>_<KEY>` variables, which go
 * before the file. Unknown keys are warnings, as in influxd; wrong values are ConfigErrors that name file and field.
 */
export function decodeInfluxConfig(
  text: string,
  file: string,
  environment: Readonly<Record<string, string | undefined>>,
): { readonly config: InfluxConfig; readonly warnings: readonly string[] } {
  const context: DecodeContext = { unknownKeys: 'warn', warnings: [] };
  const node = withEnvironment(parseToml(text, file), environment);
  return { config: root(node, '', context), warnings: context.warnings };
}

function defaultsOf<T>(decoder: Decoder<T>): T {
  return decoder(NOTHING, '', { unknownKeys: 'error', warnings: [] });
}

function withEnvironment(
  node: ConfigNode,
  environment: Readonly<Record<string, string | undefined>>,
): ConfigNode {
  const entries: ConfigEntry[] = node.kind === 'map' ? [...node.entries] : [];
  for (const [section, fields] of Object.entries(SECTIONS)) {
    const overrides: ConfigEntry[] = [];
    for (const key of Object.keys(fields)) {
      const name = `INFLUXDB_${section}_${key}`.toUpperCase().replaceAll('-', '_');
      const text = environment[name];
      if (text !== undefined) overrides.push(entryFrom(key, text, name));
    }
    if (overrides.length === 0) continue;
    const index = entries.findIndex((entry) => entry.key === section);
    const known = index < 0 ? undefined : entries[index]?.value;
    const kept = known?.kind === 'map' ? known.entries : [];
    const names = new Set(overrides.map((entry) => entry.key));
    const value: ConfigNode = {
      kind: 'map',
      place: node.place,
      entries: [...kept.filter((entry) => !names.has(entry.key)), ...overrides],
    };
    const merged: ConfigEntry = { key: section, place: node.place, value };
    if (index < 0) entries.push(merged);
    else entries[index] = merged;
  }
  return { kind: 'map', place: node.place, entries };
}

/** Lists are written with commas. */
function entryFrom(key: string, text: string, variable: string): ConfigEntry {
  const place = { file: `environment ${variable}`, line: 0, column: 0 };
  const scalar = (part: string): ConfigNode => {
    const isNumber = /^-?\d+(?:\.\d+)?$/.test(part);
    const value =
      part === 'true' ? true : part === 'false' ? false : isNumber ? Number(part) : part;
    return { kind: 'scalar', place, text: part, value, isQuoted: false };
  };
  if (key !== 'replica-labels' && key !== 'access-log-status-filters') {
    return { key, place, value: scalar(text) };
  }
  const items = text
    .split(',')
    .filter((part) => part !== '')
    .map(scalar);
  return { key, place, value: { kind: 'list', place, items } };
}
