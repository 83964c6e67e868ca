import {
  boolean,
  type ConfigNode,
  type DecodeContext,
  list,
  nonNegativeInteger,
  nullable,
  number,
  object,
  oneOf,
  optional,
  parsed,
  placeText,
  record,
  refuse,
  secret,
  string,
} from '@pollux/config';
import { clientConfigFields, httpConfig } from '@pollux/http';
import { parseDuration } from '@pollux/model';
import { NO_SECRET, secretUrl } from '../notify/receivers/fields.ts';

/**
 * Blocks of the file that are read and checked, so that a file of the original loads, but have no effect here: each gives a
 * warning that says so.
 */
const duration = optional(parsed(parseDuration), 0);
const tlsConfig = clientConfigFields.tls_config.decoder;

const header = object({
  values: optional(list(string), []),
  secrets: optional(list(secret), []),
  files: optional(list(string), []),
});

const tracingFields = object({
  client_type: optional(oneOf('http', 'grpc'), 'grpc'),
  endpoint: optional(string, ''),
  sampling_fraction: optional(number, 0),
  insecure: optional(boolean, false),
  tls_config: optional(tlsConfig, null),
  headers: optional(nullable(record(header)), null),
  compression: optional(string, ''),
  timeout: duration,
});

export type TracingConfig = ReturnType<typeof tracingFields>;

/** `tracing:` of Alertmanager. */
export function tracingConfig(node: ConfigNode, path: string, context: DecodeContext) {
  const read = tracingFields(node, path, context);
  if (read.endpoint === '') refuse(node, path, 'tracing endpoint must be set');
  if (read.compression !== '' && read.compression !== 'gzip') {
    refuse(
      node,
      path,
      `invalid compression type ${read.compression} provided, valid options: gzip`,
    );
  }
  warnUnserved(node, path, context, 'no traces are sent');
  return read;
}

const eventFields = object({
  file_outputs: optional(list(object({ path: optional(string, '') })), []),
  webhook_outputs: optional(
    list(
      object({
        url: optional(secretUrl, NO_SECRET),
        http_config: optional(nullable(httpConfig), null),
        timeout: duration,
        workers: optional(nonNegativeInteger, 0),
        max_retries: optional(nonNegativeInteger, 0),
        retry_backoff: duration,
        batch: optional(boolean, false),
        batch_max_events: optional(nonNegativeInteger, 0),
        batch_max_bytes: optional(nonNegativeInteger, 0),
        batch_flush_interval: duration,
      }),
    ),
    [],
  ),
  kafka_outputs: optional(
    list(
      object({
        brokers: optional(list(string), []),
        topic: optional(string, ''),
        client_id: optional(string, ''),
        format: optional(oneOf('', 'json', 'protobuf'), ''),
        acks: optional(oneOf('', 'none', 'leader', 'all'), ''),
        compression: optional(oneOf('', 'none', 'gzip', 'snappy', 'lz4', 'zstd'), ''),
        buffer_size: optional(nonNegativeInteger, 0),
        tls_config: optional(tlsConfig, null),
      }),
    ),
    [],
  ),
  stdout_outputs: optional(list(object({})), []),
});

export type EventRecorderConfig = ReturnType<typeof eventFields>;

/** `event_recorder:` of Alertmanager, which the original too leaves aside without its feature flag. */
export function eventRecorderConfig(node: ConfigNode, path: string, context: DecodeContext) {
  const read = eventFields(node, path, context);
  if (read.file_outputs.some((output) => output.path === '')) {
    refuse(node, path, 'event_recorder file output requires a path');
  }
  if (read.webhook_outputs.some((output) => output.url.reveal() === '')) {
    refuse(node, path, 'event_recorder webhook output requires a url');
  }
  for (const { brokers, topic } of read.kafka_outputs) {
    if (brokers.length === 0) {
      refuse(node, path, 'event_recorder kafka: at least one broker is required');
    }
    if (topic === '') refuse(node, path, 'event_recorder kafka output requires a topic');
  }
  const outputs = Object.values(read).reduce((sum, of) => sum + of.length, 0);
  if (outputs > 0) warnUnserved(node, path, context, 'no events are recorded');
  return read;
}

function warnUnserved(
  node: ConfigNode,
  path: string,
  context: DecodeContext,
  effect: string,
): void {
  context.warnings.push(`${placeText(node.place)}: ${path}: is read but not served: ${effect}`);
}
