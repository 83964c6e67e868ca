import * as http from 'node:http';
import * as https from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { errorText, LimitError } from '../errors.ts';
import {
  EVERYONE,
  type Headers,
  type HttpHandler,
  type HttpRequest,
  type HttpResponse,
  type HttpServeOptions,
  type Listener,
} from '../net.ts';

/** Serves `handler` over node:http or node:https. A handler that throws answers 500; the process goes on. */
export function serveHttp(options: HttpServeOptions, handler: HttpHandler): Promise<Listener> {
  const listener = (request: http.IncomingMessage, response: http.ServerResponse): void => {
    void exchange(handler, request, response);
  };
  const server =
    options.tls === undefined
      ? http.createServer(listener)
      : https.createServer({ cert: options.tls.certificate, key: options.tls.key }, listener);
  server.maxConnections = options.maxConnections;
  server.requestTimeout = options.readTimeoutMs;
  server.headersTimeout = Math.min(options.readTimeoutMs, 60_000);
  server.keepAliveTimeout = 75_000;
  // A client that sends garbage gets the plain 400 of the protocol, not a stack trace.
  server.on('clientError', (_error: Error, socket: Duplex) => {
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.at.port, options.at.host, () => {
      server.off('error', reject);
      const bound = server.address() as AddressInfo;
      resolve({
        address: { host: bound.address, port: bound.port },
        close: (graceMs = 1_000) => closeServer(server, graceMs),
      });
    });
  });
}

function closeServer(server: http.Server, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => server.closeAllConnections(), graceMs);
    server.close(() => {
      clearTimeout(cut);
      resolve();
    });
    server.closeIdleConnections();
  });
}

async function exchange(
  handler: HttpHandler,
  incoming: http.IncomingMessage,
  outgoing: http.ServerResponse,
): Promise<void> {
  const gone = new AbortController();
  outgoing.once('close', () => {
    if (!outgoing.writableFinished) gone.abort(new Error('the client closed the connection'));
  });
  // Without a listener a reset of the connection would end the process.
  incoming.on('error', () => {});
  outgoing.on('error', () => {});
  try {
    await respond(outgoing, await handler(new NodeHttpRequest(incoming, gone.signal)), incoming);
  } catch (error) {
    if (outgoing.headersSent) outgoing.destroy();
    else {
      outgoing.writeHead(500, { 'content-type': 'text/plain; charset=utf-8' });
      outgoing.end(`internal error: ${errorText(error)}\n`);
    }
  }
}

async function respond(
  outgoing: http.ServerResponse,
  response: HttpResponse,
  incoming: http.IncomingMessage,
): Promise<void> {
  const body = response.body;
  for (const [name, value] of Object.entries(response.headers ?? {})) {
    outgoing.setHeader(name, value as string | string[]);
  }
  outgoing.statusCode = response.status;
  if (!incoming.complete && !outgoing.hasHeader('connection'))
    outgoing.setHeader('connection', 'close');
  if (body === undefined || typeof body === 'string' || body instanceof Uint8Array) {
    const bytes = body === undefined ? Buffer.alloc(0) : Buffer.from(body as string);
    const data = body instanceof Uint8Array ? body : bytes;
    if (
      !outgoing.hasHeader('content-length') &&
      response.status !== 204 &&
      response.status !== 304
    ) {
      outgoing.setHeader('content-length', data.length);
    }
    outgoing.end(incoming.method === 'HEAD' ? undefined : data);
    return;
  }
  for await (const chunk of body) {
    if (outgoing.destroyed) return;
    if (!outgoing.write(chunk)) await drained(outgoing);
  }
  outgoing.end();
}

function drained(outgoing: http.ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      outgoing.off('drain', done);
      outgoing.off('close', done);
      resolve();
    };
    outgoing.once('drain', done);
    outgoing.once('close', done);
  });
}

class NodeHttpRequest implements HttpRequest {
  readonly method: string;
  readonly target: string;
  readonly headers: Headers;
  readonly remote: { host: string; port: number };
  readonly signal: AbortSignal;
  readonly principal = EVERYONE;
  readonly #incoming: http.IncomingMessage;

  constructor(incoming: http.IncomingMessage, signal: AbortSignal) {
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
  }

  stream(): AsyncIterable<Uint8Array> {
    return this.#incoming;
  }

  async body(limitBytes: number): Promise<Uint8Array> {
    const declared = Number(this.headers['content-length'] ?? 0);
    if (declared > limitBytes) throw tooLarge(limitBytes);
    const parts: Uint8Array[] = [];
    let size = 0;
    for await (const part of this.#incoming as AsyncIterable<Uint8Array>) {
      size += part.length;
      if (size > limitBytes) throw tooLarge(limitBytes);
      parts.push(part);
    }
    return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts, size);
  }
}

function tooLarge(limitBytes: number): LimitError {
  return new LimitError(
    'HTTP.BODY_TOO_LARGE',
    'body',
    `request body over the limit of ${limitBytes} bytes`,
  );
}
