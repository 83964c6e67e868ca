import { type Clock, type Files, type Net, OperatingError, type StopSignal } from '@pollux/base';
import { clientSettings } from './client-config.ts';
import { DEFAULT_HTTP_CONFIG, type OAuth2Config } from './http-config.ts';
import { proxyAndTls } from './proxy-and-tls.ts';

const MAX_ANSWER_BYTES = 1024 * 1024;
/** A token is not used in its last seconds, so that it does not end on its way. */
const EARLY_MS = 10_000;
/** What a server that names no life of its tokens means: until it says otherwise, here for at most this long. */
const UNNAMED_LIFE_MS = 3_600_000;

export type OAuth2TokensOptions = {
  readonly net: Net;
  readonly files: Files;
  readonly clock: Clock;
  readonly config: OAuth2Config;
  readonly resolvePath: (name: string) => string;
};

/** Tokens by the client credentials grant (RFC 6749, 4.4), kept until shortly before their end. */
export class OAuth2Tokens {
  readonly #options: OAuth2TokensOptions;
  #header = '';
  #secret = '';
  #endsMs = 0;

  constructor(options: OAuth2TokensOptions) {
    this.#options = options;
  }

  /** The value of the Authorization header. */
  async get(timeoutMs: number, signal: StopSignal): Promise<string> {
    const { config, files, clock, resolvePath } = this.#options;
    const secret =
      config.client_secret_file === ''
        ? config.client_secret.reveal()
        : new TextDecoder().decode(files.readFile(resolvePath(config.client_secret_file))).trim();
    const isValid = secret === this.#secret && clock.monotonic() < this.#endsMs;
    if (isValid && this.#header !== '') return this.#header;
    // Servers differ in where they look for the credentials; the header is what the standard asks all to take.
    const byHeader = await this.#ask(secret, true, { timeoutMs, signal });
    const answer = byHeader ?? (await this.#ask(secret, false, { timeoutMs, signal }));
    if (answer === null) {
      throw new OperatingError('HTTP.OAUTH2', 'oauth2: the token endpoint refused the credentials');
    }
    this.#header = answer.header;
    this.#secret = secret;
    this.#endsMs = clock.monotonic() + answer.lifeMs - EARLY_MS;
    return this.#header;
  }

  async #ask(
    secret: string,
    inHeader: boolean,
    wait: { readonly timeoutMs: number; readonly signal: StopSignal },
  ): Promise<{ readonly header: string; readonly lifeMs: number } | null> {
    const { config, net, files, resolvePath } = this.#options;
    const form = new URLSearchParams({ grant_type: 'client_credentials' });
    if (config.scopes.length > 0) form.set('scope', config.scopes.join(' '));
    for (const [name, value] of Object.entries(config.endpoint_params)) form.set(name, value);
    const pair = `${encodeURIComponent(config.client_id)}:${encodeURIComponent(secret)}`;
    if (!inHeader) {
      form.set('client_id', config.client_id);
      form.set('client_secret', secret);
    }
    const settings = clientSettings(
      { ...DEFAULT_HTTP_CONFIG, tls_config: config.tls_config },
      files,
      resolvePath,
    );
    const answer = await net.request({
      method: 'POST',
      url: config.token_url,
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        ...(inHeader ? { authorization: `Basic ${Buffer.from(pair).toString('base64')}` } : {}),
      },
      body: form.toString(),
      ...proxyAndTls(config, settings, config.token_url),
      ...wait,
      maxBodyBytes: MAX_ANSWER_BYTES,
    });
    if (answer.status < 200 || answer.status > 299) return null;
    return tokenOf(new TextDecoder().decode(answer.body));
  }
}

function tokenOf(text: string): { readonly header: string; readonly lifeMs: number } {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    answer = null;
  }
  const fields = (typeof answer === 'object' ? answer : null) as Record<string, unknown> | null;
  const token = fields?.access_token;
  if (typeof token !== 'string' || token === '') {
    throw new OperatingError('HTTP.OAUTH2', 'oauth2: server response missing access_token');
  }
  const kind = typeof fields?.token_type === 'string' ? fields.token_type : '';
  const seconds = Number(fields?.expires_in ?? 0);
  return {
    header: `${kind === '' || kind.toLowerCase() === 'bearer' ? 'Bearer' : kind} ${token}`,
    lifeMs: seconds > 0 ? seconds * 1000 : UNNAMED_LIFE_MS,
  };
}
