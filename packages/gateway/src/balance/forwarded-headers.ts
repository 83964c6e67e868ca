import type { HttpRequest } from '@pollux/base';

export type ForwardedHeaders = Readonly<Record<string, string | readonly string[]>>;

/** They speak of one connection (RFC 9110, 7.6.1), or are made anew. */
const OF_THE_CONNECTION: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-real-ip',
]);

/** What a member is sent: the client's headers, who the client is, and what it asked for. */
export class RequestHeaders {
  readonly #isClientHost: boolean;
  /** Clients send the same headers with each request, and a connection gives them as the same object. */
  readonly #made = new WeakMap<
    object,
    { readonly host: string; readonly headers: ForwardedHeaders }
  >();

  constructor(host: 'client' | 'member') {
    this.#isClientHost = host === 'client';
  }

  of(request: HttpRequest): ForwardedHeaders {
    const known = this.#made.get(request.headers);
    if (known !== undefined && known.host === request.remote.host) return known.headers;
    const headers = this.#make(request);
    this.#made.set(request.headers, { host: request.remote.host, headers });
    return headers;
  }

  #make({ headers, remote, tls }: HttpRequest): ForwardedHeaders {
    const named = new Set(
      (headers.connection ?? '').split(',').map((name) => name.trim().toLowerCase()),
    );
    const sent: Record<string, string> = {};
    const { host } = headers;
    if (this.#isClientHost && host !== undefined) sent.host = host;
    for (const name of Object.keys(headers)) {
      if (!OF_THE_CONNECTION.has(name) && !named.has(name)) sent[name] = headers[name]!;
    }
    const from = clientAddress(remote.host);
    const before = headers['x-forwarded-for'];
    sent['x-real-ip'] = from;
    sent['x-forwarded-for'] = before === undefined ? from : `${before}, ${from}`;
    sent['x-forwarded-proto'] = tls === undefined ? 'http' : 'https';
    if (host !== undefined) sent['x-forwarded-host'] = host;
    return sent;
  }
}

/** A socket for both families writes IPv4 as ::ffff:127.0.0.1, which no list of addresses knows. */
export function clientAddress(host: string): string {
  return host.startsWith('::ffff:') && host.includes('.') ? host.slice(7) : host;
}

const NOT_ANSWERED: ReadonlySet<string> = new Set([
  'connection',
  'date',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** What the client is answered: the member's headers, and which member it was. */
export function answeredHeaders(headers: ForwardedHeaders, member: string): ForwardedHeaders {
  const answered: Record<string, string | readonly string[]> = {};
  for (const name of Object.keys(headers)) {
    if (!NOT_ANSWERED.has(name)) answered[name] = headers[name]!;
  }
  answered['x-pollux-member'] = member;
  return answered;
}
