import type { Clock, HttpResponse } from '@pollux/base';
import type { Exchange } from '@pollux/http';
import type { Statement } from '../influxql/ast.ts';
import { printStatement } from '../influxql/print-statement.ts';
import type { MetaStore, User } from '../meta/meta-store.ts';
import { requiredPrivileges } from '../query/privileges.ts';
import { failure } from './answers.ts';
import { checkToken } from './json-web-token.ts';

export type AccessOptions = {
  readonly isEnabled: boolean;
  readonly realm: string;
  /** Signs bearer tokens; they are refused when it is empty. */
  readonly sharedSecret: string;
  readonly clock: Clock;
};

/** Checks who asks, when authentication is on. Everything is allowed when it is off. */
export class Access {
  readonly isEnabled: boolean;
  readonly #meta: MetaStore;
  readonly #options: AccessOptions;

  constructor(meta: MetaStore, options: AccessOptions) {
    this.#meta = meta;
    this.isEnabled = options.isEnabled;
    this.#options = options;
  }

  /** The user of a request; null while authentication is off or no admin exists yet; a refusal otherwise. */
  userOf(exchange: Exchange): User | HttpResponse | null {
    if (!this.isEnabled || !this.#meta.hasAdmin) return null;
    const credentials = credentialsOf(exchange);
    if (credentials === null)
      return this.#unauthorized('unable to parse authentication credentials');
    if (credentials.kind === 'bearer') return this.#bearer(credentials.token);
    if (credentials.name === '') return this.#unauthorized('username required');
    return (
      this.#meta.authenticate(credentials.name, credentials.password) ??
      this.#unauthorized('authorization failed')
    );
  }

  #bearer(token: string): User | HttpResponse {
    const { sharedSecret, clock } = this.#options;
    if (sharedSecret === '') return this.#unauthorized('bearer auth disabled');
    const { username, refusal } = checkToken(token, sharedSecret, clock.now());
    if (username === null) return this.#unauthorized(refusal);
    return this.#meta.user(username) ?? this.#unauthorized('user not found');
  }

  refuseWrite(exchange: Exchange, database: string): HttpResponse | null {
    return this.#refuse(exchange, database, 'WRITE', 'write to');
  }

  /** influxd forgets this check for remote reads. */
  refuseRead(exchange: Exchange, database: string): HttpResponse | null {
    return this.#refuse(exchange, database, 'READ', 'read from');
  }

  #refuse(
    exchange: Exchange,
    database: string,
    privilege: 'READ' | 'WRITE',
    verb: string,
  ): HttpResponse | null {
    if (!this.isEnabled) return null;
    const user = this.userOf(exchange);
    if (user === null) return failure(403, `user is required to ${verb} database "${database}"`);
    if (isResponse(user)) return user;
    if (holds(user, database, privilege)) return null;
    return failure(403, `"${user.name}" user is not authorized to ${verb} database "${database}"`);
  }

  /** Whether the statements may run: the user for filtering lists, or the refusal of the whole request. */
  checkStatements(
    exchange: Exchange,
    statements: readonly Statement[],
    database: string,
  ): User | HttpResponse | null {
    if (!this.isEnabled) return null;
    if (!this.#meta.hasAdmin) {
      const [first] = statements;
      if (first?.kind === 'create-user' && first.admin) return null;
      return failure(
        403,
        'error authorizing query: create admin user first or disable authentication',
      );
    }
    const user = this.userOf(exchange);
    if (user === null || isResponse(user) || user.admin) return user;
    for (const statement of statements) {
      for (const needed of requiredPrivileges(statement, database)) {
        if (needed.privilege === 'admin') {
          return this.#forbidden(user, statement, 'admin privilege');
        }
        if (!holds(user, needed.database, needed.privilege)) {
          return this.#forbidden(user, statement, `${needed.privilege} on ${needed.database}`);
        }
      }
    }
    return user;
  }

  #forbidden(user: User, statement: Statement, needed: string): HttpResponse {
    const text = printStatement(statement);
    return failure(
      403,
      `error authorizing query: ${user.name} not authorized to execute statement '${text}', requires ${needed}`,
    );
  }

  #unauthorized(message: string): HttpResponse {
    const answer = failure(401, message);
    const { 'x-influxdb-error': _hidden, ...headers } = answer.headers ?? {};
    return {
      ...answer,
      headers: { ...headers, 'www-authenticate': `Basic realm="${this.#options.realm}"` },
    };
  }
}

export function isResponse(value: User | HttpResponse): value is HttpResponse {
  return 'status' in value;
}

function holds(user: User, database: string, privilege: 'READ' | 'WRITE'): boolean {
  if (user.admin) return true;
  const held = user.privileges[database];
  return held === 'ALL PRIVILEGES' || held === privilege;
}

type Credentials =
  | { readonly kind: 'password'; readonly name: string; readonly password: string }
  | { readonly kind: 'bearer'; readonly token: string };

/** URL first, then the Authorization header: Bearer, Token user:password, Basic. */
function credentialsOf(exchange: Exchange): Credentials | null {
  const name = exchange.query.get('u') ?? '';
  const password = exchange.query.get('p') ?? '';
  if (name !== '' && password !== '') return { kind: 'password', name, password };
  const [scheme = '', value = ''] = (exchange.request.headers.authorization ?? '').split(' ', 2);
  if (scheme === 'Bearer') return { kind: 'bearer', token: value };
  const pair =
    scheme === 'Token' ? value : scheme === 'Basic' ? Buffer.from(value, 'base64').toString() : '';
  const at = pair.indexOf(':');
  if (at < 0) return null;
  return { kind: 'password', name: pair.slice(0, at), password: pair.slice(at + 1) };
}
