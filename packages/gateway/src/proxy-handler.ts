import {
  type Env,
  errorText,
  type HttpClientResponse,
  type HttpResponse,
  OperatingError,
} from '@pollux/base';
import { type Exchange, json } from '@pollux/http';
import type { GatewayMetrics } from './metrics.ts';
import { forwardedHeaders } from './query-handler.ts';
import { candidates, LAST_RESORT_MS, type Upstream } from './upstream.ts';

const MAX_REQUEST_BYTES = 64 * 1024 * 1024;
const MAX_ANSWER_BYTES = 512 * 1024 * 1024;
/** POST requests that only read: Grafana posts them. They may be sent again to another member. */
const READING_POSTS =
  /^\/api\/v1\/(?:query_exemplars|series|labels|format_query|parse_query|read)$/;
const KEPT_HEADERS = [
  'content-type',
  'location',
  'cache-control',
  'etag',
  'last-modified',
  'x-influxdb-version',
];

export type ProxyOptions = {
  readonly env: Env;
  readonly metrics: GatewayMetrics;
  readonly upstreams: readonly Upstream[];
  readonly requestTimeoutMs: number;
};

/**
 * Passes requests to one member of a group in turn. What only reads is tried on the next member when one fails; anything
 * else only when the connection could not be made, since it may have taken effect.
 */
export class ProxyHandler {
  readonly #options: ProxyOptions;
  #next = 0;

  constructor(options: ProxyOptions) {
    this.#options = options;
  }

  /** `path` replaces the path of the request, the query stays. */
  async handle(exchange: Exchange, path: string): Promise<HttpResponse> {
    const { upstreams, metrics } = this.#options;
    const { request } = exchange;
    const at = request.target.indexOf('?');
    const target = path + (at < 0 ? '' : request.target.slice(at));
    const isReading =
      ['GET', 'HEAD', 'OPTIONS'].includes(request.method) || READING_POSTS.test(path);
    const hasBody = request.method !== 'GET' && request.method !== 'HEAD';
    const body = hasBody ? await request.body(MAX_REQUEST_BYTES) : undefined;
    let lastError: unknown = null;
    for (const upstream of this.#inTurn()) {
      try {
        return toResponse(upstream, await this.#send(upstream, exchange, target, body));
      } catch (error) {
        if (!OperatingError.is(error) || exchange.signal.aborted) throw error;
        lastError = error;
        metrics.failures.with(upstream.name).inc();
        if (error.code === 'BASE.CONNECTION') upstream.markDown(errorText(error));
        if (error.code === 'BASE.TIMEOUT') break;
        if (!isReading && !isRefused(error)) break;
        metrics.retries.inc();
      }
    }
    const why =
      lastError === null
        ? upstreams.map(({ name, lastError: reason }) => `${name}: ${reason}`).join('; ')
        : errorText(lastError);
    return json(503, {
      status: 'error',
      errorType: 'unavailable',
      error: `no member can answer (${why})`,
    });
  }

  /** Members to ask, beginning with the next in turn. */
  #inTurn(): Upstream[] {
    const live = candidates(this.#options.upstreams);
    const first = live.length === 0 ? 0 : this.#next++ % live.length;
    return [...live.slice(first), ...live.slice(0, first)];
  }

  #send(
    upstream: Upstream,
    exchange: Exchange,
    target: string,
    body: Uint8Array | undefined,
  ): Promise<HttpClientResponse> {
    const { env, metrics, requestTimeoutMs } = this.#options;
    metrics.requests.with(upstream.name).inc();
    const request = {
      method: exchange.request.method,
      url: upstream.url + target,
      headers: forwardedHeaders(exchange),
      ...(body === undefined ? {} : { body }),
      timeoutMs: upstream.isUp ? requestTimeoutMs : LAST_RESORT_MS,
      maxBodyBytes: MAX_ANSWER_BYTES,
    };
    return upstream.send(env.net, request, exchange.signal);
  }
}

function isRefused(error: OperatingError): boolean {
  const cause = error.cause;
  return (
    typeof cause === 'object' && cause !== null && 'code' in cause && cause.code === 'ECONNREFUSED'
  );
}

function toResponse(upstream: Upstream, response: HttpClientResponse): HttpResponse {
  const headers: Record<string, string> = { 'x-pollux-member': upstream.name };
  for (const name of KEPT_HEADERS) {
    const value = response.headers[name];
    if (value !== undefined) headers[name] = value;
  }
  return { status: response.status, headers, body: response.body };
}
