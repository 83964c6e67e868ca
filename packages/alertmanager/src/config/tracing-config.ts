import {
  type ConfigNode,
  type DecodeContext,
  list,
  nullable,
  object,
  optional,
  record,
  refuse,
  secret,
  string,
} from '@pollux/config';
import { checkTracing, tracingFields } from '@pollux/http';

const header = object({
  values: optional(list(string), []),
  secrets: optional(list(secret), []),
  files: optional(list(string), []),
});

// The order in which the original shows them.
const { compression, timeout, ...firstFields } = tracingFields;
const tracingBlock = object({
  ...firstFields,
  headers: optional(nullable(record(header)), null),
  compression,
  timeout,
});

export type TracingConfig = ReturnType<typeof tracingBlock>;

/** `tracing:` of Alertmanager. */
export function tracingConfig(node: ConfigNode, path: string, context: DecodeContext) {
  const read = tracingBlock(node, path, context);
  checkTracing(node, path, read);
  for (const [name, { files }] of Object.entries(read.headers ?? {})) {
    if (files.length > 0) refuse(node, path, `header ${name}: files are not supported for tracing`);
  }
  return read;
}

/** One value of each, as the original takes it. */
export function tracingHeaders({ headers }: TracingConfig): Readonly<Record<string, string>> {
  const out: Record<string, string> = {};
  for (const [name, { values, secrets }] of Object.entries(headers ?? {})) {
    const first = values[0] ?? secrets[0]?.reveal();
    if (first !== undefined) out[name] = first;
  }
  return out;
}
