import {
  type Address,
  CanceledError,
  deadline,
  EVERYONE,
  type HttpClientRequest,
  type HttpClientResponse,
  type HttpHandler,
  type HttpPool,
  type HttpPoolOptions,
  type HttpRequest,
  type HttpResponse,
  type HttpServeOptions,
  LimitError,
  type Listener,
  type Net,
  OperatingError,
  PoolOverRequests,
  type StopSignal,
  type TcpConnection,
  TimeoutError,
  type UdpSocket,
} from '@pollux/base';
import type { Wires } from './link.ts';
import { SimConnection } from './sim-connection.ts';

const FIRST_FREE_PORT = 32_768;
const MAX_BODY_BYTES = 64 * 1024 * 1024;

type Bound<T> = { readonly at: Address; readonly serve: T };

/** A system error as node's sockets give them. */
class SimSystemError extends Error {
  readonly code: string;

  constructor(code: string, where = '') {
    super(where === '' ? code : `${code}: ${where}`);
    this.code = code;
  }
}

/** What a host needs of the network: its wires, and who is at the other end. */
export interface SimHosts extends Wires {
  /** The address of a name or of an address itself; undefined when there is none. */
  resolve(host: string): string | undefined;
  hostAt(ip: string): SimNet | undefined;
  /** Draws whether a datagram is lost on its way. */
  isLost(from: string, to: string): boolean;
}

/** The network as one simulated host sees it. */
export class SimNet implements Net {
  readonly ip: string;
  readonly #network: SimHosts;
  readonly #udp = new Map<number, Bound<(data: Uint8Array, from: Address) => void>>();
  readonly #tcp = new Map<number, Bound<(connection: TcpConnection) => void>>();
  readonly #http = new Map<number, Bound<HttpHandler>>();
  readonly #connections = new Set<SimConnection>();
  #nextPort = FIRST_FREE_PORT;
  #isDown = false;

  constructor(network: SimHosts, ip: string) {
    this.#network = network;
    this.ip = ip;
  }

  /** The power goes: sockets vanish, connections break, nothing more is sent or heard. */
  crash(): void {
    this.#isDown = true;
    this.#udp.clear();
    this.#tcp.clear();
    this.#http.clear();
    for (const connection of this.#connections) connection.break();
    this.#connections.clear();
  }

  async bindUdp(
    at: Address,
    onPacket: (data: Uint8Array, from: Address) => void,
  ): Promise<UdpSocket> {
    const bound = this.#bind(this.#udp, at, onPacket);
    return {
      address: bound,
      send: (data, to) => {
        if (this.#udp.get(bound.port)?.serve === onPacket) this.#sendPacket(data, bound.port, to);
      },
      close: async () => {
        this.#release(this.#udp, bound.port, onPacket);
      },
    };
  }

  async listenTcp(
    at: Address,
    onConnection: (connection: TcpConnection) => void,
  ): Promise<Listener> {
    const bound = this.#bind(this.#tcp, at, onConnection);
    return {
      address: bound,
      close: async () => {
        this.#release(this.#tcp, bound.port, onConnection);
      },
    };
  }

  async connectTcp(
    to: Address,
    options: { timeoutMs: number; signal?: StopSignal },
  ): Promise<TcpConnection> {
    const where = `connect ${to.host}:${to.port}`;
    const target = await this.#reach(to.host, where, options);
    const accept = target?.listener(to.port);
    if (target === undefined || accept === undefined) throw unreachable('ECONNREFUSED', where);
    const client = { host: this.ip, port: this.#freePort() };
    const [near, far] = SimConnection.pair(this.#network, client, {
      host: target.ip,
      port: to.port,
    });
    this.#connections.add(near);
    target.#connections.add(far);
    accept(far);
    return near;
  }

  async serveHttp(options: HttpServeOptions, handler: HttpHandler): Promise<Listener> {
    const bound = this.#bind(this.#http, options.at, handler);
    return {
      address: bound,
      close: async () => {
        this.#release(this.#http, bound.port, handler);
      },
    };
  }

  /** Whole messages travel, each way after the link's delay; a cut link holds them until the time-out. */
  async request(request: HttpClientRequest): Promise<HttpClientResponse> {
    const url = new URL(request.url);
    const port = Number(url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : url.port);
    const host = url.hostname.replace(/^\[|\]$/g, '');
    const where = `request ${request.url}`;
    const limit = deadline(
      this.#network.clock,
      request.timeoutMs,
      () => new TimeoutError(`${where}: no answer in ${request.timeoutMs} ms`),
      request.signal,
    );
    try {
      const options = { timeoutMs: request.timeoutMs, signal: limit.signal };
      const target = await this.#reach(host, where, options);
      const handler = target?.handler(port);
      if (target === undefined || handler === undefined) throw unreachable('ECONNREFUSED', where);
      const asked = httpRequest(request, url, { host: this.ip, port: 0 }, limit.signal);
      const answer = await withSignal(
        limit.signal,
        collect(await withSignal(limit.signal, handler(asked))),
      );
      if (target.isDown) throw unreachable('ECONNRESET', where);
      await this.#travel(target.ip, this.ip, limit.signal);
      const maxBytes = request.maxBodyBytes ?? MAX_BODY_BYTES;
      if (answer.body.length > maxBytes) {
        throw new LimitError(
          'BASE.BODY_TOO_LARGE',
          'maxBodyBytes',
          `${where}: more than ${maxBytes} bytes`,
        );
      }
      return answer;
    } finally {
      limit.release();
    }
  }

  openPool(options: HttpPoolOptions): HttpPool {
    return new PoolOverRequests(this, options);
  }

  async resolve(host: string): Promise<string[]> {
    const ip = this.#network.resolve(host);
    if (ip === undefined) throw new SimSystemError('ENOTFOUND', host);
    return [ip];
  }

  /** What accepts connections at a port. */
  listener(port: number): ((connection: TcpConnection) => void) | undefined {
    return this.#tcp.get(port)?.serve;
  }

  /** What answers requests at a port. */
  handler(port: number): HttpHandler | undefined {
    return this.#http.get(port)?.serve;
  }

  /** Hands a datagram to whoever is bound to the port. */
  receive(data: Uint8Array, from: Address, port: number): void {
    this.#udp.get(port)?.serve(data, from);
  }

  get isDown(): boolean {
    return this.#isDown;
  }

  #sendPacket(data: Uint8Array, fromPort: number, to: Address): void {
    const { random, clock } = this.#network;
    const ip = this.#network.resolve(to.host);
    if (ip === undefined) return;
    const link = this.#network.link(this.ip, ip);
    const copies = random.next() < link.duplication ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      if (link.isCut || this.#network.isLost(this.ip, ip)) continue;
      const packet = data.slice();
      const from = { host: this.ip, port: fromPort };
      const hand = (): void => this.#network.hostAt(ip)?.receive(packet, from, to.port);
      clock.after(this.#network.delayMs(this.ip, ip), () => {
        if (this.#network.link(this.ip, ip).isCut) return;
        const waitMs = this.#network.stalledMs(ip);
        if (waitMs > 0) clock.after(waitMs, hand);
        else hand();
      });
    }
  }

  /** The host once a packet has gone there and back; undefined when there is none. */
  async #reach(
    host: string,
    where: string,
    options: { readonly timeoutMs: number; readonly signal?: StopSignal },
  ): Promise<SimNet | undefined> {
    const ip = this.#network.resolve(host);
    if (ip === undefined) throw unreachable('ENOTFOUND', where);
    if (this.#isDown) throw unreachable('ENETDOWN', where);
    const limit = deadline(
      this.#network.clock,
      options.timeoutMs,
      () => new TimeoutError(`${where}: no answer in ${options.timeoutMs} ms`),
      options.signal,
    );
    try {
      await this.#travel(this.ip, ip, limit.signal);
      const target = this.#network.hostAt(ip);
      // A host without power does not even refuse.
      if (target?.isDown === true) await withSignal(limit.signal, new Promise<never>(() => {}));
      return target;
    } finally {
      limit.release();
    }
  }

  /** One way over a link; waits while it is cut. */
  async #travel(from: string, to: string, signal: StopSignal): Promise<void> {
    const { clock } = this.#network;
    do {
      let waitMs = Math.max(this.#network.delayMs(from, to), 0.01);
      for (; waitMs > 0; waitMs = this.#network.stalledMs(to)) {
        const delayMs = waitMs;
        await withSignal(
          signal,
          new Promise<void>((resolve) => {
            clock.after(delayMs, resolve);
          }),
        );
      }
    } while (this.#network.link(from, to).isCut && (await this.#pause(signal)));
  }

  async #pause(signal: StopSignal): Promise<true> {
    await withSignal(
      signal,
      new Promise<void>((resolve) => {
        this.#network.clock.after(100, resolve);
      }),
    );
    return true;
  }

  #bind<T>(table: Map<number, Bound<T>>, at: Address, serve: T): Address {
    const isAny = at.host === '0.0.0.0' || at.host === '::' || at.host === '';
    if (!isAny && this.#network.resolve(at.host) !== this.ip) {
      throw new SimSystemError('EADDRNOTAVAIL', `bind ${at.host}:${at.port}`);
    }
    const port = at.port === 0 ? this.#freePort() : at.port;
    const sharesTcp =
      (table as unknown) !== this.#udp && (this.#tcp.has(port) || this.#http.has(port));
    if (table.has(port) || sharesTcp) {
      throw new SimSystemError('EADDRINUSE', `bind ${at.host}:${port}`);
    }
    const bound = { host: this.ip, port };
    table.set(port, { at: bound, serve });
    return bound;
  }

  /** A socket of a life before the crash must not close its successor's. */
  #release<T>(table: Map<number, Bound<T>>, port: number, serve: T): void {
    if (table.get(port)?.serve === serve) table.delete(port);
  }

  #freePort(): number {
    this.#nextPort = this.#nextPort >= 65_535 ? FIRST_FREE_PORT : this.#nextPort + 1;
    return this.#nextPort;
  }
}

function httpRequest(
  request: HttpClientRequest,
  url: URL,
  remote: Address,
  signal: StopSignal,
): HttpRequest {
  const body =
    typeof request.body === 'string' ? new TextEncoder().encode(request.body) : request.body;
  const data = body ?? new Uint8Array(0);
  // Nothing is compressed here: that would be done in threads, which the virtual clock does not wait for.
  const { 'accept-encoding': _, ...asked } = request.headers ?? {};
  return {
    method: request.method,
    target: url.pathname + url.search,
    headers: { host: url.host, 'content-length': String(data.length), ...asked },
    remote,
    body: async (limitBytes) => {
      if (data.length <= limitBytes) return data.slice();
      throw new LimitError(
        'BASE.BODY_TOO_LARGE',
        'body',
        `body of ${data.length} bytes; limit ${limitBytes}`,
      );
    },
    stream: async function* () {
      yield data.slice();
    },
    signal,
    principal: EVERYONE,
  };
}

async function collect(response: HttpResponse): Promise<HttpClientResponse> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(response.headers ?? {})) {
    headers[name.toLowerCase()] = typeof value === 'string' ? value : value.join(', ');
  }
  const { status, body } = response;
  if (body === undefined) return { status, headers, body: new Uint8Array(0) };
  if (typeof body === 'string') return { status, headers, body: new TextEncoder().encode(body) };
  if (body instanceof Uint8Array) return { status, headers, body: body.slice() };
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  const whole = new Uint8Array(chunks.reduce((size, chunk) => size + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return { status, headers, body: whole };
}

/** As the machine's own network reports what its sockets say. */
function unreachable(code: string, where: string): OperatingError {
  return new OperatingError('BASE.CONNECTION', where, { cause: new SimSystemError(code) });
}

/** The result of `work`, or the signal's reason as soon as it aborts. */
function withSignal<T>(signal: StopSignal, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      const { reason } = signal;
      reject(reason instanceof Error ? reason : new CanceledError('canceled', { cause: reason }));
    };
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
