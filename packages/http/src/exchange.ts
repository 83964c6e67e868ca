import type { HttpRequest, HttpResponse, Principal, StopSignal } from '@pollux/base';

/** What a route's handler gets: the request taken apart. */
export type Exchange = {
  readonly request: HttpRequest;
  /** Without query and without the route prefix. */
  readonly path: string;
  /** Placeholders of the route, percent-decoded. */
  readonly params: Readonly<Record<string, string>>;
  /** Of the URL. */
  readonly query: URLSearchParams;
  readonly principal: Principal;
  readonly signal: StopSignal;
};

export type RouteHandler = (exchange: Exchange) => Promise<HttpResponse>;

/** Form bodies up to this size are read together with the URL's parameters. */
const MAX_FORM_BYTES = 10 * 1024 * 1024;

/** True when parameters may be in the body too. */
export function hasFormBody({ request }: Exchange): boolean {
  if (request.method === 'GET' || request.method === 'HEAD') return false;
  const type = (request.headers['content-type'] ?? '').trim().toLowerCase();
  const hasBody = ['POST', 'PUT', 'PATCH'].includes(request.method);
  return hasBody && type.startsWith('application/x-www-form-urlencoded');
}

/** Parameters of the URL and, for a form body, of the body (first), as Go's `request.Form` has them. */
export async function formOf(exchange: Exchange): Promise<URLSearchParams> {
  const { request, query } = exchange;
  if (!hasFormBody(exchange)) return query;
  const body = new TextDecoder().decode(await request.body(MAX_FORM_BYTES));
  const form = new URLSearchParams(body);
  for (const [name, value] of query) form.append(name, value);
  return form;
}

const JSON_HEADERS = { 'content-type': 'application/json' } as const;
const TEXT_HEADERS = { 'content-type': 'text/plain; charset=utf-8' } as const;

export function json(status: number, value: unknown): HttpResponse {
  return { status, headers: JSON_HEADERS, body: JSON.stringify(value) };
}

export function text(status: number, body: string): HttpResponse {
  return { status, headers: TEXT_HEADERS, body };
}
