import { createHash } from 'node:crypto';
import {
  boolean,
  type ConfigNode,
  type Decoder,
  entryOf,
  list,
  nonEmptyString,
  nonNegativeInteger,
  nullable,
  object,
  oneOf,
  optional,
  parsed,
  placeText,
  raw,
  record,
  refuse,
  required,
  shownAddress,
  strictContext,
  string,
} from '@pollux/config';
import { checkHttpConfig, type HttpConfig, httpConfigFields, PROTOCOL_HEADERS } from '@pollux/http';
import { parseDuration, type RelabelStep } from '@pollux/model';
import { relabelConfigs } from '@pollux/relabel-config';
import { NotSupportedError } from '../errors.ts';

export type QueueConfig = {
  /** Samples a shard holds in memory. */
  readonly capacity: number;
  readonly maxShards: number;
  readonly minShards: number;
  readonly maxSamplesPerSend: number;
  readonly batchSendDeadlineMs: number;
  readonly minBackoffMs: number;
  readonly maxBackoffMs: number;
  readonly retryOnHttp429: boolean;
  /** Older samples are dropped instead of sent; 0 = never. */
  readonly sampleAgeLimitMs: number;
};

export type MetadataConfig = {
  readonly send: boolean;
  readonly sendIntervalMs: number;
  readonly maxSamplesPerSend: number;
};

/** One entry of `remote_write:`. */
export type RemoteWriteConfig = {
  readonly url: string;
  /** As configured, else six hex digits from the URL. Names metrics and the directory of the queue. */
  readonly name: string;
  readonly remoteTimeoutMs: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly writeRelabelSteps: readonly RelabelStep[];
  readonly sendExemplars: boolean;
  readonly sendNativeHistograms: boolean;
  readonly queue: QueueConfig;
  readonly metadata: MetadataConfig;
  readonly client: HttpConfig;
};

/** A duration of Prometheus' syntax, in ms. */
export const duration: Decoder<number> = parsed(parseDuration);

const queueFields = object({
  capacity: optional(nonNegativeInteger, 10_000),
  max_shards: optional(nonNegativeInteger, 50),
  min_shards: optional(nonNegativeInteger, 1),
  max_samples_per_send: optional(nonNegativeInteger, 2_000),
  batch_send_deadline: optional(duration, 5_000),
  min_backoff: optional(duration, 30),
  max_backoff: optional(duration, 5_000),
  retry_on_http_429: optional(boolean, false),
  sample_age_limit: optional(duration, 0),
});

const metadataFields = object({
  send: optional(boolean, true),
  send_interval: optional(duration, 60_000),
  max_samples_per_send: optional(nonNegativeInteger, 2_000),
});

/** Known to Prometheus, refused here when set to anything. */
const UNSUPPORTED_AUTH = {
  sigv4: optional(nullable(raw), null),
  azuread: optional(nullable(raw), null),
  google_iam: optional(nullable(raw), null),
} as const;

const writeFields = object({
  url: required(nonEmptyString),
  name: optional(string, ''),
  remote_timeout: optional(duration, 30_000),
  headers: optional(record(string), {}),
  write_relabel_configs: optional(relabelConfigs(), []),
  send_exemplars: optional(boolean, false),
  send_native_histograms: optional(boolean, false),
  round_robin_dns: optional(boolean, false),
  protobuf_message: optional(
    oneOf('prometheus.WriteRequest', 'io.prometheus.write.v2.Request'),
    'prometheus.WriteRequest',
  ),
  failed_request_logging: optional(nullable(raw), null),
  queue_config: optional(queueFields, queueFields(emptyMap(), '', strictContext())),
  metadata_config: optional(metadataFields, metadataFields(emptyMap(), '', strictContext())),
  ...httpConfigFields,
  ...UNSUPPORTED_AUTH,
});

/** One entry of `remote_write:`. Throws ConfigError or NotSupportedError with the place. */
export const remoteWriteConfig: Decoder<RemoteWriteConfig> = (node, path, context) => {
  const config = writeFields(node, path, context);
  checkHttpConfig(node, path, config);
  refuseUnsupported(node, path);
  checkUrl(node, path, config.url);
  checkHeaders(node, path, config.headers);
  if (config.protobuf_message !== 'prometheus.WriteRequest') {
    unsupported(node, path, 'protobuf_message', `protobuf_message ${config.protobuf_message}`);
  }
  if (config.round_robin_dns) unsupported(node, path, 'round_robin_dns', 'round_robin_dns');
  return {
    url: config.url,
    name: config.name === '' ? nameOf(config.url) : config.name,
    remoteTimeoutMs: config.remote_timeout,
    headers: lowerCaseNames(config.headers),
    writeRelabelSteps: config.write_relabel_configs,
    sendExemplars: config.send_exemplars,
    sendNativeHistograms: config.send_native_histograms,
    queue: queueOf(
      entryOf(node, 'queue_config') ?? node,
      `${path}.queue_config`,
      config.queue_config,
    ),
    metadata: metadataOf(config.metadata_config),
    client: config,
  };
};

/** The whole `remote_write:` list: names must differ, given or not. */
export const remoteWriteConfigs: Decoder<readonly RemoteWriteConfig[]> = (node, path, context) => {
  const configs = list(remoteWriteConfig)(node, path, context);
  const seen = new Set<string>();
  for (const [index, { name }] of configs.entries()) {
    if (seen.has(name)) {
      const place = node.kind === 'list' ? (node.items[index] ?? node) : node;
      refuse(
        place,
        `${path}[${index}]`,
        `found multiple remote write configs with job name "${name}"; give each a name of its own`,
      );
    }
    seen.add(name);
  }
  return configs;
};

function queueOf(
  node: ConfigNode,
  path: string,
  config: ReturnType<typeof queueFields>,
): QueueConfig {
  for (const key of ['capacity', 'max_shards', 'min_shards', 'max_samples_per_send'] as const) {
    if (config[key] < 1) refuse(node, path, `${key} must be 1 or more`);
  }
  if (config.max_shards < config.min_shards) {
    refuse(node, path, 'max_shards must not be below min_shards');
  }
  if (config.max_backoff < config.min_backoff) {
    refuse(node, path, 'max_backoff must not be below min_backoff');
  }
  return {
    capacity: Math.max(config.capacity, config.max_samples_per_send),
    maxShards: config.max_shards,
    minShards: config.min_shards,
    maxSamplesPerSend: config.max_samples_per_send,
    batchSendDeadlineMs: config.batch_send_deadline,
    minBackoffMs: Math.max(1, config.min_backoff),
    maxBackoffMs: Math.max(1, config.max_backoff),
    retryOnHttp429: config.retry_on_http_429,
    sampleAgeLimitMs: config.sample_age_limit,
  };
}

function metadataOf(config: ReturnType<typeof metadataFields>): MetadataConfig {
  return {
    send: config.send,
    sendIntervalMs: Math.max(1_000, config.send_interval),
    maxSamplesPerSend: Math.max(1, config.max_samples_per_send),
  };
}

/** Refuses every key of the shared client block that is known but not served. */
export function refuseUnsupported(node: ConfigNode, path: string): void {
  for (const key of Object.keys(UNSUPPORTED_AUTH)) {
    if (entryOf(node, key) !== null) unsupported(node, path, key, key);
  }
}

export const unsupportedFields = UNSUPPORTED_AUTH;

export function checkUrl(node: ConfigNode, path: string, url: string): void {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    refuse(
      entryOf(node, 'url') ?? node,
      `${path}.url`,
      `"${shownAddress(url)}" is no http or https URL`,
    );
  }
}

/** Beside the headers of every client, those that request signing sets. */
const RESERVED_HEADERS = new Set([
  ...PROTOCOL_HEADERS,
  'x-amz-date',
  'x-amz-security-token',
  'x-amz-content-sha256',
]);

export function checkHeaders(
  node: ConfigNode,
  path: string,
  headers: Readonly<Record<string, string>>,
): void {
  for (const name of Object.keys(headers)) {
    const at = entryOf(node, 'headers') ?? node;
    if (name.toLowerCase() === 'authorization') {
      refuse(
        at,
        `${path}.headers`,
        'authorization header must be changed via the basic_auth, authorization, oauth2, sigv4, azuread or google_iam parameter',
      );
    }
    if (RESERVED_HEADERS.has(name.toLowerCase())) {
      refuse(at, `${path}.headers`, `${name} is a reserved header. It must not be changed`);
    }
  }
}

export function lowerCaseNames(
  headers: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
  );
}

/** The name of an endpoint that was given none: of the URL only, so that other changes keep its queue. */
export function nameOf(url: string): string {
  return createHash('md5').update(url).digest('hex').slice(0, 6);
}

function unsupported(node: ConfigNode, path: string, key: string, what: string): never {
  const at = entryOf(node, key) ?? node;
  throw new NotSupportedError(placeText(at.place), `${path}.${key}: ${what}`);
}

function emptyMap(): ConfigNode {
  return { kind: 'map', place: { file: '', line: 0, column: 0 }, entries: [] };
}
