import {
  boolean,
  type ConfigNode,
  type Decoder,
  nullable,
  optional,
  refuse,
  Secret,
  secret,
  string,
} from '@pollux/config';
import { type HttpConfig, httpConfig } from '@pollux/http';

export const NO_SECRET = new Secret('');

/** Configuration of one integration: `settings` under the keys of the file, with what the global block gives filled in. */
export type IntegrationSettings<Kind extends string, Settings> = {
  readonly kind: Kind;
  readonly sendResolved: boolean;
  readonly http: HttpConfig;
  readonly settings: Settings;
};

/** The two keys that nearly every integration has; their fields are spread into its own. */
export const sharedFields = (sendResolved: boolean) =>
  ({
    send_resolved: optional(boolean, sendResolved),
    http_config: optional(nullable(httpConfig), null),
  }) as const;

export const text = (fallback = '') => optional(string, fallback);
export const flag = (fallback = false) => optional(boolean, fallback);
export const hidden = () => optional(secret, NO_SECRET);

/** An http address whose text may be shown; empty for none. */
export const httpUrl: Decoder<string> = (node, path, context) => {
  const url = string(node, path, context);
  if (url !== '') checkUrl(node, path, url);
  return url;
};

/** An http address that must not be shown. `<secret>`, as a printed configuration has it, is taken too. */
export const secretUrl: Decoder<Secret> = (node, path, context) => {
  const url = string(node, path, context);
  if (url !== '' && url !== '<secret>') checkUrl(node, path, url);
  return new Secret(url);
};

/** Upstream's messages; the address itself is not quoted, since it may hold a token. */
function checkUrl(node: ConfigNode, path: string, url: string): void {
  const scheme = /^([a-zA-Z][a-zA-Z0-9+.-]*):/.exec(url)?.[1]?.toLowerCase() ?? '';
  if (scheme !== 'http' && scheme !== 'https') {
    refuse(node, path, `unsupported scheme "${scheme}" for URL`);
  }
  if (/^[a-z]+:\/\/(?:[/?#]|$)/i.test(url)) refuse(node, path, 'missing host for URL');
  if (!URL.canParse(url)) refuse(node, path, 'the address is no URL');
}

const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};

/** Go's time.Duration (`1h30m`, `1.5s`), in ms. */
export const goDuration: Decoder<number> = (node, path, context) => {
  const written = string(node, path, context);
  if (written === '0') return 0;
  const pattern = /(\d+(?:\.\d*)?|\.\d+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h)/y;
  let total = 0;
  let at = 0;
  while (at < written.length) {
    pattern.lastIndex = at;
    const match = pattern.exec(written);
    if (match === null) break;
    total += Number(match[1]) * (UNIT_MS[match[2] ?? ''] ?? 0);
    at = pattern.lastIndex;
  }
  if (at === 0 || at < written.length) refuse(node, path, `time: invalid duration "${written}"`);
  return total;
};

/** Refuses two ways of giving one secret. */
export function atMostOne(
  node: ConfigNode,
  path: string,
  names: readonly [inline: string, file: string],
  given: readonly [inline: Secret | string, file: string],
): void {
  if (isGiven(given[0]) && given[1] !== '') {
    refuse(node, path, `at most one of ${names[0]} & ${names[1]} must be configured`);
  }
}

export function isGiven(value: Secret | string): boolean {
  return (typeof value === 'string' ? value : value.reveal()) !== '';
}

/** The address with a slash at the end of its path. */
export function withSlash(address: string): string {
  if (address === '') return '';
  const url = new URL(address);
  if (url.pathname.endsWith('/')) return address;
  url.pathname += '/';
  return url.toString();
}
