import path from 'node:path';
import {
  assert,
  type Env,
  errorText,
  type TlsClientAuth,
  type TlsClientOptions,
  type TlsServerOptions,
  type TlsVersion,
} from '@pollux/base';
import {
  boolean,
  type Decoded,
  list,
  nullable,
  object,
  oneOf,
  optional,
  parseYaml,
  refuse,
  strictContext,
  string,
} from '@pollux/config';
import type { GossipTls } from '@pollux/gossip';
import { clientConfigFields, clientSettings, DEFAULT_HTTP_CONFIG } from '@pollux/http';
import type { Log } from '@pollux/telemetry';
import { readTextFile } from '../runtime/read-file.ts';

/** Renewed files take effect within this. */
const REREAD_MS = 5_000;

const CLIENT_AUTH: Readonly<Record<string, TlsClientAuth>> = {
  '': 'none',
  NoClientCert: 'none',
  RequestClientCert: 'request',
  RequireAnyClientCert: 'require-any',
  RequireClientCert: 'require-any',
  VerifyClientCertIfGiven: 'verify-if-given',
  RequireAndVerifyClientCert: 'require-and-verify',
};

const VERSIONS = {
  TLS10: 'TLSv1',
  TLS11: 'TLSv1.1',
  TLS12: 'TLSv1.2',
  TLS13: 'TLSv1.3',
} as const satisfies Readonly<Record<string, TlsVersion>>;

/** Go's names of curves and OpenSSL's. */
const CURVES: Readonly<Record<string, string>> = {
  CurveP256: 'P-256',
  CurveP384: 'P-384',
  CurveP521: 'P-521',
  X25519: 'X25519',
};

const version = oneOf('TLS10', 'TLS11', 'TLS12', 'TLS13');

const serverFields = {
  cert_file: optional(string, ''),
  key_file: optional(string, ''),
  cert: optional(string, ''),
  key: optional(string, ''),
  client_ca_file: optional(string, ''),
  client_ca: optional(string, ''),
  client_auth_type: optional(string, ''),
  min_version: optional(version, 'TLS12'),
  max_version: optional(version, 'TLS13'),
  cipher_suites: optional(list(string), []),
  curve_preferences: optional(list(string), []),
  prefer_server_cipher_suites: optional(boolean, true),
} as const;

type ServerConfig = Decoded<typeof serverFields>;

const fileFields = {
  tls_server_config: optional(nullable(object(serverFields)), null),
  tls_client_config: clientConfigFields.tls_config,
} as const;

type Settings = { readonly server: TlsServerOptions; readonly client: TlsClientOptions };

/**
 * The file of `--cluster.tls-config`: certificates for members to know each other by. It and all that it names are read
 * again every five seconds while connections are made; what cannot be read then leaves the last good ones in force.
 */
export class ClusterTls implements GossipTls {
  readonly #env: Pick<Env, 'clock' | 'files'>;
  readonly #log: Log;
  readonly #file: string;
  #settings: Settings;
  #readMs: number;

  /** Throws an InputError that names the place when the file or a certificate is unusable. */
  constructor(env: Pick<Env, 'clock' | 'files'>, log: Log, file: string) {
    this.#env = env;
    this.#log = log;
    this.#file = path.resolve(file);
    this.#settings = this.#read();
    this.#readMs = env.clock.monotonic();
  }

  server(): TlsServerOptions {
    return this.#current().server;
  }

  client(): TlsClientOptions {
    return this.#current().client;
  }

  #current(): Settings {
    const nowMs = this.#env.clock.monotonic();
    if (nowMs - this.#readMs < REREAD_MS) return this.#settings;
    this.#readMs = nowMs;
    try {
      this.#settings = this.#read();
    } catch (error) {
      this.#log.error('reading the TLS configuration of the cluster failed; the old one holds', {
        file: this.#file,
        err: errorText(error),
      });
    }
    return this.#settings;
  }

  #read(): Settings {
    const { files } = this.#env;
    const root = parseYaml(readTextFile(files, this.#file), this.#file);
    const config = object(fileFields)(root, '', strictContext());
    if (config.tls_server_config === null) {
      refuse(root, '', "missing 'tls_server_config' entry in the TLS configuration");
    }
    if (config.tls_client_config === null) {
      refuse(root, '', "missing 'tls_client_config' entry in the TLS configuration");
    }
    const inFolder = (name: string): string => path.resolve(path.dirname(this.#file), name);
    const refuseServer = (why: string): never => refuse(root, 'tls_server_config', why);
    const server = serverOptions(config.tls_server_config, {
      read: (name) => readTextFile(files, inFolder(name)),
      refuse: refuseServer,
    });
    const { tls } = clientSettings(
      { ...DEFAULT_HTTP_CONFIG, tls_config: config.tls_client_config },
      files,
      inFolder,
    );
    assert(tls !== undefined, 'settings of TLS come of a configuration of TLS');
    return { server, client: tls };
  }
}

function serverOptions(
  config: ServerConfig,
  { read, refuse: no }: { read: (name: string) => string; refuse: (why: string) => never },
): TlsServerOptions {
  const pick = (inline: string, file: string, what: string): string => {
    if (inline !== '' && file !== '') no(`at most one of ${what} and ${what}_file may be given`);
    return file === '' ? inline : read(file);
  };
  const certificate = pick(config.cert, config.cert_file, 'cert');
  const key = pick(config.key, config.key_file, 'key');
  if (certificate === '') no('missing cert or cert_file');
  if (key === '') no('missing key or key_file');
  const clientCa = pick(config.client_ca, config.client_ca_file, 'client_ca');
  const clientAuth = CLIENT_AUTH[config.client_auth_type];
  if (clientAuth === undefined) return no(`invalid ClientAuth: ${config.client_auth_type}`);
  if (clientCa !== '' && clientAuth === 'none') {
    no('client CAs have been configured without a client auth policy');
  }
  const curves = config.curve_preferences.map(
    (name) => CURVES[name] ?? no(`unknown curve: ${name}`),
  );
  return {
    certificate,
    key,
    clientAuth,
    ...(clientCa === '' ? {} : { clientCa }),
    ...(config.cipher_suites.length === 0
      ? {}
      : { ciphers: config.cipher_suites.map(openSslName).join(':') }),
    ...(curves.length === 0 ? {} : { curves: curves.join(':') }),
    minVersion: VERSIONS[config.min_version],
    maxVersion: VERSIONS[config.max_version],
  };
}

/** `TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256` → `ECDHE-RSA-AES128-GCM-SHA256`; those of TLS 1.3 keep their names. */
function openSslName(suite: string): string {
  if (!suite.includes('_WITH_')) return suite;
  return suite
    .replace(/^TLS_/, '')
    .replace('_WITH_', '_')
    .replace(/^RSA_/, '')
    .replace('CHACHA20_POLY1305_SHA256', 'CHACHA20_POLY1305')
    .replace(/AES_(128|256)_CBC/, 'AES_$1')
    .replace(/AES_(128|256)/, 'AES$1')
    .replaceAll('_', '-');
}
