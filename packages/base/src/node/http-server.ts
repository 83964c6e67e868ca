import * as http from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { assert } from '../assert.ts';
import { errorText } from '../errors.ts';
import {
  EVERYONE,
  type Headers,
  type HttpHandler,
  type HttpRequest,
  type HttpResponse,
  type HttpServeOptions,
  type Listener,
  type RequestTls,
} from '../net.ts';
import { type StopSignal, StopSource } from '../stop-signal.ts';
import { bodyTooLarge } from './body-too-large.ts';
import { drained } from './drained.ts';
import { PlainConnections } from './plain-connections.ts';
import { requestTls } from './request-tls.ts';
import { NodeTcpConnection } from './sockets.ts';
import type { TlsServer } from './tls-server.ts';

/** How much a client may go on sending after its answer, and for how long. */
const DISCARD_MAX_BYTES = 64 * 1024 * 1024;
const DISCARD_MAX_MS = 2_000;
const KEEP_ALIVE_MS = 75_000;

/** Serves `handler` over node:http or node:https. A handler that throws answers 500; the process goes on. */
export async function serveHttp(
  options: HttpServeOptions,
  handler: HttpHandler,
): Promise<Listener> {
  const listener = (request: http.IncomingMessage, response: http.ServerResponse): void => {
    void exchange(handler, request, response, options.readTimeoutMs);
  };
  const { server, renew } = await createServer(options.tls, listener);
  const upgraded = new Set<Socket>();
  if (options.takesUpgrades === true) {
    server.on('upgrade', (incoming: http.IncomingMessage, duplex: Duplex, head: Buffer) => {
      const socket = duplex as Socket;
      if (isHttp2(incoming)) {
        readAgain(server, incoming, socket, head);
        return;
      }
      upgraded.add(socket);
      socket.once('close', () => upgraded.delete(socket));
      void upgrade(handler, incoming, socket, head);
    });
  }
  server.maxConnections = options.maxConnections;
  server.requestTimeout = options.readTimeoutMs;
  server.headersTimeout = Math.min(options.readTimeoutMs, 60_000);
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  const plain = options.tls === undefined ? plainConnections(server, options, handler) : null;
  // A client that sends garbage gets the plain 400 of the protocol, not a stack trace.
  server.on('clientError', (_error: Error, socket: Duplex) => {
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    const { at, descriptor: fd } = options;
    server.listen(fd === undefined ? { port: at.port, host: at.host } : { fd }, () => {
      server.off('error', reject);
      // An accept that fails for want of descriptors is reported here; the next one may succeed.
      server.on('error', () => {});
      const bound = server.address() as AddressInfo | string;
      if (typeof bound === 'string') {
        // A path: nothing has told what a peer there would be called.
        server.close();
        reject(new Error('it is no TCP socket'));
        return;
      }
      resolve({
        address: { host: bound.address, port: bound.port },
        close: (graceMs = 1_000) => closeServer({ server, plain, upgraded }, graceMs),
        ...(renew === null ? {} : { renewTls: renew }),
      });
    });
  });
}

/** node:https is loaded only where it is asked for: it costs 2 MB of memory. */
async function createServer(
  tls: HttpServeOptions['tls'],
  listener: http.RequestListener,
): Promise<{ readonly server: http.Server; readonly renew: TlsServer['renew'] | null }> {
  if (tls === undefined) return { server: http.createServer(listener), renew: null };
  const { createTlsServer } = await import('./tls-server.ts');
  return createTlsServer(tls, listener);
}

/** Java's client offers HTTP/2 with each of its first requests, and goes on in HTTP/1.1 where nobody takes it up. */
function isHttp2({ headers }: http.IncomingMessage): boolean {
  return /^h2c?$/i.test((headers.upgrade ?? '').trim());
}

/**
 * Has a request read again without its offer. With a listener for upgrades node:http takes every request with that header for one, and
 * leaves its body unread.
 */
function readAgain(
  server: http.Server,
  incoming: http.IncomingMessage,
  socket: Socket,
  rest: Buffer,
): void {
  const { method, url, httpVersion, rawHeaders } = incoming;
  let head = `${method} ${url} HTTP/${httpVersion}\r\n`;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? '';
    if (!/^(?:upgrade|http2-settings|connection)$/i.test(name)) {
      head += `${name}: ${rawHeaders[i + 1]}\r\n`;
    }
  }
  socket.unshift(Buffer.concat([Buffer.from(`${head}\r\n`, 'latin1'), rest]));
  server.emit('encrypted' in socket ? 'secureConnection' : 'connection', socket);
}

/**
 * A request for another protocol. The answer takes the connection, or is written to it as the last one: what follows may be in either
 * protocol.
 */
async function upgrade(
  handler: HttpHandler,
  incoming: http.IncomingMessage,
  socket: Socket,
  head: Buffer,
): Promise<void> {
  const gone = new StopSource();
  const onClose = (): void => gone.abort(new Error('the client closed the connection'));
  socket.once('close', onClose);
  // Without a listener a reset of the connection would end the process. Nothing is lost: 'close' follows, which the handler sees as
  // its signal, and whoever has taken the connection as a failing read or write.
  socket.on('error', () => {});
  let response: HttpResponse;
  try {
    response = await handler(new NodeHttpRequest(incoming, gone));
  } catch (error) {
    response = internalError(error);
  }
  socket.off('close', onClose);
  try {
    if (response.takeOver !== undefined) {
      if (head.length > 0) socket.unshift(head);
      response.takeOver(new NodeTcpConnection(socket));
      return;
    }
    const outgoing = new http.ServerResponse(incoming);
    outgoing.assignSocket(socket);
    outgoing.shouldKeepAlive = false;
    outgoing.once('finish', () => socket.destroySoon());
    await respond(outgoing, response, incoming, DISCARD_MAX_MS);
  } catch {
    // An answer that breaks off can be told in no other way than by the end of the connection; its body knows why it did.
    socket.destroy();
  }
}

/** Puts {@link PlainConnections} before the server's own reader of connections. */
function plainConnections(
  server: http.Server,
  { readTimeoutMs }: HttpServeOptions,
  handler: HttpHandler,
): PlainConnections {
  const readers = server.listeners('connection') as ((socket: Socket) => void)[];
  const plain = new PlainConnections({
    handler,
    handOver: (socket, bytes) => {
      for (const reader of readers) reader.call(server, socket);
      socket.unshift(bytes);
    },
    idleMs: KEEP_ALIVE_MS,
    stallMs: readTimeoutMs,
  });
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) => plain.take(socket));
  return plain;
}

function closeServer(
  parts: {
    readonly server: http.Server;
    readonly plain: PlainConnections | null;
    /** Connections in other protocols, of which the server knows nothing any more. */
    readonly upgraded: ReadonlySet<Socket>;
  },
  graceMs: number,
): Promise<void> {
  const { server, plain, upgraded } = parts;
  return new Promise((resolve) => {
    const cut = setTimeout(() => {
      server.closeAllConnections();
      plain?.cut();
      for (const socket of upgraded) socket.destroy();
    }, graceMs);
    server.close(() => {
      clearTimeout(cut);
      resolve();
    });
    server.closeIdleConnections();
    plain?.close();
  });
}

async function exchange(
  handler: HttpHandler,
  incoming: http.IncomingMessage,
  outgoing: http.ServerResponse,
  stallMs: number,
): Promise<void> {
  const gone = new StopSource();
  outgoing.once('close', () => {
    if (!outgoing.writableFinished) gone.abort(new Error('the client closed the connection'));
  });
  // Without a listener a reset of the connection would end the process.
  incoming.on('error', () => {});
  outgoing.on('error', () => {});
  try {
    const response = await handler(new NodeHttpRequest(incoming, gone));
    await respond(outgoing, response, incoming, stallMs);
  } catch (error) {
    if (outgoing.headersSent) outgoing.destroy();
    else {
      // What the handler said of its own body is not true of this one.
      for (const name of outgoing.getHeaderNames()) outgoing.removeHeader(name);
      if (!incoming.complete) outgoing.setHeader('connection', 'close');
      const { status, headers, body } = internalError(error);
      outgoing.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) });
      outgoing.end(body);
    }
  }
}

/** What a client is told of a handler that throws. */
function internalError(error: unknown) {
  return {
    status: 500,
    headers: { 'content-type': 'text/plain; charset=utf-8' },
    body: `internal error: ${errorText(error)}\n`,
  };
}

async function respond(
  outgoing: http.ServerResponse,
  response: HttpResponse,
  incoming: http.IncomingMessage,
  stallMs: number,
): Promise<void> {
  const body = response.body;
  for (const [name, value] of Object.entries(response.headers ?? {})) {
    outgoing.setHeader(name, value as string | string[]);
  }
  outgoing.statusCode = response.status;
  if (!incoming.complete && !outgoing.hasHeader('connection'))
    outgoing.setHeader('connection', 'close');
  if (body === undefined || typeof body === 'string' || body instanceof Uint8Array) {
    const data = body instanceof Uint8Array ? body : Buffer.from(body ?? '');
    if (
      !outgoing.hasHeader('content-length') &&
      response.status !== 204 &&
      response.status !== 304
    ) {
      outgoing.setHeader('content-length', data.length);
    }
    const shown = incoming.method === 'HEAD' ? undefined : data;
    if (!incoming.complete) {
      if (shown === undefined) outgoing.flushHeaders();
      else outgoing.write(shown);
      await discardRest(incoming);
      outgoing.end();
    } else outgoing.end(shown);
    return;
  }
  if (incoming.method === 'HEAD' || response.status === 204 || response.status === 304) {
    await body[Symbol.asyncIterator]().return?.();
    outgoing.end();
    return;
  }
  // Of events that come one by one the first may be long in coming.
  outgoing.flushHeaders();
  for await (const chunk of body) {
    if (outgoing.destroyed) return;
    if (!outgoing.write(chunk)) await drained(outgoing, stallMs);
  }
  outgoing.end();
}

/**
 * Reads on and throws away what a client still sends after its answer is out. Closed at once, the connection would break
 * under the client's hands, and it would see a reset instead of the answer.
 */
function discardRest(incoming: http.IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    let leftBytes = DISCARD_MAX_BYTES;
    const done = (): void => {
      clearTimeout(cut);
      incoming.off('data', onData);
      resolve();
    };
    const onData = (part: Uint8Array): void => {
      leftBytes -= part.length;
      if (leftBytes < 0) done();
    };
    const cut = setTimeout(done, DISCARD_MAX_MS);
    for (const event of ['end', 'close', 'error']) incoming.once(event, done);
    incoming.on('data', onData);
    incoming.resume();
  });
}

class NodeHttpRequest implements HttpRequest {
  readonly method: string;
  readonly target: string;
  readonly headers: Headers;
  readonly remote: { host: string; port: number };
  readonly signal: StopSignal;
  readonly principal = EVERYONE;
  readonly protocol: string;
  readonly tls?: RequestTls;
  readonly #incoming: http.IncomingMessage;
  #isTaken = false;

  constructor(incoming: http.IncomingMessage, signal: StopSignal) {
    this.#incoming = incoming;
    this.method = incoming.method ?? 'GET';
    this.target = incoming.url ?? '/';
    this.signal = signal;
    this.remote = {
      host: incoming.socket.remoteAddress ?? '',
      port: incoming.socket.remotePort ?? 0,
    };
    const headers: Record<string, string> = {};
    for (const [name, value] of Object.entries(incoming.headers)) {
      if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value;
    }
    this.headers = headers;
    this.protocol = `HTTP/${incoming.httpVersion}`;
    const tls = requestTls(incoming.socket);
    if (tls !== null) this.tls = tls;
  }

  stream(): AsyncIterable<Uint8Array> {
    assert(!this.#isTaken, 'the body of a request is read once');
    this.#isTaken = true;
    // A reader that stops early still has an answer to give, so the connection must live on.
    return this.#incoming.iterator({ destroyOnReturn: false });
  }

  body(limitBytes: number): Promise<Uint8Array> {
    assert(!this.#isTaken, 'the body of a request is read once');
    this.#isTaken = true;
    const declared = Number(this.headers['content-length'] ?? 0);
    if (declared > limitBytes) return Promise.reject(bodyTooLarge(limitBytes));
    return readWhole(this.#incoming, limitBytes);
  }
}

/** By events: iterating costs several promises a part, which counts where requests are small and many. */
function readWhole(incoming: http.IncomingMessage, limitBytes: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const parts: Uint8Array[] = [];
    let size = 0;
    const leave = (): void => {
      incoming.off('data', onData);
      incoming.off('end', onEnd);
      incoming.off('error', onFailure);
      incoming.off('close', onFailure);
    };
    const onData = (part: Uint8Array): void => {
      size += part.length;
      parts.push(part);
      if (size <= limitBytes) return;
      leave();
      // The connection lives on: there is an answer to give.
      incoming.pause();
      reject(bodyTooLarge(limitBytes));
    };
    const onEnd = (): void => {
      leave();
      const [first] = parts;
      resolve(parts.length === 1 && first !== undefined ? first : Buffer.concat(parts, size));
    };
    const onFailure = (error?: Error): void => {
      leave();
      reject(error ?? new Error('the connection was closed within the request'));
    };
    // No event will come any more.
    if (incoming.destroyed) {
      onFailure();
      return;
    }
    incoming.on('data', onData);
    incoming.on('end', onEnd);
    incoming.on('error', onFailure);
    incoming.on('close', onFailure);
  });
}
