import {
  errorText,
  type HttpHandler,
  type HttpRequest,
  type HttpResponse,
  OperatingError,
} from '@pollux/base';
import createRouter, { type HTTPMethod } from 'find-my-way';
import { type Exchange, type RouteHandler, text } from './exchange.ts';

type Stored = { readonly pattern: string; readonly handler: RouteHandler };

/** Called after each exchange, for metrics and access logs. `route` is the pattern, or empty when none matched. */
export type ExchangeObserver = (event: {
  readonly route: string;
  readonly request: HttpRequest;
  readonly response: HttpResponse;
  readonly durationMs: number;
}) => void;

export type RouterOptions = {
  /** Leading path of every route, as `--web.route-prefix` gives it; `/` for none. Who asks for what lies above is sent there. */
  readonly prefix?: string;
  /** Milliseconds, for the observer. */
  readonly monotonic: () => number;
  readonly observe?: ExchangeObserver;
  /** Turns what a handler throws into an answer; null leaves it to the default (413 for body limits, else 500). */
  readonly onError?: (error: unknown, exchange: Exchange) => HttpResponse | null;
};

/** Maps method and path to handlers. Patterns are find-my-way's: `/api/v1/label/:name/values`, `/assets/*`. */
export class Router {
  readonly #routes = createRouter({ ignoreTrailingSlash: false, maxParamLength: 10_000 });
  readonly #options: RouterOptions;
  readonly #prefix: string;
  /** All that any route takes, in the order of their registration. */
  readonly #methods = new Set<string>();
  #fallback: RouteHandler = async () => text(404, '404 page not found\n');

  constructor(options: RouterOptions) {
    this.#options = options;
    this.#prefix = (options.prefix ?? '/').replace(/\/+$/, '');
  }

  on(methods: string | readonly string[], pattern: string, handler: RouteHandler): this {
    const list = typeof methods === 'string' ? [methods] : methods;
    const stored: Stored = { pattern, handler };
    for (const method of list) {
      this.#routes.on(method as HTTPMethod, this.#prefix + pattern, () => {}, stored);
      this.#methods.add(method);
    }
    return this;
  }

  get(pattern: string, handler: RouteHandler): this {
    return this.on(['GET', 'HEAD'], pattern, handler);
  }

  post(pattern: string, handler: RouteHandler): this {
    return this.on('POST', pattern, handler);
  }

  /** Answers what no route takes. */
  otherwise(handler: RouteHandler): this {
    this.#fallback = handler;
    return this;
  }

  /** The handler to serve; also the way to test routes without a port. */
  readonly handler: HttpHandler = async (request) => {
    const startMs = this.#options.monotonic();
    const at = request.target.indexOf('?');
    const path = at < 0 ? request.target : request.target.slice(0, at);
    const query = new URLSearchParams(at < 0 ? '' : request.target.slice(at + 1));
    const found = this.#routes.find(request.method as HTTPMethod, path);
    const stored = found?.store as Stored | undefined;
    const exchange: Exchange = {
      request,
      path: this.#withoutPrefix(path),
      params: (found?.params as Record<string, string> | undefined) ?? {},
      query,
      principal: request.principal,
      signal: request.signal,
    };
    const response = await this.#answer(stored, exchange, path);
    this.#options.observe?.({
      route: stored?.pattern ?? '',
      request,
      response,
      durationMs: this.#options.monotonic() - startMs,
    });
    return response;
  };

  #withoutPrefix(path: string): string {
    const prefix = this.#prefix;
    if (prefix === '' || !path.startsWith(prefix)) return path;
    const rest = path.slice(prefix.length);
    return rest === '' || rest.startsWith('/') ? rest : path;
  }

  /** Never rejects: what a handler throws becomes an answer here, so that the observer counts it. */
  async #answer(
    stored: Stored | undefined,
    exchange: Exchange,
    path: string,
  ): Promise<HttpResponse> {
    try {
      if (stored !== undefined) return await stored.handler(exchange);
      const allowed = this.#allowedMethods(path);
      if (allowed.length > 0 && !allowed.includes(exchange.request.method)) {
        return {
          status: 405,
          headers: { 'content-type': 'text/plain; charset=utf-8', allow: allowed.join(', ') },
          body: 'Method Not Allowed\n',
        };
      }
      return this.#isAbovePrefix(exchange.request.method, path)
        ? this.#toPrefix(exchange.query)
        : await this.#fallback(exchange);
    } catch (error) {
      const answer = this.#options.onError?.(error, exchange) ?? null;
      if (answer !== null) return answer;
      if (OperatingError.is(error) && error.code === 'HTTP.BODY_TOO_LARGE')
        return text(413, `${error.message}\n`);
      return text(500, `internal error: ${errorText(error)}\n`);
    }
  }

  #isAbovePrefix(method: string, path: string): boolean {
    if (this.#prefix === '' || (method !== 'GET' && method !== 'HEAD')) return false;
    return path === '/' || path === this.#prefix;
  }

  /** With the slash behind it, since pages name their files by where they are. */
  #toPrefix(query: URLSearchParams): HttpResponse {
    const search = query.size === 0 ? '' : `?${query.toString()}`;
    return { status: 302, headers: { location: `${this.#prefix}/${search}` } };
  }

  #allowedMethods(path: string): string[] {
    return [...this.#methods].filter((m) => this.#routes.find(m as HTTPMethod, path) !== null);
  }
}
