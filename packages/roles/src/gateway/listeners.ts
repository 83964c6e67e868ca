import {
  type Env,
  errorText,
  type Files,
  type HttpHandler,
  type HttpServeTls,
  InputError,
  type Listener,
  type ServerCertificate,
} from '@pollux/base';
import { type GatewayConfig, VirtualHosts } from '@pollux/gateway';
import { parseAddress } from '@pollux/http/serving';
import { ListenError } from '../runtime/web.ts';

type TlsFiles = NonNullable<GatewayConfig['hosts'][number]['tls']>;

/** The listeners of gateway.yml, besides the one of the command line. */
export class Listeners {
  readonly #env: Env;
  #open: { readonly address: string; readonly isTls: boolean; readonly listener: Listener }[] = [];

  constructor(env: Env) {
    this.#env = env;
  }

  async start(config: GatewayConfig, handler: HttpHandler, maxConnections: number): Promise<void> {
    const settings = certificates(config, this.#env.files);
    for (const [index, { address }] of config.listeners.entries()) {
      const tls = settings[index] ?? null;
      const at = parseAddress(address);
      const options = { at, maxConnections, readTimeoutMs: 300_000, takesUpgrades: true };
      try {
        const listener = await this.#env.net.serveHttp(
          tls === null ? options : { ...options, tls },
          handler,
        );
        this.#open.push({ address, isTls: tls !== null, listener });
      } catch (error) {
        await this.close();
        throw new ListenError(at, error);
      }
    }
  }

  /** Reads certificates anew; the returned function takes them into use. Addresses stay as they are. */
  prepare(config: GatewayConfig): () => void {
    const shown = (address: string, isTls: boolean): string => `${address}${isTls ? ' tls' : ''}`;
    const before = this.#open.map(({ address, isTls }) => shown(address, isTls)).join(', ');
    const after = config.listeners
      .map(({ address, tls }) => shown(address, tls !== null))
      .join(', ');
    if (before !== after) {
      throw new InputError(
        'ROLES.LISTENERS_CHANGED',
        'listeners',
        `change only with a restart (now: ${before === '' ? 'none' : before})`,
      );
    }
    const settings = certificates(config, this.#env.files);
    return () => {
      for (const [index, { listener }] of this.#open.entries()) {
        const tls = settings[index] ?? null;
        if (tls !== null) listener.renewTls?.(tls);
      }
    };
  }

  async close(): Promise<void> {
    await Promise.all(this.#open.map(({ listener }) => listener.close()));
    this.#open = [];
  }
}

/** For each listener, what it shows to which name; null for one without TLS. Hosts without a certificate have the listener's own. */
function certificates({ listeners, hosts }: GatewayConfig, files: Files): (HttpServeTls | null)[] {
  const named: [readonly string[], ServerCertificate | null][] = [];
  let asks = false;
  for (const { server_names, tls } of hosts) {
    named.push([server_names, tls === null ? null : certificate(tls, files)]);
    asks ||= tls !== null && tls.client_certificate !== 'none';
  }
  const byName = new VirtualHosts<ServerCertificate | null>(named, null);
  return listeners.map(({ tls }) => {
    if (tls === null) return null;
    return {
      ...certificate(tls, files),
      byServerName: (name) => byName.find(name),
      asksClientCertificates: asks || tls.client_certificate !== 'none',
    };
  });
}

function certificate(tls: TlsFiles, files: Files): ServerCertificate {
  const ca = tls.client_ca_file === '' ? null : read(files, tls.client_ca_file);
  return {
    certificate: read(files, tls.cert_file),
    key: read(files, tls.key_file),
    ...(ca === null ? {} : { clientCa: ca }),
  };
}

function read(files: Files, path: string): string {
  try {
    return new TextDecoder().decode(files.readFile(path));
  } catch (error) {
    throw new InputError('ROLES.BAD_CERTIFICATE_FILE', path, errorText(error));
  }
}
