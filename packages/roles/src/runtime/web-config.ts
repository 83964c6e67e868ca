import { createHash } from 'node:crypto';
import path from 'node:path';
import {
  type Env,
  EVERYONE,
  errorText,
  type Files,
  type HttpHandler,
  type HttpRequest,
  type HttpResponse,
  type HttpServeTls,
  LimitError,
  type Listener,
  type RequestTls,
} from '@pollux/base';
import {
  boolean,
  nullable,
  object,
  optional,
  parseYaml,
  record,
  refuse,
  secret,
  strictContext,
  string,
} from '@pollux/config';
import { asPrincipal, BCRYPT, Users } from '@pollux/http/login';
import { text } from '@pollux/http/serving';
import type { Counter, Log, Registry } from '@pollux/telemetry';
import { readTextFile } from './read-file.ts';
import { type ServerTls, serverTls, serverTlsFields } from './server-tls.ts';

/** How often the file and those that it names are looked at, while requests come, ms. */
const REREAD_MS = 1_000;
const webFields = object({
  tls_server_config: optional(nullable(object(serverTlsFields)), null),
  http_server_config: optional(
    object({ http2: optional(boolean, true), headers: optional(record(string), {}) }),
    { http2: true, headers: {} },
  ),
  basic_auth_users: optional(record(secret), {}),
});

/** What may be told to a browser about this origin, and the values that a header may have; null for any. */
const SETTABLE_HEADERS: Readonly<Record<string, readonly string[] | null>> = {
  'Strict-Transport-Security': null,
  'X-Content-Type-Options': ['nosniff'],
  'X-Frame-Options': ['deny', 'sameorigin'],
  'X-XSS-Protection': null,
  'Content-Security-Policy': null,
};

type WebContext = {
  readonly env: Pick<Env, 'clock' | 'files'>;
  readonly log: Log;
  readonly registry: Registry;
};

type Settings = {
  /** All that was read, to see a change. */
  readonly fingerprint: string;
  readonly tls: ServerTls | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly users: ReadonlyMap<string, string>;
};

/**
 * The file of `--web.config.file`, as Prometheus' programs have it: TLS, users with bcrypt hashes, headers. It and the
 * certificates are read again when they have changed; what cannot be used then leaves the last good ones in force.
 */
export class WebConfig {
  readonly #env: Pick<Env, 'clock' | 'files'>;
  readonly #log: Log;
  readonly #file: string;
  readonly #busy: Counter;
  readonly #listeners: Listener[] = [];
  #settings: Settings;
  #users: Users;
  #readMs: number;

  /** Throws an error that names the place when the file or a certificate is unusable. */
  constructor({ env, log, registry }: WebContext, file: string) {
    this.#env = env;
    this.#log = log;
    this.#busy = registry.counter(
      'pollux_web_logins_refused_total',
      'Requests refused as too many passwords waited to be looked at.',
    );
    this.#file = path.resolve(file);
    this.#settings = readWebConfig(env.files, this.#file);
    this.#users = new Users(this.#settings.users);
    this.#readMs = env.clock.monotonic();
  }

  /** For the listener; absent without TLS. */
  get tls(): HttpServeTls | undefined {
    const { tls } = this.#settings;
    return tls === null ? undefined : this.#asked(tls);
  }

  /** A listener whose certificates are to be renewed. */
  serve(listener: Listener): void {
    this.#listeners.push(listener);
  }

  /** Lets in who may come in, and adds the headers to all answers. */
  guard(handler: HttpHandler): HttpHandler {
    return async (request) => {
      this.#refresh();
      const { headers } = this.#settings;
      const response = await this.#answer(handler, request);
      return { ...response, headers: { ...response.headers, ...headers } };
    };
  }

  /** For a listener, which refuses in the handshake or right behind it, as the originals do. */
  #asked(tls: ServerTls): HttpServeTls {
    const { clientAuth, allowedNames: _, ...settings } = tls;
    return {
      ...settings,
      asksClientCertificates: clientAuth !== 'none',
      clients: {
        needVerified: clientAuth === 'require-and-verify',
        refusal: ({ clientCertificate }) => refusedClient(tls, clientCertificate),
        onRefused: (why, from) => {
          this.#log.info('TLS handshake refused', { err: why, ...(from === '' ? {} : { from }) });
          // Where nobody gets in, no request would have the file read again.
          this.#refresh();
        },
      },
    };
  }

  async #answer(handler: HttpHandler, request: HttpRequest): Promise<HttpResponse> {
    // On a connection that is older than the settings; new ones do not come so far.
    const refused = refusedClient(this.#settings.tls, request.tls?.clientCertificate ?? null);
    if (refused !== null) return text(400, `${refused}\n`);
    if (this.#users.count === 0) return handler(request);
    try {
      const user = await this.#users.find(request.headers.authorization);
      if (user !== null) return handler(asPrincipal(request, { ...EVERYONE, user }));
    } catch (error) {
      if (!(error instanceof LimitError)) throw error;
      this.#busy.inc();
      return text(503, `${error.message}\n`);
    }
    const answer = text(401, 'Unauthorized\n');
    return { ...answer, headers: { ...answer.headers, 'www-authenticate': 'Basic' } };
  }

  #refresh(): void {
    const nowMs = this.#env.clock.monotonic();
    if (nowMs - this.#readMs < REREAD_MS) return;
    this.#readMs = nowMs;
    try {
      const settings = readWebConfig(this.#env.files, this.#file);
      if (settings.fingerprint === this.#settings.fingerprint) return;
      if ((settings.tls === null) !== (this.#settings.tls === null)) {
        throw new Error('TLS can be begun or ended by a restart only');
      }
      if (settings.tls !== null) {
        for (const listener of this.#listeners) listener.renewTls?.(this.#asked(settings.tls));
      }
      this.#settings = settings;
      this.#users = new Users(settings.users);
    } catch (error) {
      this.#log.error('the web configuration cannot be used; the last good one is in force', {
        file: this.#file,
        err: errorText(error),
      });
    }
  }
}

/** Throws a ConfigError that names the place of what cannot be used. */
export function readWebConfig(files: Files, file: string): Settings {
  const content = readTextFile(files, file);
  const root = parseYaml(content, file);
  const config = webFields(root, '', strictContext());
  const users = new Map<string, string>();
  for (const [name, hash] of Object.entries(config.basic_auth_users)) {
    if (!BCRYPT.test(hash.reveal())) {
      refuse(root, `basic_auth_users.${name}`, 'must be a bcrypt hash: htpasswd -nBC 10 NAME');
    }
    users.set(name, hash.reveal());
  }
  const { headers } = config.http_server_config;
  for (const [name, value] of Object.entries(headers)) {
    const no = (why: string): never => refuse(root, 'http_server_config.headers', why);
    const allowed = SETTABLE_HEADERS[name];
    if (allowed === undefined) return no(`HTTP header "${name}" can not be configured`);
    if (allowed === null || allowed.includes(value)) continue;
    const names = allowed.map((one) => `"${one}"`).join(' ');
    no(`invalid value for ${name}. Expected one of: [${names}], but got: "${value}"`);
  }
  const tls =
    config.tls_server_config === null
      ? null
      : serverTls(config.tls_server_config, {
          node: root,
          read: (name) => readTextFile(files, path.resolve(path.dirname(file), name)),
        });
  return {
    fingerprint: digest(JSON.stringify([content, tls])),
    tls,
    headers: Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
    ),
    users,
  };
}

/** Why a client may not come in; null when it may. */
function refusedClient(
  tls: ServerTls | null,
  certificate: RequestTls['clientCertificate'],
): string | null {
  if (tls === null || tls.clientAuth === 'none') return null;
  const { clientAuth, allowedNames } = tls;
  const isNeeded = clientAuth === 'require-any' || clientAuth === 'require-and-verify';
  if (certificate === null) {
    return isNeeded || allowedNames !== null ? 'a client certificate is needed' : null;
  }
  const isVerified = clientAuth === 'verify-if-given' || clientAuth === 'require-and-verify';
  if (isVerified && certificate.fault !== null) {
    return `the client certificate is not valid (${certificate.fault})`;
  }
  if (allowedNames === null || certificate.names.some((name) => allowedNames.includes(name))) {
    return null;
  }
  return 'the client certificate has none of the names that may come in';
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64');
}
