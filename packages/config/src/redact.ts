import { stringify } from 'yaml';
import type { ConfigNode } from './node.ts';

/** Keys whose value is never shown; files that hold a secret are named, not read. */
const SECRET_KEYS = new Set([
  'password',
  'credentials',
  'bearer_token',
  'client_secret',
  'client_certificate_key',
  'secret',
  'secret_key',
  'secrets',
  'key',
  'api_key',
  'token',
  'access_token',
  'service_key',
  'routing_key',
  'smtp_auth_password',
  'smtp_auth_secret',
  'auth_password',
  'auth_secret',
  'api_secret',
  'bot_token',
  'shared-secret',
]);

/** The configuration as YAML text with every secret as `<secret>`, for status pages. Comments are gone. */
export function redactedYaml(node: ConfigNode): string {
  return stringify(
    plain(node, (text) => withoutUserPassword(text)),
    { lineWidth: 0 },
  );
}

/**
 * Plain values of a configuration, for hashing and comparing. Equal configurations give equal values whatever their
 * comments, quotes and places.
 */
export function plainValue(node: ConfigNode): unknown {
  return plain(node, (text) => text, false);
}

function plain(node: ConfigNode, show: (text: string) => string, hides = true): unknown {
  switch (node.kind) {
    case 'null':
      return null;
    case 'scalar':
      return typeof node.value === 'string' ? show(node.value) : node.value;
    case 'list':
      return node.items.map((item) => plain(item, show, hides));
    case 'map':
      return Object.fromEntries(
        node.entries.map(({ key, value }) => [
          key,
          hides && SECRET_KEYS.has(key) ? '<secret>' : plain(value, show, hides),
        ]),
      );
  }
}

/** `http://user:pass@host` and `?p=pass&u=…` as InfluxDB's URLs carry them. */
function withoutUserPassword(text: string): string {
  return text
    .replace(/^(\w+:\/\/[^:@/]+):[^@/]+@/, '$1:<secret>@')
    .replace(/([?&](?:p|password|access_token|key|token)=)[^&]+/g, '$1<secret>');
}
