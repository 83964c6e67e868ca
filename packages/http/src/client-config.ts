import type { Files, Headers, TlsClientOptions, TlsVersion } from '@pollux/base';
import {
  boolean,
  type Decoded,
  list,
  nullable,
  object,
  oneOf,
  optional,
  record,
  refuse,
  Secret,
  secret,
  string,
} from '@pollux/config';

const NO_SECRET = new Secret('');

/** Headers, in lower case, that a protocol of ours or the authentication sets; a configured one would be sent twice. */
export const PROTOCOL_HEADERS: readonly string[] = [
  'authorization',
  'host',
  'content-encoding',
  'content-length',
  'content-type',
  'user-agent',
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'www-authenticate',
  'accept-encoding',
  'x-prometheus-remote-write-version',
  'x-prometheus-remote-read-version',
];

const RESERVED_HEADERS = new Set([
  ...PROTOCOL_HEADERS,
  'x-prometheus-scrape-timeout-seconds',
  'x-amz-date',
  'x-amz-security-token',
  'x-amz-content-sha256',
]);

const TLS_VERSIONS = {
  TLS10: 'TLSv1',
  TLS11: 'TLSv1.1',
  TLS12: 'TLSv1.2',
  TLS13: 'TLSv1.3',
} as const satisfies Record<string, TlsVersion>;

const tlsVersion = oneOf('', 'TLS10', 'TLS11', 'TLS12', 'TLS13');

const tlsFields = {
  ca: optional(string, ''),
  ca_file: optional(string, ''),
  cert: optional(string, ''),
  cert_file: optional(string, ''),
  key: optional(secret, NO_SECRET),
  key_file: optional(string, ''),
  server_name: optional(string, ''),
  insecure_skip_verify: optional(boolean, false),
  min_version: optional(tlsVersion, ''),
  max_version: optional(tlsVersion, ''),
} as const;
const tlsConfig = object(tlsFields);

const basicAuth = object({
  username: optional(string, ''),
  username_file: optional(string, ''),
  password: optional(secret, NO_SECRET),
  password_file: optional(string, ''),
});

const authorization = object({
  type: optional(string, 'Bearer'),
  credentials: optional(secret, NO_SECRET),
  credentials_file: optional(string, ''),
});

const httpHeader = object({
  values: optional(list(string), []),
  secrets: optional(list(secret), []),
  files: optional(list(string), []),
});

/** The part of the HTTP client block that is the same for each request; `http-config.ts` has all of it. */
export const clientConfigFields = {
  basic_auth: optional(nullable(basicAuth), null),
  authorization: optional(nullable(authorization), null),
  bearer_token: optional(secret, NO_SECRET),
  bearer_token_file: optional(string, ''),
  tls_config: optional(nullable(tlsConfig), null),
  follow_redirects: optional(boolean, true),
  enable_http2: optional(boolean, true),
  http_headers: optional(record(httpHeader), {}),
} as const;

export type ClientConfig = Decoded<typeof clientConfigFields>;

/** The rules between the fields: one method of authentication, one source for each secret. */
export function checkClientConfig(
  node: Parameters<typeof refuse>[0],
  path: string,
  config: ClientConfig,
): void {
  const bearer = config.bearer_token.reveal() !== '' || config.bearer_token_file !== '';
  const methods = [config.basic_auth !== null, config.authorization !== null, bearer];
  if (methods.filter(Boolean).length > 1) {
    refuse(
      node,
      path,
      'at most one of basic_auth, authorization & bearer_token must be configured',
    );
  }
  if (config.bearer_token.reveal() !== '' && config.bearer_token_file !== '') {
    refuse(node, path, 'at most one of bearer_token & bearer_token_file must be configured');
  }
  const basic = config.basic_auth;
  if (basic !== null && basic.password.reveal() !== '' && basic.password_file !== '') {
    refuse(node, path, 'at most one of basic_auth password & password_file must be configured');
  }
  const auth = config.authorization;
  if (auth !== null && auth.type.trim().toLowerCase() === 'basic') {
    refuse(node, path, 'authorization type cannot be set to "basic", use "basic_auth" instead');
  }
  if (auth !== null && auth.credentials.reveal() !== '' && auth.credentials_file !== '') {
    refuse(
      node,
      path,
      'at most one of authorization credentials & credentials_file must be configured',
    );
  }
  if (basic !== null && basic.username !== '' && basic.username_file !== '') {
    refuse(node, path, 'at most one of basic_auth username & username_file must be configured');
  }
  for (const name of Object.keys(config.http_headers)) {
    if (RESERVED_HEADERS.has(name.toLowerCase())) {
      refuse(node, path, `setting header "${name}" is not allowed`);
    }
  }
  if (config.tls_config !== null) checkTls(node, path, config.tls_config);
}

function checkTls(
  node: Parameters<typeof refuse>[0],
  path: string,
  tls: Decoded<typeof tlsFields>,
): void {
  const hasKey = tls.key.reveal() !== '' || tls.key_file !== '';
  const hasCertificate = tls.cert !== '' || tls.cert_file !== '';
  const pairs = [
    ['ca', tls.ca, tls.ca_file],
    ['cert', tls.cert, tls.cert_file],
    ['key', tls.key.reveal(), tls.key_file],
  ] as const;
  for (const [name, inline, file] of pairs) {
    if (inline !== '' && file !== '') {
      refuse(node, path, `at most one of ${name} and ${name}_file must be configured`);
    }
  }
  if (hasCertificate && !hasKey) {
    refuse(
      node,
      path,
      'exactly one of key or key_file must be configured when a client certificate is configured',
    );
  }
  if (hasKey && !hasCertificate) {
    refuse(
      node,
      path,
      'exactly one of cert or cert_file must be configured when a client key is configured',
    );
  }
}

export type ClientSettings = { readonly headers: Headers; readonly tls?: TlsClientOptions };

/**
 * Headers and TLS options for one request. Files are read anew each time, so a rotated secret is used at once; a missing
 * file is a system error of that request, not of the process. `resolvePath` joins relative names to the config's folder.
 */
export function clientSettings(
  config: ClientConfig,
  files: Files,
  resolvePath: (name: string) => string,
): ClientSettings {
  const read = (name: string): string =>
    new TextDecoder().decode(files.readFile(resolvePath(name))).trim();
  const headers: Record<string, string> = {};
  for (const [name, { values, secrets, files: names }] of Object.entries(config.http_headers)) {
    const all = [...values, ...secrets.map((value) => value.reveal()), ...names.map(read)];
    headers[name.toLowerCase()] = all.join(', ');
  }
  const { basic_auth: basic, authorization: auth } = config;
  if (basic !== null) {
    const user = basic.username_file === '' ? basic.username : read(basic.username_file);
    const password =
      basic.password_file === '' ? basic.password.reveal() : read(basic.password_file);
    headers.authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
  } else if (auth !== null) {
    const value =
      auth.credentials_file === '' ? auth.credentials.reveal() : read(auth.credentials_file);
    headers.authorization = `${auth.type.trim() || 'Bearer'} ${value}`;
  } else if (config.bearer_token_file !== '') {
    headers.authorization = `Bearer ${read(config.bearer_token_file)}`;
  } else if (config.bearer_token.reveal() !== '') {
    headers.authorization = `Bearer ${config.bearer_token.reveal()}`;
  }
  if (config.tls_config === null) return { headers };
  const tls = config.tls_config;
  const pick = (inline: string, name: string): string => (name === '' ? inline : read(name));
  const ca = pick(tls.ca, tls.ca_file);
  const certificate = pick(tls.cert, tls.cert_file);
  const key = pick(tls.key.reveal(), tls.key_file);
  return {
    headers,
    tls: {
      ...(ca === '' ? {} : { ca }),
      ...(certificate === '' ? {} : { certificate }),
      ...(key === '' ? {} : { key }),
      ...(tls.server_name === '' ? {} : { serverName: tls.server_name }),
      insecureSkipVerify: tls.insecure_skip_verify,
      ...(tls.min_version === '' ? {} : { minVersion: TLS_VERSIONS[tls.min_version] }),
      ...(tls.max_version === '' ? {} : { maxVersion: TLS_VERSIONS[tls.max_version] }),
    },
  };
}
