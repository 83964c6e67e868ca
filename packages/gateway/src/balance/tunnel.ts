import {
  type Env,
  ExchangeError,
  type HttpRequest,
  OperatingError,
  type TcpConnection,
  type TlsClientOptions,
} from '@pollux/base';
import type { ForwardedHeaders } from './forwarded-headers.ts';

export type TunnelOptions = {
  readonly request: HttpRequest;
  /** Of the member. */
  readonly url: string;
  readonly target: string;
  readonly headers: ForwardedHeaders;
  readonly connectTimeoutMs: number;
  /** Silence of both sides that ends it. */
  readonly idleMs: number;
  readonly tls?: TlsClientOptions;
  /** Called once, when both sides are closed. */
  readonly onEnd: () => void;
};

/** WebSocket, and whatever else a client may ask for; HTTP/2 it can have no use for behind this gateway. */
export function isUpgrade({ headers }: HttpRequest): boolean {
  const { upgrade, connection = '' } = headers;
  return (
    upgrade !== undefined && /\bupgrade\b/i.test(connection) && !/^h2c?$/i.test(upgrade.trim())
  );
}

/**
 * Connects to a member, sends it the request, and gives what joins the client's connection to it. The member's answer reaches the
 * client as it is: 101 begins the other protocol, anything else is a plain answer after which the connection ends.
 */
export async function openTunnel(
  env: Env,
  options: TunnelOptions,
): Promise<(client: TcpConnection) => void> {
  const { request, url, target, headers, idleMs, onEnd } = options;
  const member = await connect(env, options);
  const lines = [`${request.method} ${target} HTTP/1.1`];
  if (headers.host === undefined) lines.push(`host: ${new URL(url).host}`);
  for (const [name, value] of Object.entries(headers)) {
    for (const one of typeof value === 'string' ? [value] : value) lines.push(`${name}: ${one}`);
  }
  lines.push('connection: Upgrade', `upgrade: ${request.headers.upgrade}`, '', '');
  try {
    await member.write(new TextEncoder().encode(lines.join('\r\n')));
  } catch (error) {
    member.close();
    throw new ExchangeError(url, { isSent: true, isTimeout: false, cause: error });
  }
  return (client) => {
    const traffic = { lastMs: env.clock.monotonic() };
    const pump = async (from: TcpConnection, to: TcpConnection): Promise<void> => {
      try {
        await copy(env, { from, to, idleMs, traffic });
      } catch (error) {
        // A broken or silent connection ends the tunnel; there is nobody to tell.
        if (!OperatingError.is(error) && !(error instanceof Error)) throw error;
      } finally {
        from.close();
        to.close();
      }
    };
    void Promise.all([pump(client, member), pump(member, client)]).then(onEnd);
  };
}

async function connect(env: Env, options: TunnelOptions): Promise<TcpConnection> {
  const { url, connectTimeoutMs, request } = options;
  const { protocol, hostname, port } = new URL(url);
  const isTls = protocol === 'https:';
  const host = hostname.replace(/^\[|\]$/g, '');
  const to = { host, port: port === '' ? (isTls ? 443 : 80) : Number(port) };
  try {
    const timing = { timeoutMs: connectTimeoutMs, signal: request.signal };
    const connection = await env.net.connectTcp(to, timing);
    if (!isTls) return connection;
    if (connection.startTls === undefined) {
      throw new OperatingError('GATEWAY.NO_TLS', 'this network has no TLS');
    }
    return await connection.startTls({ serverName: host, ...options.tls }, connectTimeoutMs);
  } catch (error) {
    if (!OperatingError.is(error) || error.code === 'BASE.CANCELED') throw error;
    const isTimeout = error.code === 'BASE.TIMEOUT';
    throw new ExchangeError(url, { isSent: false, isTimeout, cause: error.cause ?? error });
  }
}

type Copying = {
  readonly from: TcpConnection;
  readonly to: TcpConnection;
  readonly idleMs: number;
  /** Of both directions: one may be silent as long as the other is not. */
  readonly traffic: { lastMs: number };
};

async function copy(env: Env, { from, to, idleMs, traffic }: Copying): Promise<void> {
  for (;;) {
    const leftMs = traffic.lastMs + idleMs - env.clock.monotonic();
    if (leftMs <= 0) return;
    let bytes: Uint8Array | null;
    try {
      bytes = await from.read(leftMs);
    } catch (error) {
      if (OperatingError.is(error) && error.code === 'BASE.TIMEOUT') continue;
      throw error;
    }
    if (bytes === null) return;
    traffic.lastMs = env.clock.monotonic();
    await to.write(bytes);
  }
}
