import type { SocketOptions as UdpSocketOptions } from 'node:dgram';
import * as dns from 'node:dns';
import * as net from 'node:net';
import { performance } from 'node:perf_hooks';
import * as tls from 'node:tls';
import { CanceledError, OperatingError, TimeoutError } from '../errors.ts';
import type {
  Address,
  Listener,
  TcpConnection,
  TlsClientOptions,
  TlsServerOptions,
  UdpSocket,
} from '../net.ts';
import type { StopSignal } from '../stop-signal.ts';
import { tlsClientSettings } from '../tls-client-settings.ts';
import { tlsServerSettings } from './tls-server-settings.ts';

/** An address is itself; Node's own lookup answers so too, but in another turn of the loop, for each packet. */
const lookup: UdpSocketOptions['lookup'] = (host, options, done) => {
  const family = net.isIP(host);
  if (family === 0) dns.lookup(host, options, done);
  else done(null, host, family);
};

export async function bindUdp(
  at: Address,
  onPacket: (data: Uint8Array, from: Address) => void,
): Promise<UdpSocket> {
  // Only gossip needs it; the other roles save its memory.
  const dgram = await import('node:dgram');
  return new Promise((resolve, reject) => {
    const family = at.host.includes(':') ? 6 : 4;
    const socket = dgram.createSocket({ type: `udp${family}`, lookup });
    let isOpen = true;
    const onBindError = (error: Error): void => {
      socket.close();
      reject(error);
    };
    socket.once('error', onBindError);
    socket.bind(at.port, at.host, () => {
      socket.off('error', onBindError);
      // A refused or unreachable peer surfaces here for sends; UDP promises nothing, so the protocol above copes.
      socket.on('error', () => {});
      socket.on('message', (data, from) => onPacket(data, { host: from.address, port: from.port }));
      const bound = socket.address();
      resolve({
        address: { host: bound.address, port: bound.port },
        send: (data, to) => {
          // A port out of range comes from a peer's message; Node would throw, the wire would lose it.
          if (isOpen && to.port > 0 && to.port < 65_536) {
            socket.send(data, to.port, to.host, () => {});
          }
        },
        close: () =>
          new Promise<void>((done) => {
            if (!isOpen) return done();
            isOpen = false;
            socket.close(() => done());
          }),
      });
    });
  });
}

export function listenTcp(
  at: Address,
  onConnection: (connection: TcpConnection) => void,
): Promise<Listener> {
  return new Promise((resolve, reject) => {
    const open = new Set<net.Socket>();
    const server = net.createServer((socket) => {
      open.add(socket);
      socket.once('close', () => open.delete(socket));
      onConnection(new NodeTcpConnection(socket));
    });
    server.once('error', reject);
    server.listen(at.port, at.host, () => {
      server.off('error', reject);
      // An accept that fails for want of descriptors is reported here; the next one may succeed.
      server.on('error', () => {});
      const bound = server.address() as net.AddressInfo;
      resolve({
        address: { host: bound.address, port: bound.port },
        close: () =>
          new Promise<void>((done) => {
            server.close(() => done());
            for (const socket of open) socket.destroy();
          }),
      });
    });
  });
}

export function connectTcp(
  to: Address,
  options: { timeoutMs: number; signal?: StopSignal },
): Promise<TcpConnection> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host: to.host, port: to.port });
    const finish = (error: Error | null): void => {
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', onAbort);
      socket.off('error', onError);
      if (error === null) {
        resolve(new NodeTcpConnection(socket));
        return;
      }
      socket.destroy();
      reject(error);
    };
    const onError = (error: Error): void =>
      finish(
        new OperatingError('BASE.CONNECTION', `connect ${to.host}:${to.port}`, { cause: error }),
      );
    const timer = setTimeout(
      () =>
        finish(
          new TimeoutError(`connect ${to.host}:${to.port}: no answer in ${options.timeoutMs} ms`),
        ),
      options.timeoutMs,
    );
    const onAbort = (): void =>
      finish(new CanceledError('connect canceled', { cause: options.signal?.reason }));
    socket.once('error', onError);
    socket.once('connect', () => finish(null));
    if (options.signal?.aborted) onAbort();
    else options.signal?.addEventListener('abort', onAbort, { once: true });
  });
}

export class NodeTcpConnection implements TcpConnection {
  readonly remote: Address;
  readonly #socket: net.Socket;
  #error: Error | null = null;
  #closed = false;

  constructor(socket: net.Socket) {
    this.#socket = socket;
    this.remote = { host: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 };
    socket.setNoDelay(true);
    socket.pause();
    socket.on('error', (error) => {
      this.#error = error;
    });
  }

  write(data: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.write(data, (error) => (error ? reject(error) : resolve()));
    });
  }

  async read(timeoutMs: number): Promise<Uint8Array | null> {
    const socket = this.#socket;
    const endMs = performance.now() + timeoutMs;
    for (;;) {
      const chunk: Uint8Array | null = socket.read();
      if (chunk !== null) return chunk;
      if (this.#error !== null) {
        throw new OperatingError('BASE.CONNECTION', this.#error.message, { cause: this.#error });
      }
      if (socket.readableEnded || socket.destroyed) return null;
      await this.#wait(endMs - performance.now());
    }
  }

  end(): void {
    this.#socket.end();
  }

  startTls(options: TlsClientOptions, timeoutMs: number): Promise<TcpConnection> {
    const { host, port } = this.remote;
    const name = options.serverName ?? '';
    return new Promise((resolve, reject) => {
      const secured = tls.connect({
        socket: this.#socket,
        ...tlsClientSettings(options),
        // An address is no name of SNI; Node checks the certificate against it all the same.
        ...(net.isIP(name) === 0 ? {} : { servername: '', host: name }),
      });
      const finish = (error: Error | null): void => {
        clearTimeout(timer);
        secured.off('error', finish);
        if (error === null) {
          resolve(new NodeTcpConnection(secured));
          return;
        }
        secured.destroy();
        reject(new OperatingError('BASE.CONNECTION', `TLS with ${host}:${port}`, { cause: error }));
      };
      const timer = setTimeout(
        () => finish(new TimeoutError(`no handshake in ${timeoutMs} ms`)),
        timeoutMs,
      );
      secured.once('error', finish);
      secured.once('secureConnect', () => finish(null));
    });
  }

  acceptTls(options: TlsServerOptions, timeoutMs: number): Promise<TcpConnection> {
    const { host, port } = this.remote;
    return new Promise((resolve, reject) => {
      // A server that does not listen: it makes a session of the connection and checks the client's certificate.
      const server = tls.createServer(tlsServerSettings(options));
      const finish = (error: Error | null, secured?: tls.TLSSocket): void => {
        clearTimeout(timer);
        if (error === null && secured !== undefined) {
          resolve(new NodeTcpConnection(secured));
          return;
        }
        secured?.destroy();
        this.#socket.destroy();
        reject(new OperatingError('BASE.CONNECTION', `TLS with ${host}:${port}`, { cause: error }));
      };
      const timer = setTimeout(
        () => finish(new TimeoutError(`no handshake in ${timeoutMs} ms`)),
        timeoutMs,
      );
      server.once('secureConnection', (secured) => finish(refusal(options, secured), secured));
      server.once('tlsClientError', (error) => finish(error));
      server.emit('connection', this.#socket);
    });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.end();
    // A peer that never closes its side must not keep the descriptor.
    const timer = setTimeout(() => this.#socket.destroy(), 1_000);
    timer.unref();
    this.#socket.once('close', () => clearTimeout(timer));
    this.#socket.resume();
  }

  #wait(timeoutMs: number): Promise<void> {
    const socket = this.#socket;
    return new Promise((resolve, reject) => {
      const events = ['readable', 'end', 'close', 'error'];
      const onEvent = (): void => {
        stop();
        resolve();
      };
      const stop = (): void => {
        clearTimeout(timer);
        for (const event of events) socket.off(event, onEvent);
      };
      const timer = setTimeout(
        () => {
          stop();
          reject(new TimeoutError('read: no bytes in time'));
        },
        Math.max(0, timeoutMs),
      );
      for (const event of events) socket.once(event, onEvent);
    });
  }
}

/** Why the client's certificate is not enough; what the handshake itself refuses does not get here. */
function refusal({ clientAuth }: TlsServerOptions, secured: tls.TLSSocket): Error | null {
  const isGiven = Object.keys(secured.getPeerCertificate()).length > 0;
  if (clientAuth === 'require-any' && !isGiven) return new Error('no client certificate');
  if (clientAuth !== 'verify-if-given' || !isGiven || secured.authorized) return null;
  return new Error(`client certificate: ${String(secured.authorizationError)}`);
}
