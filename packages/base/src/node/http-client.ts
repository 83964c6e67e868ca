import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import { Agent, type Dispatcher, ProxyAgent, request as send } from 'undici';
import { CanceledError, LimitError, OperatingError, TimeoutError } from '../errors.ts';
import type { HttpClientRequest, HttpClientResponse, HttpProxy, TlsClientOptions } from '../net.ts';
import { tlsSettings } from './tls-settings.ts';

const gunzip = promisify(zlib.gunzip);
const inflate = promisify(zlib.inflate);
const DEFAULT_MAX_BODY_BYTES = 64 * 1024 * 1024;
const MAX_SPECIAL_AGENTS = 64;
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

/** undici with keep-alive pools; one agent for plain requests, one per distinct TLS and proxy setting. */
export class NodeHttpClient {
  readonly #plain = new Agent(agentOptions());
  readonly #special = new Map<string, Agent | ProxyAgent>();

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
      const response = await send(request.url, {
        method: request.method as Dispatcher.HttpMethod,
        headers: headersOf(request),
        ...(request.body === undefined ? {} : { body: request.body }),
        signal: abort.signal,
        dispatcher: this.#agentFor(request),
      });
      const raw = await readBody(response.body, maxBytes);
      const headers: Record<string, string> = {};
      for (const [name, value] of Object.entries(response.headers)) {
        if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value;
      }
      return {
        status: response.statusCode,
        headers,
        body: await decode(raw, headers['content-encoding'], maxBytes),
      };
    } catch (error) {
      if (isOverdue) {
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

  async close(): Promise<void> {
    const agents = [this.#plain, ...this.#special.values()];
    this.#special.clear();
    await Promise.all(agents.map((agent) => agent.destroy()));
  }

  #agentFor({ url, tls, proxy: given }: HttpClientRequest): Agent | ProxyAgent {
    // Headers of CONNECT are not for forwarded requests.
    const proxy = given !== undefined && !url.startsWith('https:') ? { url: given.url } : given;
    if (tls === undefined && proxy === undefined) return this.#plain;
    const key = JSON.stringify([tls, proxy]);
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
    const agent = specialAgent(tls, proxy);
    this.#special.set(key, agent);
    return agent;
  }
}

function specialAgent(
  tls: TlsClientOptions | undefined,
  proxy: HttpProxy | undefined,
): Agent | ProxyAgent {
  const connect = { timeout: 10_000, ...(tls === undefined ? {} : tlsSettings(tls)) };
  if (proxy === undefined) return new Agent({ ...agentOptions(), connect });
  const { url: written, connectHeaders = {} } = proxy;
  // The proxy finds the address of a name either way.
  const url = new URL(written.replace(/^socks5h:/i, 'socks5:'));
  const isSocks = /^socks5?:$/.test(url.protocol);
  if (isSocks) {
    // It takes them from the address too, but percent-encoded as they stand there.
    const credentials = { username: decoded(url.username), password: decoded(url.password) };
    const options = { ...agentOptions(), ...credentials, uri: url.href, requestTls: connect };
    return new ProxyAgent(options);
  }
  const pair = `${decoded(url.username)}:${decoded(url.password)}`;
  url.username = '';
  url.password = '';
  return new ProxyAgent({
    ...agentOptions(),
    uri: url.href,
    // Go's client forwards plain requests and tunnels only those over TLS.
    proxyTunnel: false,
    headers: { ...connectHeaders },
    requestTls: connect,
    ...(pair === ':' ? {} : { token: `Basic ${Buffer.from(pair).toString('base64')}` }),
  });
}

function agentOptions(): Agent.Options {
  // The whole exchange has its own deadline; these only bound what the signal cannot see.
  return {
    connections: 64,
    keepAliveTimeout: 30_000,
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: { timeout: 10_000 },
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

async function readBody(body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of body) {
    size += part.length;
    if (size > maxBytes) throw bodyTooLarge(maxBytes);
    parts.push(part);
  }
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts, size);
}

async function decode(
  data: Uint8Array,
  encoding: string | undefined,
  maxBytes: number,
): Promise<Uint8Array> {
  const name = encoding?.trim().toLowerCase() ?? '';
  // An answer to HEAD names the encoding of a body that it does not have.
  if (data.length === 0 || !['gzip', 'x-gzip', 'deflate'].includes(name)) return data;
  try {
    const options = { maxOutputLength: maxBytes };
    return await (name === 'deflate' ? inflate(data, options) : gunzip(data, options));
  } catch (error) {
    if (error instanceof RangeError) throw bodyTooLarge(maxBytes);
    throw new OperatingError('BASE.CONNECTION', `answer is no valid ${encoding}`, { cause: error });
  }
}

function bodyTooLarge(maxBytes: number): LimitError {
  return new LimitError('BASE.ANSWER_TOO_LARGE', 'maxBodyBytes', `body exceeds ${maxBytes} bytes`);
}
