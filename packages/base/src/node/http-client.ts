import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import { Agent, type Dispatcher, request as send } from 'undici';
import { CanceledError, LimitError, OperatingError, TimeoutError } from '../errors.ts';
import type { HttpClientRequest, HttpClientResponse, TlsClientOptions } from '../net.ts';

const gunzip = promisify(zlib.gunzip);
const inflate = promisify(zlib.inflate);
const DEFAULT_MAX_BODY_BYTES = 64 * 1024 * 1024;
const MAX_TLS_AGENTS = 64;

/** undici with keep-alive pools; one agent for plain requests, one per distinct TLS setting. */
export class NodeHttpClient {
  readonly #plain = new Agent(agentOptions());
  readonly #secured = new Map<string, Agent>();

  async request(request: HttpClientRequest): Promise<HttpClientResponse> {
    const maxBytes = request.maxBodyBytes ?? DEFAULT_MAX_BODY_BYTES;
    const timeout = AbortSignal.timeout(request.timeoutMs);
    const signal =
      request.signal === undefined ? timeout : AbortSignal.any([timeout, request.signal]);
    try {
      const response = await send(request.url, {
        method: request.method as Dispatcher.HttpMethod,
        ...(request.headers === undefined ? {} : { headers: { ...request.headers } }),
        ...(request.body === undefined ? {} : { body: request.body }),
        signal,
        dispatcher: request.tls === undefined ? this.#plain : this.#agentFor(request.tls),
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
      if (timeout.aborted) {
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
    }
  }

  async close(): Promise<void> {
    await Promise.all([
      this.#plain.destroy(),
      ...[...this.#secured.values()].map((a) => a.destroy()),
    ]);
  }

  #agentFor(tls: TlsClientOptions): Agent {
    const key = JSON.stringify(tls);
    const known = this.#secured.get(key);
    if (known !== undefined) return known;
    if (this.#secured.size >= MAX_TLS_AGENTS) {
      const [oldest] = this.#secured.keys();
      if (oldest !== undefined) {
        void this.#secured.get(oldest)?.close();
        this.#secured.delete(oldest);
      }
    }
    const agent = new Agent({
      ...agentOptions(),
      connect: {
        timeout: 10_000,
        rejectUnauthorized: tls.insecureSkipVerify !== true,
        ...(tls.ca === undefined ? {} : { ca: tls.ca }),
        ...(tls.certificate === undefined ? {} : { cert: tls.certificate }),
        ...(tls.key === undefined ? {} : { key: tls.key }),
        ...(tls.serverName === undefined ? {} : { servername: tls.serverName }),
      },
    });
    this.#secured.set(key, agent);
    return agent;
  }
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
  if (encoding !== 'gzip' && encoding !== 'deflate') return data;
  try {
    const options = { maxOutputLength: maxBytes };
    return await (encoding === 'gzip' ? gunzip(data, options) : inflate(data, options));
  } catch (error) {
    if (error instanceof RangeError) throw bodyTooLarge(maxBytes);
    throw new OperatingError('BASE.CONNECTION', `answer is no valid ${encoding}`, { cause: error });
  }
}

function bodyTooLarge(maxBytes: number): LimitError {
  return new LimitError('BASE.ANSWER_TOO_LARGE', 'maxBodyBytes', `body exceeds ${maxBytes} bytes`);
}
