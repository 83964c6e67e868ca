import path from 'node:path';
import {
  assert,
  type Env,
  errorText,
  type TlsClientOptions,
  type TlsServerOptions,
} from '@pollux/base';
import { nullable, object, optional, parseYaml, refuse, strictContext } from '@pollux/config';
import type { GossipTls } from '@pollux/gossip';
import { clientConfigFields, clientSettings, DEFAULT_HTTP_CONFIG } from '@pollux/http';
import type { Log } from '@pollux/telemetry';
import { readTextFile } from '../runtime/read-file.ts';
import { serverTls, serverTlsFields } from '../runtime/server-tls.ts';

/** Renewed files take effect within this. */
const REREAD_MS = 5_000;

const fileFields = {
  tls_server_config: optional(nullable(object(serverTlsFields)), null),
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
    const server = serverTls(config.tls_server_config, {
      node: root,
      read: (name) => readTextFile(files, inFolder(name)),
    });
    if (server === null)
      return refuse(root, 'tls_server_config', 'missing one of cert or cert_file');
    const { tls } = clientSettings(
      { ...DEFAULT_HTTP_CONFIG, tls_config: config.tls_client_config },
      files,
      inFolder,
    );
    assert(tls !== undefined, 'settings of TLS come of a configuration of TLS');
    return { server, client: tls };
  }
}
