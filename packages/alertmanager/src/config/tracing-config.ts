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
  placeText,
  record,
  refuse,
  secret,
  string,
} from '@pollux/config';
import { clientConfigFields } from '@pollux/http';
import { parseDuration } from '@pollux/model';

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

/** `tracing:` of Alertmanager: read and checked, so that a file of the original loads; a warning says that it has no effect. */
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
  context.warnings.push(
    `${placeText(node.place)}: ${path}: is read but not served: no traces are sent`,
  );
  return read;
}
