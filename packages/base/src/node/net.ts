import { isIP } from 'node:net';
import type {
  Address,
  HttpClientRequest,
  HttpClientResponse,
  HttpHandler,
  HttpPool,
  HttpPoolOptions,
  HttpServeOptions,
  Listener,
  Net,
  TcpConnection,
  UdpSocket,
} from '../net.ts';
import type { StopSignal } from '../stop-signal.ts';
import type { NodeHttpClient } from './http-client.ts';
import { NodeHttpPool } from './http-pool.ts';
import { serveHttp } from './http-server.ts';
import { bindUdp, connectTcp, listenTcp } from './sockets.ts';

/** The machine's network. */
export class NodeNet implements Net {
  /** Loaded at the first request: a role that only serves saves 4 MB. */
  #client: Promise<NodeHttpClient> | null = null;
  #isLoaded = false;

  bindUdp(at: Address, onPacket: (data: Uint8Array, from: Address) => void): Promise<UdpSocket> {
    return bindUdp(at, onPacket);
  }

  listenTcp(at: Address, onConnection: (connection: TcpConnection) => void): Promise<Listener> {
    return listenTcp(at, onConnection);
  }

  connectTcp(
    to: Address,
    options: { timeoutMs: number; signal?: StopSignal },
  ): Promise<TcpConnection> {
    return connectTcp(to, options);
  }

  serveHttp(options: HttpServeOptions, handler: HttpHandler): Promise<Listener> {
    return serveHttp(options, handler);
  }

  async request(request: HttpClientRequest): Promise<HttpClientResponse> {
    return (await this.#loaded()).request(request);
  }

  expectRequests(): Promise<void> | null {
    if (this.#isLoaded) return null;
    const onEnd = (): void => {};
    // Should it fail, the request itself tells.
    return this.#loaded().then(onEnd, onEnd);
  }

  openPool(options: HttpPoolOptions): HttpPool {
    return new NodeHttpPool(options);
  }

  async resolve(host: string): Promise<string[]> {
    if (isIP(host) !== 0) return [host];
    const { lookup } = await import('node:dns/promises');
    return (await lookup(host, { all: true })).map((entry) => entry.address);
  }

  async close(): Promise<void> {
    await (await this.#client)?.close();
  }

  #loaded(): Promise<NodeHttpClient> {
    this.#client ??= import('./http-client.ts').then((module) => {
      this.#isLoaded = true;
      return new module.NodeHttpClient();
    });
    return this.#client;
  }
}
