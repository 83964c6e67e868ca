import {
  type Clock,
  type Files,
  type HttpClientResponse,
  type Net,
  OperatingError,
  parseIp,
  type Random,
  type StopSignal,
} from '@pollux/base';
import { clientSettings } from './client-config.ts';
import type { Variables } from './environment-proxy.ts';
import type { HttpConfig } from './http-config.ts';
import { OAuth2Tokens } from './oauth2-tokens.ts';
import { proxyAndTls } from './proxy-and-tls.ts';

const MAX_REDIRECTS = 10;
const CREDENTIAL_HEADERS = ['authorization', 'cookie', 'proxy-authorization'];

export type HttpConfigClientOptions = {
  readonly net: Net;
  readonly files: Files;
  readonly clock: Clock;
  /** For the ids of OAuth2 assertions. */
  readonly random: Random;
  readonly config: HttpConfig;
  /** Joins relative names of files to the configuration's folder. */
  readonly resolvePath: (name: string) => string;
  /** The environment's, where `proxy_from_environment` looks. */
  readonly variables: Variables;
};

export type HttpExchange = {
  readonly method: string;
  readonly url: string;
  /** Lower-case names. Those of the configuration win, but an Authorization that is given stays, save for a token's. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** For all steps together: token, redirects, answer. */
  readonly timeoutMs: number;
  readonly signal: StopSignal;
  readonly maxBodyBytes: number;
};

export type HttpConfigAnswer = HttpClientResponse & {
  /** Values of headers that the configuration set: what a message that quotes the answer must not show. */
  readonly secrets: readonly string[];
};

/**
 * Requests by an `http_config:` block: credentials, OAuth2 tokens, TLS, proxy, headers, redirects. Redirects are followed
 * as Go's client does: 307 and 308 with method and body, the others as GET without a body; credentials stay with their
 * host and its subdomains, and once left behind they do not come back.
 */
export class HttpConfigClient {
  readonly #options: HttpConfigClientOptions;
  readonly #tokens: OAuth2Tokens | null;

  constructor(options: HttpConfigClientOptions) {
    this.#options = options;
    const { oauth2 } = options.config;
    this.#tokens = oauth2 === null ? null : new OAuth2Tokens({ ...options, config: oauth2 });
  }

  /** Rejects on connection errors and time-outs, resolves for every status. */
  async request(exchange: HttpExchange): Promise<HttpConfigAnswer> {
    const { clock, config } = this.#options;
    const endMs = clock.monotonic() + exchange.timeoutMs;
    const left = (): number => Math.max(1, endMs - clock.monotonic());
    const settings = clientSettings(config, this.#options.files, this.#options.resolvePath);
    const token = await this.#tokens?.get({
      timeoutMs: left(),
      signal: exchange.signal,
      userAgent: exchange.headers?.['user-agent'] ?? '',
    });
    const { authorization: given } = exchange.headers ?? {};
    let current = {
      method: exchange.method,
      url: exchange.url,
      headers: {
        ...exchange.headers,
        ...settings.headers,
        ...(given === undefined ? {} : { authorization: given }),
        ...(token === undefined ? {} : { authorization: token }),
      } as Record<string, string>,
      body: exchange.body,
    };
    for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
      const { body, ...rest } = current;
      const answer = await this.#options.net.request({
        ...rest,
        ...(body === undefined ? {} : { body }),
        ...proxyAndTls(config, settings, current.url, this.#options.variables),
        http2: config.enable_http2,
        timeoutMs: left(),
        signal: exchange.signal,
        maxBodyBytes: exchange.maxBodyBytes,
      });
      const next = config.follow_redirects ? redirected(current, answer, exchange.url) : null;
      if (next === null) {
        const secrets = [
          ...Object.values(settings.headers),
          ...(token === undefined ? [] : [token]),
        ];
        return { ...answer, secrets };
      }
      current = next;
    }
    throw new OperatingError('HTTP.REDIRECTS', `stopped after ${MAX_REDIRECTS} redirects`);
  }
}

type Step = {
  readonly method: string;
  readonly url: string;
  readonly headers: Record<string, string>;
  readonly body: string | Uint8Array | undefined;
};

function redirected(
  step: Step,
  { status, headers }: HttpClientResponse,
  origin: string,
): Step | null {
  const { location } = headers;
  if (![301, 302, 303, 307, 308].includes(status) || location === undefined) return null;
  if (!URL.canParse(location, step.url)) return null;
  const here = new URL(step.url);
  const next = new URL(location, step.url);
  if (next.protocol !== 'http:' && next.protocol !== 'https:') return null;
  const keepsBody = status === 307 || status === 308;
  const { hostname: home } = new URL(origin);
  const isHome =
    next.hostname === home || (parseIp(home) === null && next.hostname.endsWith(`.${home}`));
  const staysSecure = here.protocol !== 'https:' || next.protocol === 'https:';
  const dropped = [
    ...(isHome && staysSecure ? [] : CREDENTIAL_HEADERS),
    ...(keepsBody ? [] : ['content-type']),
  ];
  return {
    method: keepsBody || step.method === 'HEAD' ? step.method : 'GET',
    url: next.href,
    headers: Object.fromEntries(
      Object.entries(step.headers).filter(([name]) => !dropped.includes(name)),
    ),
    body: keepsBody ? step.body : undefined,
  };
}
