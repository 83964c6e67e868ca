import * as http2 from 'node:http2';
import type { Socket } from 'node:net';
import { OperatingError } from '../errors.ts';
import { answerTooLarge } from './answer-body.ts';
import { UnsentError } from './unsent-error.ts';

/** Headers of one HTTP/1.1 connection, which HTTP/2 forbids; the address takes the place of `host`. */
const OF_CONNECTION: ReadonlySet<string> = new Set([
  'connection',
  'host',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
]);

/** Of one message, so that a large body does not wait for the next update of its window every 64 kB. */
const WINDOW_BYTES = 1024 * 1024;
const ENDED = 'the server took no more requests on this connection';

export type Http2Request = {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
  readonly signal: AbortSignal;
  readonly maxBodyBytes: number;
};

export type Http2Answer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
};

/**
 * Connections that agreed on HTTP/2, by their settings and origin: one of each, for all requests at a time. Node's own
 * implementation rather than undici's, which cuts what is under way when a server ends a connection in good order, and may send
 * a request again that the server has taken. One that the server ends, or on which a request was overdue, takes no more
 * requests and closes with the last that is under way.
 */
export class Http2Sessions {
  readonly #idleMs: number;
  readonly #open = new Map<string, Http2Session>();

  constructor(idleMs: number) {
    this.#idleMs = idleMs;
  }

  find(key: string): Http2Session | null {
    return this.#open.get(key) ?? null;
  }

  /** Takes a fresh connection over; where there is one already, the fresh one is not needed. */
  adopt(key: string, origin: string, socket: Socket): void {
    if (this.#open.has(key)) {
      socket.destroy();
      return;
    }
    const session = new Http2Session(origin, socket, this.#idleMs, () => {
      if (this.#open.get(key) === session) this.#open.delete(key);
    });
    this.#open.set(key, session);
  }

  close(): void {
    for (const session of this.#open.values()) session.destroy();
    this.#open.clear();
  }
}

export class Http2Session {
  readonly #session: http2.ClientHttp2Session;
  readonly #onRetired: () => void;
  #running = 0;

  constructor(origin: string, socket: Socket, idleMs: number, onRetired: () => void) {
    this.#onRetired = onRetired;
    this.#session = http2.connect(origin, {
      createConnection: () => socket,
      settings: { enablePush: false, initialWindowSize: WINDOW_BYTES },
    });
    const session = this.#session;
    // Whoever waits for an answer is told by its stream.
    session.on('error', () => this.retire());
    session.on('goaway', () => this.retire());
    session.on('close', () => this.retire());
    session.setTimeout(idleMs, () => this.retire());
    session.unref();
  }

  /** No more requests; it closes with the last that is under way. */
  retire(): void {
    this.#onRetired();
    if (!this.#session.closed && !this.#session.destroyed) this.#session.close();
  }

  destroy(): void {
    this.#session.destroy();
  }

  /** Rejects with {@link UnsentError} when it was not begun with, else with what broke it off. */
  async exchange(request: Http2Request): Promise<Http2Answer> {
    if (this.#session.closed || this.#session.destroyed) throw new UnsentError(ENDED);
    if (this.#running++ === 0) this.#session.ref();
    try {
      return await exchangeOver(this.#session, request);
    } finally {
      if (--this.#running === 0 && !this.#session.destroyed) this.#session.unref();
    }
  }
}

function exchangeOver(
  session: http2.ClientHttp2Session,
  request: Http2Request,
): Promise<Http2Answer> {
  const { signal, body, maxBodyBytes, method } = request;
  return new Promise((resolve, reject) => {
    const stream = session.request(headersOf(request), { endStream: body === undefined });
    let head: http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader = {};
    let failure: unknown = null;
    let isEnded = false;
    let size = 0;
    const parts: Uint8Array[] = [];
    const give = (error: unknown): void => {
      failure ??= error;
      // What the server still sends is not waited for.
      reject(failure);
      stream.close(http2.constants.NGHTTP2_CANCEL);
    };
    const onAbort = (): void => give(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    stream.on('response', (headers) => {
      head = headers;
    });
    stream.on('data', (part: Uint8Array) => {
      size += part.length;
      if (size > maxBodyBytes) give(answerTooLarge(maxBodyBytes));
      else parts.push(part);
    });
    stream.on('end', () => {
      isEnded = true;
    });
    stream.on('error', (error) => {
      failure ??= error;
    });
    stream.on('close', () => {
      signal.removeEventListener('abort', onAbort);
      const isRefused = stream.rstCode === http2.constants.NGHTTP2_REFUSED_STREAM;
      const expected = method === 'HEAD' ? null : (head['content-length'] ?? null);
      if (isRefused && failure !== signal.reason)
        reject(new UnsentError(ENDED, { cause: failure }));
      else if (failure !== null) reject(failure);
      else if (!isEnded || head[':status'] === undefined) reject(brokenOff(stream.rstCode));
      else if (expected !== null && Number(expected) !== size) reject(brokenOff(stream.rstCode));
      else resolve({ status: head[':status'], headers: flat(head), body: joined(parts, size) });
    });
    if (body !== undefined) stream.end(body);
    if (signal.aborted) onAbort();
  });
}

function headersOf({ method, url, headers }: Http2Request): http2.OutgoingHttpHeaders {
  const out: http2.OutgoingHttpHeaders = {
    ':method': method,
    ':scheme': 'https',
    ':authority': url.host,
    ':path': `${url.pathname}${url.search}`,
  };
  for (const [name, value] of Object.entries(headers)) {
    const lower = name.toLowerCase();
    if (!OF_CONNECTION.has(lower)) out[lower] = value;
  }
  return out;
}

function flat(headers: http2.IncomingHttpHeaders): Record<string, string> {
  const out: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || name.startsWith(':')) continue;
    out[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return out;
}

function joined(parts: readonly Uint8Array[], size: number): Uint8Array {
  const [first] = parts;
  return parts.length === 1 && first !== undefined ? first : Buffer.concat(parts, size);
}

function brokenOff(code: number): OperatingError {
  return new OperatingError('BASE.CONNECTION', `the answer broke off (HTTP/2 code ${code})`);
}
