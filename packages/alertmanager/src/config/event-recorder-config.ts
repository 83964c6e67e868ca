import {
  boolean,
  type ConfigNode,
  type DecodeContext,
  integer,
  list,
  nonNegativeInteger,
  nullable,
  object,
  oneOf,
  optional,
  parsed,
  refuse,
  string,
} from '@pollux/config';
import { clientConfigFields, httpConfig } from '@pollux/http';
import { parseDuration } from '@pollux/model';
import { NO_SECRET, secretUrl } from '../notify/receivers/fields.ts';

const duration = optional(parsed(parseDuration), 0);
const tlsConfig = clientConfigFields.tls_config.decoder;

const eventFields = object({
  file_outputs: optional(list(object({ path: optional(string, '') })), []),
  webhook_outputs: optional(
    list(
      object({
        url: optional(secretUrl, NO_SECRET),
        http_config: optional(nullable(httpConfig), null),
        timeout: duration,
        workers: optional(integer, 0),
        max_retries: optional(integer, 0),
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
        buffer_size: optional(integer, 0),
        tls_config: optional(tlsConfig, null),
      }),
    ),
    [],
  ),
  stdout_outputs: optional(list(object({})), []),
});

export type EventRecorderConfig = ReturnType<typeof eventFields>;

/** `event_recorder:` of Alertmanager, which has an effect with `--enable-feature=event-recorder` only. Times of 0 and limits below 1 are the defaults. */
export function eventRecorderConfig(node: ConfigNode, path: string, context: DecodeContext) {
  const read = eventFields(node, path, context);
  if (read.file_outputs.some((output) => output.path === '')) {
    refuse(node, path, 'event_recorder file output requires a path');
  }
  for (const output of read.webhook_outputs) {
    if (output.url.reveal() === '') {
      refuse(node, path, 'event_recorder webhook output requires a url');
    }
    const { batch, batch_max_events, batch_max_bytes, batch_flush_interval } = output;
    if (!batch && batch_max_events + batch_max_bytes + batch_flush_interval > 0) {
      refuse(node, path, 'event_recorder webhook batch settings require batch: true');
    }
  }
  for (const { brokers, topic } of read.kafka_outputs) {
    if (brokers.length === 0) {
      refuse(node, path, 'event_recorder kafka: at least one broker is required');
    }
    if (brokers.includes('')) {
      refuse(node, path, 'event_recorder kafka: broker entries must be non-empty');
    }
    if (topic === '') refuse(node, path, 'event_recorder kafka output requires a topic');
  }
  return read;
}
