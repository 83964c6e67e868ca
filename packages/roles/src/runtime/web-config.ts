import { createHash } from 'node:crypto';
import path from 'node:path';
import {
  type Env,
  EVERYONE,
  errorText,
  type HttpHandler,
  type HttpRequest,
  type HttpResponse,
  type HttpServeTls,
  type Listener,
  type Principal,
} from '@pollux/base';
import {
  boolean,
  type ConfigNode,
  type Decoded,
  list,
  nullable,
  object,
  oneOf,
  optional,
  parseYaml,
  record,
  refuse,
  secret,
  strictContext,
  string,
} from '@pollux/config';
import type { Log } from '@pollux/telemetry';
import bcrypt from 'bcryptjs';
import { readTextFile } from './read-file.ts';

/** How often the file and those that it names are looked at, while requests come, ms. */
const REREAD_MS = 1_000;
/** Passwords that were found right are remembered by a digest: bcrypt is made to be slow, and clients send theirs each time. */
const MAX_KEPT = 1_000;
/** Passwords that wait to be looked at; each takes the thread for a tenth of a second. */
const MAX_WAITING = 32;
/** A password of nobody, so that unknown users take as long as known ones. */
const NOBODY = '$2b$10$kBLz1/KBw7I8OuRH5roNxOCoeun0m9fSm.DR.PZ0f8n4TxczEcRhG';

const VERSIONS = {
  TLS10: 'TLSv1',
  TLS11: 'TLSv1.1',
  TLS12: 'TLSv1.2',
  TLS13: 'TLSv1.3',
} as const;

const CLIENT_AUTH = {
  '': { asks: false, needs: false, verifies: false },
  NoClientCert: { asks: false, needs: false, verifies: false },
  RequestClientCert: { asks: true, needs: false, verifies: false },
  RequireAnyClientCert: { asks: true, needs: true, verifies: false },
  VerifyClientCertIfGiven: { asks: true, needs: false, verifies: true },
  RequireAndVerifyClientCert: { asks: true, needs: true, verifies: true },
} as const;

const tlsFields = {
  cert_file: optional(string, ''),
  key_file: optional(string, ''),
  client_ca_file: optional(string, ''),
  client_auth_type: optional(
    oneOf(...(Object.keys(CLIENT_AUTH) as (keyof typeof CLIENT_AUTH)[])),
    '',
  ),
  client_allowed_sans: optional(list(string), []),
  min_version: optional(oneOf('TLS10', 'TLS11', 'TLS12', 'TLS13'), 'TLS12'),
  max_version: optional(oneOf('', 'TLS10', 'TLS11', 'TLS12', 'TLS13'), ''),
  cipher_suites: optional(list(string), []),
  curve_preferences: optional(list(string), []),
  prefer_server_cipher_suites: optional(boolean, true),
} as const;

type TlsConfig = Decoded<typeof tlsFields>;

const webFields = object({
  tls_server_config: optional(nullable(object(tlsFields)), null),
  http_server_config: optional(
    object({ http2: optional(boolean, true), headers: optional(record(string), {}) }),
    { http2: true, headers: {} },
  ),
  basic_auth_users: optional(record(secret), {}),
});

/** As upstream: what a browser is told about this origin, and nothing else. */
const SETTABLE_HEADERS: ReadonlySet<string> = new Set([
  'strict-transport-security',
  'x-content-type-options',
  'x-frame-options',
  'x-xss-protection',
  'content-security-policy',
]);

type Settings = {
  /** All that was read, to see a change. */
  readonly fingerprint: string;
  readonly tls: HttpServeTls | null;
  readonly clients: (typeof CLIENT_AUTH)[keyof typeof CLIENT_AUTH];
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
  readonly #right = new Set<string>();
  #settings: Settings;
  #readMs: number;
  #listener: Listener | null = null;
  #waiting = 0;
  #last: Promise<unknown> = Promise.resolve();

  /** Throws an error that names the place when the file or a certificate is unusable. */
  constructor(env: Pick<Env, 'clock' | 'files'>, log: Log, file: string) {
    this.#env = env;
    this.#log = log;
    this.#file = path.resolve(file);
    this.#settings = this.#read();
    this.#readMs = env.clock.monotonic();
  }

  /** For the listener; absent without TLS. */
  get tls(): HttpServeTls | undefined {
    return this.#settings.tls ?? undefined;
  }

  /** The listener whose certificates are to be renewed. */
  serve(listener: Listener): void {
    this.#listener = listener;
  }

  /** Lets in who may come in, and adds the headers to all answers. */
  guard(handler: HttpHandler): HttpHandler {
    return async (request) => {
      this.#refresh();
      const { headers, users } = this.#settings;
      const answer = async (): Promise<HttpResponse> => {
        if (!this.#takesClient(request))
          return refusal(400, 'a valid client certificate is needed');
        if (users.size === 0) return handler(request);
        const principal = await this.#admit(request);
        if (principal === null) {
          const refused = refusal(401, 'Unauthorized');
          return { ...refused, headers: { ...refused.headers, 'www-authenticate': 'Basic' } };
        }
        return handler(asPrincipal(request, principal));
      };
      const response = await answer();
      return { ...response, headers: { ...response.headers, ...headers } };
    };
  }

  #takesClient({ tls }: HttpRequest): boolean {
    const { needs, verifies } = this.#settings.clients;
    const certificate = tls?.clientCertificate ?? null;
    if (certificate === null) return !needs;
    return !verifies || certificate.fault === null;
  }

  /** Null for somebody who may not come in. */
  async #admit({ headers }: HttpRequest): Promise<Principal | null> {
    const [, given = ''] = /^basic +(\S+)$/i.exec(headers.authorization ?? '') ?? [];
    const pair = Buffer.from(given, 'base64').toString('utf8');
    const colon = pair.indexOf(':');
    if (colon < 0) return null;
    const user = pair.slice(0, colon);
    const hash = this.#settings.users.get(user);
    const seen = digest(`${hash}\n${given}`);
    if (!this.#right.has(seen)) {
      const isRight = await this.#isPassword(pair.slice(colon + 1), hash ?? NOBODY);
      if (!isRight || hash === undefined) return null;
      if (this.#right.size >= MAX_KEPT) this.#right.clear();
      this.#right.add(seen);
    }
    return { ...EVERYONE, user };
  }

  /** One after the other, so that guessing leaves the thread to others. */
  async #isPassword(password: string, hash: string): Promise<boolean> {
    if (this.#waiting >= MAX_WAITING) return false;
    this.#waiting++;
    const turn = this.#last.then(() => bcrypt.compare(password, hash));
    this.#last = turn.catch(() => {});
    try {
      return await turn;
    } finally {
      this.#waiting--;
    }
  }

  #refresh(): void {
    const nowMs = this.#env.clock.monotonic();
    if (nowMs - this.#readMs < REREAD_MS) return;
    this.#readMs = nowMs;
    try {
      const settings = this.#read();
      if (settings.fingerprint === this.#settings.fingerprint) return;
      if ((settings.tls === null) !== (this.#settings.tls === null)) {
        throw new Error('TLS can be begun or ended by a restart only');
      }
      if (settings.tls !== null) this.#listener?.renewTls?.(settings.tls);
      this.#settings = settings;
      this.#right.clear();
    } catch (error) {
      this.#log.error('the web configuration cannot be used; the last good one is in force', {
        file: this.#file,
        err: errorText(error),
      });
    }
  }

  #read(): Settings {
    const text = readTextFile(this.#env.files, this.#file);
    const root = parseYaml(text, this.#file);
    const config = webFields(root, '', strictContext());
    const users = new Map<string, string>();
    for (const [name, hash] of Object.entries(config.basic_auth_users)) {
      if (!/^\$2[abxy]\$\d\d\$[./A-Za-z0-9]{53}$/.test(hash.reveal())) {
        refuse(root, `basic_auth_users.${name}`, 'must be a bcrypt hash: htpasswd -nBC 10 NAME');
      }
      users.set(name, hash.reveal());
    }
    const { headers } = config.http_server_config;
    for (const name of Object.keys(headers)) {
      if (SETTABLE_HEADERS.has(name.toLowerCase())) continue;
      refuse(root, 'http_server_config.headers', `HTTP header "${name}" can not be configured`);
    }
    const tls = config.tls_server_config;
    const served = tls === null ? null : this.#tlsOf(tls, root);
    return {
      fingerprint: digest(JSON.stringify([text, served])),
      tls: served,
      clients: CLIENT_AUTH[tls?.client_auth_type ?? ''],
      headers: Object.fromEntries(
        Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
      ),
      users,
    };
  }

  #tlsOf(tls: TlsConfig, root: ConfigNode): HttpServeTls {
    const no = (why: string): never => refuse(root, 'tls_server_config', why);
    if (tls.cert_file === '') no('missing one of cert or cert_file');
    if (tls.key_file === '') no('missing one of key or key_file');
    const { asks, verifies } = CLIENT_AUTH[tls.client_auth_type];
    if (tls.client_ca_file !== '' && !asks) {
      no('Client CAs have been configured without a Client Auth Policy');
    }
    if (verifies && tls.client_ca_file === '') no('client_auth_type needs client_ca_file');
    for (const name of ['max_version', 'cipher_suites', 'curve_preferences'] as const) {
      if (tls[name].length > 0) no(`${name} is not supported`);
    }
    if (tls.client_allowed_sans.length > 0) no('client_allowed_sans is not supported');
    const read = (name: string): string =>
      readTextFile(this.#env.files, path.resolve(path.dirname(this.#file), name));
    return {
      certificate: read(tls.cert_file),
      key: read(tls.key_file),
      ...(tls.client_ca_file === '' ? {} : { clientCa: read(tls.client_ca_file) }),
      asksClientCertificates: asks,
      minVersion: VERSIONS[tls.min_version],
    };
  }
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64');
}

function refusal(status: number, message: string): HttpResponse {
  return {
    status,
    headers: { 'content-type': 'text/plain; charset=utf-8' },
    body: `${message}\n`,
  };
}

/** The same request as somebody's. */
function asPrincipal(request: HttpRequest, principal: Principal): HttpRequest {
  return {
    method: request.method,
    target: request.target,
    headers: request.headers,
    remote: request.remote,
    signal: request.signal,
    principal,
    ...(request.tls === undefined ? {} : { tls: request.tls }),
    body: (limitBytes) => request.body(limitBytes),
    stream: () => request.stream(),
  };
}
