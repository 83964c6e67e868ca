import type { Socket } from 'node:net';
import type * as undici from 'undici';
import type { Dispatcher } from 'undici';
import { CanceledError, OperatingError, TimeoutError } from '../errors.ts';
import type { HttpClientRequest, HttpClientResponse, HttpProxy, TlsClientOptions } from '../net.ts';
import { tlsClientSettings } from '../tls-client-settings.ts';
import { decodeBody, readBody } from './answer-body.ts';
import type { Http2Session, Http2Sessions } from './http2-sessions.ts';
import { Agent, buildConnector, loadProxyAgent, send } from './undici-parts.ts';
import { UnsentError } from './unsent-error.ts';

const DEFAULT_MAX_BODY_BYTES = 64 * 1024 * 1024;
const MAX_SPECIAL_AGENTS = 64;
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;
const CONNECT_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_MS = 30_000;
/** Connections that turned out to speak HTTP/2, or took no more requests, before one answers. */
const MAX_TRIES = 6;

/**
 * undici with keep-alive pools; one agent for plain requests, one per distinct TLS and proxy setting. Connections that agree
 * on HTTP/2 go to {@link Http2Sessions}, which is loaded for the first of them.
 */
export class NodeHttpClient {
  readonly #plain = new Agent(agentOptions());
  readonly #special = new Map<string, Dispatcher>();
  #http2: Http2Sessions | null = null;
  #isClosed = false;

  async request(request: HttpClientRequest): Promise<HttpClientResponse> {
    const maxBytes = request.maxBodyBytes ?? DEFAULT_MAX_BODY_BYTES;
    // Not AbortSignal.timeout and .any: their timers and links to a long-lived signal outlast the exchange.
    const abort = new AbortController();
    let isOverdue = false;
    const timer = setTimeout(
      () => {
        isOverdue = true;
        abort.abort();
      },
      Math.min(Math.max(0, Math.ceil(request.timeoutMs)), LONGEST_TIMEOUT_MS),
    );
    const onParent = (): void => abort.abort();
    if (request.signal?.aborted) onParent();
    else request.signal?.addEventListener('abort', onParent, { once: true });
    try {
      const { status, headers, body } = await this.#exchange(request, abort.signal, maxBytes);
      return {
        status,
        headers,
        body: await decodeBody(body, headers['content-encoding'], maxBytes),
      };
    } catch (error) {
      if (isOverdue) {
        // Whether its connection still works is not known.
        if (request.http2 === true) this.#sessionFor(request)?.retire();
        throw new TimeoutError(
          `${request.method} ${origin(request.url)}: no answer in ${request.timeoutMs} ms`,
        );
      }
      if (request.signal?.aborted)
        throw new CanceledError('request canceled', { cause: request.signal.reason });
      if (OperatingError.is(error)) throw error;
      throw new OperatingError('BASE.CONNECTION', `${request.method} ${origin(request.url)}`, {
        cause: error,
      });
    } finally {
      clearTimeout(timer);
      request.signal?.removeEventListener('abort', onParent);
    }
  }

  async #exchange(
    request: HttpClientRequest,
    signal: AbortSignal,
    maxBytes: number,
  ): Promise<HttpClientResponse> {
    const headers = headersOf(request);
    const { method, body } = request;
    const content = body === undefined ? {} : { body };
    for (let tries = 1; ; tries++) {
      try {
        const session = this.#sessionFor(request);
        const url = new URL(request.url);
        if (session !== null) {
          const asked = { method, url, headers, ...content, signal, maxBodyBytes: maxBytes };
          return await session.exchange(asked);
        }
        const Proxies = request.proxy === undefined ? null : await loadProxyAgent();
        const response = await send(this.#agentFor(request, Proxies), {
          origin: url.origin,
          path: `${url.pathname}${url.search}`,
          method: method as Dispatcher.HttpMethod,
          headers,
          ...content,
          signal,
        });
        return {
          status: response.statusCode,
          headers: flat(response.headers),
          body: await readBody(response.body, maxBytes),
        };
      } catch (error) {
        if (!UnsentError.is(error) || tries === MAX_TRIES || signal.aborted) throw error;
      }
    }
  }

  #sessionFor(request: HttpClientRequest): Http2Session | null {
    if (this.#http2 === null || !mayUseHttp2(request)) return null;
    return this.#http2.find(`${agentKey(request)} ${new URL(request.url).origin}`);
  }

  /** Agrees on the protocol in the handshake; connections with HTTP/2 are put aside, and their requests told to try again. */
  #negotiatingAgent(tls: TlsClientOptions | undefined, key: string): undici.Agent {
    const connect = buildConnector({
      timeout: CONNECT_TIMEOUT_MS,
      allowH2: true,
      ...(tls === undefined ? {} : tlsClientSettings(tls)),
    });
    return new Agent({
      ...agentOptions(),
      connect: (to, done) => {
        connect(to, (...[error, socket]) => {
          if (error !== null) return done(error, null);
          if (!('alpnProtocol' in socket) || socket.alpnProtocol !== 'h2') {
            return done(null, socket);
          }
          const origin = `https://${to.host}`;
          this.#adopt(`${key} ${origin}`, origin, socket).then(
            () => done(new UnsentError('the connection has HTTP/2'), null),
            (failure: Error) => done(failure, null),
          );
        });
      },
    });
  }

  async #adopt(key: string, origin: string, socket: Socket): Promise<void> {
    const { Http2Sessions } = await import('./http2-sessions.ts');
    this.#http2 ??= new Http2Sessions(KEEP_ALIVE_MS);
    if (this.#isClosed) socket.destroy();
    else this.#http2.adopt(key, origin, socket);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#http2?.close();
    const agents = [this.#plain, ...this.#special.values()];
    this.#special.clear();
    await Promise.all(agents.map((agent) => agent.destroy()));
  }

  #agentFor(request: HttpClientRequest, Proxies: typeof undici.ProxyAgent | null): Dispatcher {
    const { tls } = request;
    const proxy = proxyOf(request);
    const isNegotiated = mayUseHttp2(request);
    if (tls === undefined && proxy === undefined && !isNegotiated) return this.#plain;
    const key = agentKey(request);
    const known = this.#special.get(key);
    if (known !== undefined) return known;
    if (this.#special.size >= MAX_SPECIAL_AGENTS) {
      const [oldest] = this.#special.keys();
      if (oldest !== undefined) {
        // Requests under way end on the old agent; what they meet is theirs to report. An agent that was destroyed, by
        // `close`, is no longer here to refuse.
        void this.#special.get(oldest)?.close();
        this.#special.delete(oldest);
      }
    }
    let agent: Dispatcher;
    if (isNegotiated) agent = this.#negotiatingAgent(tls, key);
    else if (proxy !== undefined && Proxies !== null) agent = proxyAgent(Proxies, proxy, tls);
    else agent = new Agent({ ...agentOptions(), connect: connectOptions(tls) });
    this.#special.set(key, agent);
    return agent;
  }
}

function proxyOf({ url, proxy }: HttpClientRequest): HttpProxy | undefined {
  // Headers of CONNECT are not for forwarded requests.
  return proxy !== undefined && !url.startsWith('https:') ? { url: proxy.url } : proxy;
}

function mayUseHttp2({ url, proxy, http2 }: HttpClientRequest): boolean {
  return http2 === true && proxy === undefined && url.startsWith('https:');
}

function agentKey(request: HttpClientRequest): string {
  return JSON.stringify([request.tls, proxyOf(request), mayUseHttp2(request)]);
}

function connectOptions(tls: TlsClientOptions | undefined) {
  return { timeout: CONNECT_TIMEOUT_MS, ...(tls === undefined ? {} : tlsClientSettings(tls)) };
}

function proxyAgent(
  Proxies: typeof undici.ProxyAgent,
  { url: written, connectHeaders = {} }: HttpProxy,
  tls: TlsClientOptions | undefined,
): undici.ProxyAgent {
  const connect = connectOptions(tls);
  // The proxy finds the address of a name either way.
  const url = new URL(written.replace(/^socks5h:/i, 'socks5:'));
  const isSocks = /^socks5?:$/.test(url.protocol);
  if (isSocks) {
    // It takes them from the address too, but percent-encoded as they stand there.
    const credentials = { username: decoded(url.username), password: decoded(url.password) };
    const options = { ...agentOptions(), ...credentials, uri: url.href, requestTls: connect };
    return new Proxies(options);
  }
  const pair = `${decoded(url.username)}:${decoded(url.password)}`;
  url.username = '';
  url.password = '';
  return new Proxies({
    ...agentOptions(),
    uri: url.href,
    // Go's client forwards plain requests and tunnels only those over TLS.
    proxyTunnel: false,
    headers: { ...connectHeaders },
    requestTls: connect,
    ...(pair === ':' ? {} : { token: `Basic ${Buffer.from(pair).toString('base64')}` }),
  });
}

function agentOptions(): undici.Agent.Options {
  // The whole exchange has its own deadline; these only bound what the signal cannot see.
  return {
    connections: 64,
    keepAliveTimeout: KEEP_ALIVE_MS,
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: { timeout: CONNECT_TIMEOUT_MS },
  };
}

/** User and password of the address become Basic authentication, as curl and Go send them; undici drops them. */
function headersOf(request: HttpClientRequest): Record<string, string> {
  const headers = { ...request.headers };
  const url = URL.canParse(request.url) ? new URL(request.url) : null;
  if (url === null || (url.username === '' && url.password === '')) return headers;
  if (Object.keys(headers).some((name) => name.toLowerCase() === 'authorization')) return headers;
  const pair = `${decoded(url.username)}:${decoded(url.password)}`;
  return { ...headers, authorization: `Basic ${Buffer.from(pair).toString('base64')}` };
}

function flat(headers: Dispatcher.ResponseData['headers']): Record<string, string> {
  const out: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) out[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return out;
}

/** Percent-decoded; text with a lone percent sign is meant as it stands. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Scheme, host and port only: a path or query may hold a secret. */
function origin(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : 'an invalid address';
}
