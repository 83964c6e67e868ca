import {
  type Clock,
  type Files,
  type Net,
  OperatingError,
  type Random,
  type StopSignal,
  uuid,
} from '@pollux/base';
import { clientSettings } from './client-config.ts';
import type { Variables } from './environment-proxy.ts';
import { DEFAULT_HTTP_CONFIG } from './http-config.ts';
import { jwtAssertion } from './jwt-assertion.ts';
import { JWT_BEARER, type OAuth2Config } from './oauth2-config.ts';
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
  readonly random: Random;
  readonly config: OAuth2Config;
  readonly resolvePath: (name: string) => string;
  readonly variables: Variables;
};

export type TokenCall = {
  readonly timeoutMs: number;
  readonly signal: StopSignal;
  /** Empty for none. */
  readonly userAgent: string;
};
type Token = { readonly header: string; readonly lifeMs: number };
/** What an endpoint that gave no token said, as far as it may be shown. */
type Refusal = { readonly refused: string };

/** Tokens of an OAuth2 endpoint, kept until shortly before their end. */
export class OAuth2Tokens {
  readonly #options: OAuth2TokensOptions;
  #header = '';
  #credential = '';
  #endsMs = 0;
  /** Once the endpoint has refused the header and taken the form. */
  #wantsForm = false;

  constructor(options: OAuth2TokensOptions) {
    this.#options = options;
  }

  /** The value of the Authorization header. Rejects without a word of the credentials. */
  async get(call: TokenCall): Promise<string> {
    const { config, clock } = this.#options;
    const credential = this.#readCredential();
    const isValid = credential === this.#credential && clock.monotonic() < this.#endsMs;
    if (isValid && this.#header !== '') return this.#header;
    const answer = await (config.grant_type === JWT_BEARER
      ? this.#byAssertion(credential, call)
      : this.#bySecret(credential, call));
    if ('refused' in answer) {
      throw new OperatingError(
        'HTTP.OAUTH2',
        `oauth2: the token endpoint refused the credentials (${answer.refused})`,
      );
    }
    this.#header = answer.header;
    this.#credential = credential;
    this.#endsMs = clock.monotonic() + answer.lifeMs - EARLY_MS;
    return this.#header;
  }

  /** A file is read each time, so that a rotated credential is used at once. */
  #readCredential(): string {
    const { config, files, resolvePath } = this.#options;
    const [inline, file] =
      config.grant_type === JWT_BEARER
        ? [config.client_certificate_key, config.client_certificate_key_file]
        : [config.client_secret, config.client_secret_file];
    if (file === '') return inline.reveal();
    return new TextDecoder().decode(files.readFile(resolvePath(file))).trim();
  }

  async #byAssertion(key: string, call: TokenCall): Promise<Token | Refusal> {
    const { config, clock, random } = this.#options;
    const assertion = jwtAssertion(config, key, { nowMs: clock.now(), id: uuid(random) });
    return this.#ask(this.#form({ grant_type: JWT_BEARER, assertion }), {}, call);
  }

  /** Servers differ in where they look for the credentials; the header is what the standard asks all to take. */
  async #bySecret(secret: string, call: TokenCall): Promise<Token | Refusal> {
    const { client_id: id } = this.#options.config;
    const form = this.#form({ grant_type: 'client_credentials' });
    if (!this.#wantsForm) {
      const pair = Buffer.from(`${formEncoded(id)}:${formEncoded(secret)}`).toString('base64');
      const byHeader = await this.#ask(form, { authorization: `Basic ${pair}` }, call);
      if (!('refused' in byHeader)) return byHeader;
    }
    form.set('client_id', id);
    if (secret !== '') form.set('client_secret', secret);
    const byForm = await this.#ask(form, {}, call);
    this.#wantsForm = !('refused' in byForm);
    return byForm;
  }

  /** Parameters of the configuration may change the grant's name, for servers that have another, and nothing else. */
  #form(own: Readonly<Record<string, string>>): URLSearchParams {
    const { scopes, endpoint_params } = this.#options.config;
    const form = new URLSearchParams(own);
    if (scopes.length > 0) form.set('scope', scopes.join(' '));
    for (const [name, value] of Object.entries(endpoint_params)) {
      if (form.has(name) && name !== 'grant_type') {
        throw new OperatingError('HTTP.OAUTH2', `oauth2: cannot overwrite parameter "${name}"`);
      }
      form.set(name, value);
    }
    return form;
  }

  async #ask(
    form: URLSearchParams,
    headers: Readonly<Record<string, string>>,
    call: TokenCall,
  ): Promise<Token | Refusal> {
    const { config, net, files, resolvePath, variables } = this.#options;
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
        ...(call.userAgent === '' ? {} : { 'user-agent': call.userAgent }),
        ...headers,
      },
      body: form.toString(),
      ...proxyAndTls(config, settings, config.token_url, variables),
      timeoutMs: call.timeoutMs,
      signal: call.signal,
      maxBodyBytes: MAX_ANSWER_BYTES,
    });
    return tokenOf(
      answer.status,
      fieldsOf(new TextDecoder().decode(answer.body), answer.headers['content-type'] ?? ''),
    );
  }
}

type Fields = Readonly<Record<string, unknown>>;

/** JSON, or a form as some endpoints answer. */
function fieldsOf(text: string, contentType: string): Fields {
  if (/^\s*(?:application\/x-www-form-urlencoded|text\/plain)/i.test(contentType)) {
    const fields = Object.fromEntries(new URLSearchParams(text));
    if ('access_token' in fields || 'error' in fields) return fields;
  }
  try {
    const answer = JSON.parse(text) as unknown;
    return typeof answer === 'object' && answer !== null ? (answer as Fields) : {};
  } catch {
    return {};
  }
}

/** Some endpoints refuse with status 200. The error's code is a word of RFC 6749, 5.2; anything else is not shown. */
function tokenOf(status: number, fields: Fields): Token | Refusal {
  const { error, access_token: token, token_type: type, expires_in: life } = fields;
  const isRefused = status < 200 || status > 299 || (typeof error === 'string' && error !== '');
  if (isRefused) {
    const isWord = typeof error === 'string' && /^[a-z_]{1,40}$/.test(error);
    return { refused: isWord ? `status ${status}, ${error}` : `status ${status}` };
  }
  if (typeof token !== 'string' || token === '') {
    throw new OperatingError('HTTP.OAUTH2', 'oauth2: server response missing access_token');
  }
  const kind = typeof type === 'string' ? type : '';
  const seconds = Number(life ?? 0);
  return {
    header: `${headerScheme(kind)} ${token}`,
    lifeMs: seconds > 0 ? seconds * 1000 : UNNAMED_LIFE_MS,
  };
}

/** As Go's client, which knows three kinds in any letters. */
function headerScheme(kind: string): string {
  const known = { '': 'Bearer', bearer: 'Bearer', mac: 'MAC', basic: 'Basic' };
  return known[kind.toLowerCase() as keyof typeof known] ?? kind;
}

/** As a form would carry it: RFC 6749, 2.3.1. */
function formEncoded(text: string): string {
  return new URLSearchParams({ t: text }).toString().slice(2);
}
