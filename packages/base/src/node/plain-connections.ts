import * as http from 'node:http';
import type { Socket } from 'node:net';
import { assert } from '../assert.ts';
import { errorText } from '../errors.ts';
import {
  type Address,
  EVERYONE,
  type Headers,
  type HttpHandler,
  type HttpRequest,
  type HttpResponse,
} from '../net.ts';
import { StopSource } from '../stop-signal.ts';
import { bodyTooLarge } from './body-too-large.ts';
import { drained } from './drained.ts';
import { type PlainPost, plainGet, plainHeaders, plainPost } from './plain-request.ts';

/** What a client may send while its answer is made; more waits in the kernel. */
const MAX_WAITING_BYTES = 64 * 1024;
/** Larger bodies are left to node:http: what is read here is in memory before the handler is called. */
const MAX_BODY_BYTES = 256 * 1024;
/** A body up to this size is copied behind its head, so that the answer is one write of one piece. */
const MAX_COPIED_BYTES = 64 * 1024;
const NOTHING = new Uint8Array(0);
const CONNECTION = 'connection';
const END_OF_BODY = { done: true, value: undefined } as const;
/** To a client whose body does not come, and to one that breaks off within it, as node:http answers them. */
const TIMED_OUT = 'HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n';
const BROKEN_OFF = 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n';

export type PlainConnectionsOptions = {
  readonly handler: HttpHandler;
  /** Takes a connection over for good, with bytes that were read from it already. */
  readonly handOver: (socket: Socket, bytes: Buffer) => void;
  /** How long a connection may be idle. */
  readonly idleMs: number;
  /** How long a client may take nothing of a streamed answer, and how long it may take to send a body. */
  readonly stallMs: number;
};

/**
 * Serves connections as long as all that comes on them are plain GETs and small plain POSTs, one after the other, and hands them to
 * node:http at the first request that is anything else. A GET costs two thirds of what node:http's does, client included, and a POST 20
 * µs less, which counts where an answer is looked up rather than computed and where alerts come by the hundred: `plain-connections.bench.ts`.
 */
export class PlainConnections {
  readonly #options: PlainConnectionsOptions;
  readonly #open = new Set<PlainConnection>();
  readonly #date = new DateHeader();
  #isClosing = false;

  constructor(options: PlainConnectionsOptions) {
    this.#options = options;
  }

  get isClosing(): boolean {
    return this.#isClosing;
  }

  get options(): PlainConnectionsOptions {
    return this.#options;
  }

  take(socket: Socket): void {
    const connection = new PlainConnection(socket, this);
    this.#open.add(connection);
    connection.onLeave = () => this.#open.delete(connection);
  }

  /** Ends those that are idle; the others end with their answer. */
  close(): void {
    this.#isClosing = true;
    for (const connection of [...this.#open]) connection.endIfIdle();
  }

  cut(): void {
    for (const connection of [...this.#open]) connection.cut();
  }

  /** The lines that every answer has but for its own. */
  commonLines(isKept: boolean): string {
    const seconds = Math.floor(this.#options.idleMs / 1_000);
    const connection = isKept ? `keep-alive\r\nKeep-Alive: timeout=${seconds}` : 'close';
    return `Date: ${this.#date.value}\r\nConnection: ${connection}\r\n`;
  }
}

class PlainConnection {
  onLeave: () => void = () => {};
  readonly #socket: Socket;
  readonly #server: PlainConnections;
  readonly #remote: Address;
  /** Of the request that is answered now. */
  #gone: StopSource | null = null;
  /** The POST whose body is being read. */
  #incoming: IncomingPost | null = null;
  /** What came meanwhile. */
  #waiting: Buffer | null = null;
  /** Clients send the same headers with each request. */
  #block = '';
  #headers: Headers | null = null;

  constructor(socket: Socket, server: PlainConnections) {
    this.#socket = socket;
    this.#server = server;
    this.#remote = { host: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 };
    socket.setTimeout(server.options.idleMs);
    socket.on('data', this.#onData);
    socket.on('end', this.#onEnd);
    socket.on('close', this.#onClose);
    socket.on('error', ignore);
    socket.on('timeout', this.#onTimeout);
  }

  endIfIdle(): void {
    if (this.#gone === null && this.#incoming === null) this.#socket.destroySoon();
  }

  cut(): void {
    this.#socket.destroy();
  }

  readonly #onData = (bytes: Buffer): void => {
    // Of a client that was refused.
    if (this.#socket.writableEnded) return;
    if (this.#gone === null) {
      if (this.#incoming === null) this.#take(bytes);
      else this.#takeBody(this.#incoming, bytes);
      return;
    }
    this.#waiting = this.#waiting === null ? bytes : Buffer.concat([this.#waiting, bytes]);
    if (this.#waiting.length > MAX_WAITING_BYTES) this.#socket.pause();
  };

  /** A client that says no more waits for nothing, as node:http has it. */
  readonly #onEnd = (): void => {
    this.#stopAnswer();
    if (this.#incoming === null) this.#socket.end();
    else this.#refuse(this.#incoming, BROKEN_OFF);
  };

  readonly #onClose = (): void => {
    this.#stopAnswer();
    clearTimeout(this.#incoming?.timer);
    this.#incoming = null;
    this.onLeave();
  };

  readonly #onTimeout = (): void => {
    if (this.#gone === null && this.#incoming === null) this.#socket.destroy();
  };

  #stopAnswer(): void {
    this.#gone?.abort(new Error('the client closed the connection'));
  }

  #take(bytes: Buffer): void {
    const post = plainPost(bytes);
    const plain = post ?? plainGet(bytes);
    if (plain !== null && plain.block !== this.#block) {
      this.#headers = plainHeaders(plain.block);
      this.#block = plain.block;
    }
    const headers = this.#headers;
    if (plain === null || headers === null || (post?.length ?? 0) > MAX_BODY_BYTES) {
      this.#handOver(bytes);
      return;
    }
    if (post === null) {
      this.#answer(plain.target, headers, null);
      return;
    }
    const incoming: IncomingPost = {
      post,
      headers,
      parts: [],
      missing: post.length,
      timer: undefined,
    };
    this.#incoming = incoming;
    this.#takeBody(incoming, bytes.subarray(post.bodyAt));
  }

  #takeBody(incoming: IncomingPost, bytes: Buffer): void {
    const { post, headers, parts, missing } = incoming;
    if (bytes.length < missing) {
      parts.push(bytes);
      incoming.missing -= bytes.length;
      incoming.timer ??= setTimeout(
        () => this.#refuse(incoming, TIMED_OUT),
        this.#server.options.stallMs,
      );
      return;
    }
    clearTimeout(incoming.timer);
    this.#incoming = null;
    if (bytes.length > missing) this.#waiting = bytes.subarray(missing);
    const last = bytes.subarray(0, missing);
    const body = parts.length === 0 ? last : Buffer.concat([...parts, last], post.length);
    this.#answer(post.target, { ...headers, 'content-length': String(post.length) }, body);
  }

  /** Ends the connection within a request. */
  #refuse({ timer }: IncomingPost, answer: string): void {
    clearTimeout(timer);
    this.#incoming = null;
    this.#socket.end(answer, () => this.#socket.destroy());
  }

  /** To a GET, whose body is null, or to a POST. */
  #answer(target: string, headers: Headers, body: Uint8Array | null): void {
    const gone = new StopSource();
    this.#gone = gone;
    void this.#exchange(new PlainHttpRequest({ target, headers, body }, this.#remote, gone));
  }

  #handOver(bytes: Buffer): void {
    const socket = this.#socket;
    socket.setTimeout(0);
    socket.off('data', this.#onData);
    socket.off('end', this.#onEnd);
    socket.off('close', this.#onClose);
    socket.off('error', ignore);
    socket.off('timeout', this.#onTimeout);
    this.onLeave();
    this.#server.options.handOver(socket, bytes);
  }

  /** Never rejects. */
  async #exchange(request: HttpRequest): Promise<void> {
    const socket = this.#socket;
    let isBegun = false;
    try {
      const response = await this.#server.options.handler(request);
      const head = this.#headOf(response);
      const { body = '', status } = response;
      isBegun = true;
      const hasBody = status !== 204 && status !== 304;
      if (typeof body === 'string' || body instanceof Uint8Array) {
        if (!this.#write(head, hasBody ? body : NOTHING)) await drained(socket, null);
      } else if (hasBody) await this.#stream(head, body, lengthOf(response));
      else {
        await body[Symbol.asyncIterator]().return?.();
        this.#write(head, NOTHING);
      }
      this.#next(isClosed(response));
    } catch (error) {
      if (isBegun) socket.destroy();
      else {
        const body = `internal error: ${errorText(error)}\n`;
        const headers = { 'content-type': 'text/plain; charset=utf-8' };
        this.#write(this.#headOf({ status: 500, headers, body }), body);
        this.#next(false);
      }
    }
  }

  #headOf({ status, headers = {}, body }: HttpResponse): string {
    let lines = `HTTP/1.1 ${status} ${http.STATUS_CODES[status] ?? 'unknown'}\r\n`;
    let hasLength = false;
    let isKept = !this.#server.isClosing;
    for (const name of Object.keys(headers)) {
      const value = headers[name]!;
      const lower = name.toLowerCase();
      if (lower === 'content-length') hasLength = true;
      if (lower === CONNECTION) {
        isKept &&= !isClose(value);
        continue;
      }
      lines += headerLines(name, value);
    }
    lines += this.#server.commonLines(isKept);
    if (status === 204 || status === 304 || hasLength) return `${lines}\r\n`;
    if (typeof body === 'object' && !(body instanceof Uint8Array)) {
      return `${lines}Transfer-Encoding: chunked\r\n\r\n`;
    }
    const length = typeof body === 'string' ? Buffer.byteLength(body) : (body?.length ?? 0);
    return `${lines}Content-Length: ${length}\r\n\r\n`;
  }

  /** In one call into the kernel; false when the client has not taken it all. */
  #write(head: string, body: string | Uint8Array): boolean {
    const socket = this.#socket;
    if (socket.destroyed || socket.writableEnded) return true;
    if (typeof body === 'string') {
      const isNarrow = Buffer.byteLength(body) === body.length;
      return socket.write(head + body, isNarrow ? 'latin1' : 'utf8');
    }
    if (body.length <= MAX_COPIED_BYTES) {
      const whole = Buffer.allocUnsafe(head.length + body.length);
      whole.write(head, 0, 'latin1');
      whole.set(body, head.length);
      return socket.write(whole);
    }
    socket.cork();
    socket.write(head, 'latin1');
    const isTaken = socket.write(body);
    socket.uncork();
    return isTaken;
  }

  /** In chunks, or as it is where its length is known; one that turns out to be of another length is cut. */
  async #stream(
    head: string,
    body: AsyncIterable<Uint8Array>,
    length: number | null,
  ): Promise<void> {
    const socket = this.#socket;
    socket.write(head, 'latin1');
    let sent = 0;
    for await (const chunk of body) {
      if (socket.destroyed || socket.writableEnded) return;
      if (chunk.length === 0) continue;
      sent += chunk.length;
      if (length !== null && sent > length) break;
      socket.cork();
      if (length === null) socket.write(`${chunk.length.toString(16)}\r\n`, 'latin1');
      let isTaken = socket.write(chunk);
      if (length === null) isTaken = socket.write('\r\n', 'latin1');
      socket.uncork();
      if (!isTaken) await drained(socket, this.#server.options.stallMs);
    }
    if (socket.destroyed || socket.writableEnded) return;
    if (length === null) socket.write('0\r\n\r\n', 'latin1');
    else if (sent !== length) socket.destroy();
  }

  #next(isClosed: boolean): void {
    const socket = this.#socket;
    this.#gone = null;
    const waiting = this.#waiting;
    this.#waiting = null;
    if (isClosed || this.#server.isClosing) {
      socket.destroySoon();
      return;
    }
    if (socket.destroyed || waiting === null) return;
    if (socket.isPaused()) socket.resume();
    this.#take(waiting);
  }
}

/** Names of headers have no case, and neither has this value. */
function isClosed({ headers = {} }: HttpResponse): boolean {
  for (const name in headers) {
    if (name.length !== CONNECTION.length || name.toLowerCase() !== CONNECTION) continue;
    if (isClose(headers[name]!)) return true;
  }
  return false;
}

function isClose(value: string | readonly string[]): boolean {
  return String(value).toLowerCase() === 'close';
}

/** The length that an answer gives for its body; null when it gives none. */
function lengthOf({ headers = {} }: HttpResponse): number | null {
  for (const name of Object.keys(headers)) {
    if (name.toLowerCase() === 'content-length') return Number(headers[name]);
  }
  return null;
}

function ignore(): void {}

/** Throws on what must not be in a header, as node:http does. */
function headerLines(name: string, value: string | readonly string[]): string {
  http.validateHeaderName(name);
  if (typeof value !== 'string') return value.map((one) => headerLines(name, one)).join('');
  http.validateHeaderValue(name, value);
  return `${name}: ${value}\r\n`;
}

/** The time of day as HTTP writes it, made once a second. */
class DateHeader {
  #second = -1;
  #text = '';

  get value(): string {
    const nowMs = Date.now();
    const second = Math.floor(nowMs / 1_000);
    if (second !== this.#second) {
      this.#second = second;
      this.#text = new Date(nowMs).toUTCString();
    }
    return this.#text;
  }
}

type IncomingPost = {
  readonly post: PlainPost;
  readonly headers: Headers;
  readonly parts: Uint8Array[];
  /** Bytes of the body. */
  missing: number;
  timer: NodeJS.Timeout | undefined;
};

class PlainHttpRequest implements HttpRequest {
  readonly method: string;
  readonly target: string;
  readonly headers: Headers;
  readonly remote: Address;
  readonly signal: StopSource;
  readonly principal = EVERYONE;
  readonly #body: Uint8Array;
  #isTaken = false;

  constructor(
    given: {
      readonly target: string;
      readonly headers: Headers;
      readonly body: Uint8Array | null;
    },
    remote: Address,
    signal: StopSource,
  ) {
    this.method = given.body === null ? 'GET' : 'POST';
    this.target = given.target;
    this.headers = given.headers;
    this.#body = given.body ?? NOTHING;
    this.remote = remote;
    this.signal = signal;
  }

  stream(): AsyncIterable<Uint8Array> {
    this.#takeBody();
    let left: Uint8Array | null = this.#body;
    const next = async (): Promise<IteratorResult<Uint8Array>> => {
      const value = left;
      left = null;
      return value === null || value.length === 0 ? END_OF_BODY : { done: false, value };
    };
    return { [Symbol.asyncIterator]: () => ({ next }) };
  }

  async body(limitBytes: number): Promise<Uint8Array> {
    this.#takeBody();
    if (this.#body.length > limitBytes) throw bodyTooLarge(limitBytes);
    return this.#body;
  }

  #takeBody(): void {
    assert(!this.#isTaken, 'the body of a request is read once');
    this.#isTaken = true;
  }
}
