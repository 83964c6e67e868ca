import type { Files } from '@pollux/base';
import {
  boolean,
  type ConfigNode,
  type DecodeContext,
  list,
  nullable,
  number,
  object,
  oneOf,
  optional,
  parsed,
  record,
  refuse,
  secret,
  string,
} from '@pollux/config';
import { clientConfigFields, clientSettings, DEFAULT_HTTP_CONFIG } from '@pollux/http';
import { parseDuration } from '@pollux/model';
import type { TracingSettings } from '@pollux/telemetry';

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
  for (const [name, { files }] of Object.entries(read.headers ?? {})) {
    if (files.length > 0) refuse(node, path, `header ${name}: files are not supported for tracing`);
  }
  return read;
}

/** As the sender of spans takes it; files of `tls_config` are read now, and at each reload. Throws where one cannot be. */
export function tracingSettings(
  config: TracingConfig,
  files: Files,
  resolvePath: (name: string) => string,
): TracingSettings {
  const headers: Record<string, string> = {};
  for (const [name, { values, secrets }] of Object.entries(config.headers ?? {})) {
    const first = values[0] ?? secrets[0]?.reveal();
    if (first !== undefined) headers[name] = first;
  }
  const { tls_config } = config;
  const { tls } = clientSettings({ ...DEFAULT_HTTP_CONFIG, tls_config }, files, resolvePath);
  return {
    clientType: config.client_type,
    endpoint: config.endpoint,
    samplingFraction: Math.min(1, Math.max(0, config.sampling_fraction)),
    isInsecure: config.insecure,
    tls: config.insecure ? null : (tls ?? null),
    headers,
    isCompressed: config.compression !== '',
    timeoutMs: config.timeout,
  };
}
