import type { Files } from '@pollux/base';
import {
  boolean,
  type ConfigNode,
  type Decoded,
  number,
  oneOf,
  optional,
  parsed,
  refuse,
  string,
} from '@pollux/config';
import { parseDuration } from '@pollux/model';
import type { TracingSettings } from '@pollux/telemetry';
import { clientConfigFields, clientSettings } from './client-config.ts';
import { DEFAULT_HTTP_CONFIG } from './http-config.ts';

/** Of a `tracing:` block, but for its headers, which each program writes in its own way. */
export const tracingFields = {
  client_type: optional(oneOf('http', 'grpc'), 'grpc'),
  endpoint: optional(string, ''),
  sampling_fraction: optional(number, 0),
  insecure: optional(boolean, false),
  tls_config: clientConfigFields.tls_config,
  compression: optional(string, ''),
  timeout: optional(parsed(parseDuration), 0),
} as const;

type TracingBlock = Decoded<typeof tracingFields>;

export function checkTracing(node: ConfigNode, path: string, read: TracingBlock): void {
  if (read.endpoint === '') refuse(node, path, 'tracing endpoint must be set');
  if (read.compression !== '' && read.compression !== 'gzip') {
    refuse(
      node,
      path,
      `invalid compression type ${read.compression} provided, valid options: gzip`,
    );
  }
}

/** As the sender of spans takes it; files of `tls_config` are read now, and at each reload. Throws where one cannot be. */
export function tracingSettings(
  config: TracingBlock,
  headers: Readonly<Record<string, string>>,
  files: Files,
  resolvePath: (name: string) => string,
): TracingSettings {
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
