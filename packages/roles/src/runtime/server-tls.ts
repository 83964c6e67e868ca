import { createSecureContext } from 'node:tls';
import {
  errorText,
  type TlsClientAuth,
  type TlsHandshake,
  type TlsServerOptions,
  type TlsVersion,
} from '@pollux/base';
import {
  boolean,
  type ConfigNode,
  type Decoded,
  type Decoder,
  list,
  nullable,
  optional,
  refuse,
  secret,
  string,
} from '@pollux/config';

const CLIENT_AUTH: Readonly<Record<string, TlsClientAuth>> = {
  '': 'none',
  NoClientCert: 'none',
  RequestClientCert: 'request',
  RequireAnyClientCert: 'require-any',
  RequireClientCert: 'require-any',
  VerifyClientCertIfGiven: 'verify-if-given',
  RequireAndVerifyClientCert: 'require-and-verify',
};

const VERSIONS: Readonly<Record<string, TlsVersion>> = {
  TLS10: 'TLSv1',
  TLS11: 'TLSv1.1',
  TLS12: 'TLSv1.2',
  TLS13: 'TLSv1.3',
};

/** Go's names of curves and OpenSSL's. */
const CURVES: Readonly<Record<string, string>> = {
  CurveP256: 'P-256',
  CurveP384: 'P-384',
  CurveP521: 'P-521',
  X25519: 'X25519',
};

/** Go's names of the suites that it takes for secure, and OpenSSL's. Those of TLS 1.3 cannot be chosen there: all are always on. */
const CIPHERS: Readonly<Record<string, string | null>> = {
  TLS_AES_128_GCM_SHA256: null,
  TLS_AES_256_GCM_SHA384: null,
  TLS_CHACHA20_POLY1305_SHA256: null,
  TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA: 'ECDHE-ECDSA-AES128-SHA',
  TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA: 'ECDHE-RSA-AES128-SHA',
  TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA: 'ECDHE-ECDSA-AES256-SHA',
  TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA: 'ECDHE-RSA-AES256-SHA',
  TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: 'ECDHE-ECDSA-AES128-GCM-SHA256',
  TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: 'ECDHE-RSA-AES128-GCM-SHA256',
  TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: 'ECDHE-ECDSA-AES256-GCM-SHA384',
  TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: 'ECDHE-RSA-AES256-GCM-SHA384',
  TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: 'ECDHE-RSA-CHACHA20-POLY1305',
  TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: 'ECDHE-ECDSA-CHACHA20-POLY1305',
};
const TLS13_SUITES = 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256';
/** OpenSSL signs nothing for TLS below 1.2 at its default level. */
const FOR_OLD_VERSIONS = '@SECLEVEL=0';

/** The `tls_server_config` of Prometheus' programs, of their web configuration and of an alertmanager's gossip alike. */
export const serverTlsFields = {
  cert: optional(string, ''),
  cert_file: optional(string, ''),
  key: optional(nullable(secret), null),
  key_file: optional(string, ''),
  client_ca: optional(string, ''),
  client_ca_file: optional(string, ''),
  client_auth_type: optional(string, ''),
  /** Null: any. An empty list: none. */
  client_allowed_sans: optional(nullable(list(string)), null),
  min_version: optional(named('TLS version', VERSIONS), 'TLS12'),
  max_version: optional(named('TLS version', VERSIONS), 'TLS13'),
  cipher_suites: optional(list(named('cipher', CIPHERS)), []),
  curve_preferences: optional(list(named('curve', CURVES)), []),
  /** Has no effect: OpenSSL, as Go since 1.17, takes the best suite that both have. */
  prefer_server_cipher_suites: optional(boolean, true),
} as const;

export type ServerTlsConfig = Decoded<typeof serverTlsFields>;

export type ServerTls = TlsServerOptions & {
  /** A client's certificate must have one of these names; null where any will do. */
  readonly allowedNames: readonly string[] | null;
};

/**
 * Null where nothing asks for TLS. Throws, with the place, what makes it unusable: Prometheus' programs refuse the same, and besides a
 * greatest version below the least, with which they start and no client can connect.
 */
export function serverTls(
  config: ServerTlsConfig,
  at: { readonly node: ConfigNode; readonly read: (file: string) => string },
): ServerTls | null {
  const no = (why: string): never => refuse(at.node, 'tls_server_config', why);
  const inlineKey = config.key?.reveal() ?? '';
  const asksFor = [
    ...[config.cert_file, config.cert, config.key_file, inlineKey],
    ...[config.client_ca_file, config.client_ca, config.client_auth_type],
  ];
  if (asksFor.every((text) => text === '')) return null;
  if (config.cert_file === '' && config.cert === '') no('missing one of cert or cert_file');
  if (config.key_file === '' && inlineKey === '') no('missing one of key or key_file');
  const clientAuth = CLIENT_AUTH[config.client_auth_type];
  if (clientAuth === undefined) return no(`invalid ClientAuth: ${config.client_auth_type}`);
  const hasClientCa = config.client_ca_file !== '' || config.client_ca !== '';
  if (hasClientCa && clientAuth === 'none') {
    no("client CA's have been configured without a Client Auth Policy");
  }
  if (config.min_version > config.max_version) {
    no(`no version is both ${config.min_version} or above and ${config.max_version} or below`);
  }
  const pick = (file: string, inline: string): string => (file === '' ? inline : at.read(file));
  const certificate = pick(config.cert_file, config.cert);
  const key = pick(config.key_file, inlineKey);
  const clientCa = pick(config.client_ca_file, config.client_ca);
  try {
    createSecureContext({ cert: certificate, key });
  } catch (error) {
    no(`failed to load the certificate and its key: ${errorText(error)}`);
  }
  return {
    certificate,
    key,
    clientAuth,
    ...(hasClientCa ? { clientCa } : {}),
    allowedNames: clientAuth === 'none' ? null : config.client_allowed_sans,
    ...handshake(config),
  };
}

function handshake(config: ServerTlsConfig): TlsHandshake {
  const { min_version, max_version, curve_preferences } = config;
  const ciphers = ciphersOf(config);
  return {
    ...(ciphers === null ? {} : { ciphers }),
    ...(curve_preferences.length === 0
      ? {}
      : { curves: curve_preferences.map((name) => CURVES[name]).join(':') }),
    minVersion: VERSIONS[min_version] ?? 'TLSv1.2',
    maxVersion: VERSIONS[max_version] ?? 'TLSv1.3',
  };
}

/** Null for the default. */
function ciphersOf({ min_version, cipher_suites }: ServerTlsConfig): string | null {
  const isOld = min_version < 'TLS12';
  if (cipher_suites.length === 0) return isOld ? `DEFAULT:${FOR_OLD_VERSIONS}` : null;
  const chosen = cipher_suites.flatMap((name) => CIPHERS[name] ?? []);
  // Suites of TLS 1.3 alone leave none for the versions before.
  if (chosen.length === 0) return TLS13_SUITES;
  return [...chosen, ...(isOld ? [FOR_OLD_VERSIONS] : [])].join(':');
}

/** One of the names of a table; told as Go's programs do. */
function named(kind: string, table: Readonly<Record<string, unknown>>): Decoder<string> {
  return (node, path, context) => {
    const name = string(node, path, context);
    return Object.hasOwn(table, name) ? name : refuse(node, path, `unknown ${kind}: ${name}`);
  };
}
