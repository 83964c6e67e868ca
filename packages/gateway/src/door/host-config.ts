import { InputError } from '@pollux/base';
import {
  boolean,
  checked,
  type Decoded,
  type Decoder,
  entryOf,
  list,
  nonEmptyString,
  nonNegativeInteger,
  nullable,
  object,
  oneOf,
  optional,
  parsed,
  record,
  refuse,
  required,
  secret,
} from '@pollux/config';
import { checkPasswordHash } from '@pollux/http/login';
import { compileRe2 } from '@pollux/model';
import { duration, positiveDuration } from '../balance/group-config.ts';

/** Requests per second, times 1,000, as nginx counts them: "10r/s" gives 10,000 and "6r/m" gives 100. */
function parseRate(text: string): number {
  const match = /^(\d+)r\/([sm])$/.exec(text);
  const count = Number(match?.[1] ?? 0);
  if (match === null || count === 0 || count > 1_000_000) {
    throw new InputError('GATEWAY.BAD_RATE', '', `"${text}" is no rate; write 10r/s or 30r/m`);
  }
  return match[2] === 's' ? count * 1_000 : Math.floor((count * 1_000) / 60);
}

const serverName = checked(nonEmptyString, (text) => {
  const name = text.toLowerCase();
  if (name.startsWith('~')) {
    compileRe2(text.slice(1), '');
    return text;
  }
  if (/^(?:\*\.|\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*(?:\.\*)?$/.test(name) || name === '_')
    return name;
  throw new InputError(
    'GATEWAY.BAD_SERVER_NAME',
    '',
    `"${text}" is no name; write example.org, *.example.org, example.* or ~ and a regular expression`,
  );
});

const rateKey = checked(nonEmptyString, (text) => {
  if (/^(?:remote|user|host)$/.test(text) || /^header:[a-z0-9-]+$/i.test(text)) {
    return text.toLowerCase();
  }
  throw new InputError(
    'GATEWAY.BAD_KEY',
    '',
    `"${text}" is no key; use remote, user, host or header:Name`,
  );
});

const rateLimit = object({
  key: optional(rateKey, 'remote'),
  rate: required(parsed(parseRate)),
  burst: optional(nonNegativeInteger, 0),
  /** Requests of a burst that are not held back; the others wait for their turn, unless `nodelay`. */
  delay: optional(nonNegativeInteger, 0),
  nodelay: optional(boolean, false),
  status: optional(checked(nonNegativeInteger, refusalStatus), 503),
});

function refusalStatus(value: number): number {
  if (value >= 400 && value <= 599) return value;
  throw new InputError('GATEWAY.BAD_STATUS', '', `${value} does not refuse; use 400 to 599`);
}

const authFields = object({
  realm: optional(nonEmptyString, 'Pollux'),
  /** Name and hash of a password. */
  users: optional(record(checked(nonEmptyString, checkPasswordHash)), {}),
  /** As htpasswd writes it: a name, a colon and a hash a line. */
  users_file: optional(nonEmptyString, ''),
  tokens: optional(list(secret), []),
  /** One token a line. */
  tokens_file: optional(nonEmptyString, ''),
});

const hostTls = object({
  cert_file: required(nonEmptyString),
  key_file: required(nonEmptyString),
  client_ca_file: optional(nonEmptyString, ''),
  /** A client without a certificate, or with a bad one, is answered 400 where it is required. */
  client_certificate: optional(oneOf('none', 'optional', 'required'), 'none'),
});

export const logConfig = object({
  file: required(nonEmptyString),
  format: optional(oneOf('combined', 'json'), 'combined'),
});

export const errorLogConfig = object({
  file: required(nonEmptyString),
  level: optional(oneOf('warn', 'error'), 'error'),
});

const location = object({
  path: required(nonEmptyString),
  match: optional(oneOf('prefix', 'exact'), 'prefix'),
  /** Missing: the pair's own routes. */
  group: optional(nonEmptyString, ''),
});

const hostFields = {
  server_names: required(list(serverName)),
  tls: optional(nullable(hostTls), null),
  auth: optional(nullable(authFields), null),
  rate_limits: optional(list(rateLimit), []),
  access_log: optional(nullable(logConfig), null),
  locations: optional(list(location), [{ path: '/', match: 'prefix', group: '' }]),
};
const hostObject = object(hostFields);

export type HostConfig = Decoded<typeof hostFields>;
export type AuthConfig = NonNullable<HostConfig['auth']>;
export type RateLimitConfig = HostConfig['rate_limits'][number];
export type HostTlsConfig = NonNullable<HostConfig['tls']>;
export type LogConfig = ReturnType<typeof logConfig>;
export type ErrorLogConfig = ReturnType<typeof errorLogConfig>;

/** One entry of `hosts`. */
export const hostConfig: Decoder<HostConfig> = (node, path, context) => {
  const host = hostObject(node, path, context);
  if (host.server_names.length === 0)
    refuse(node, `${path}.server_names`, 'needs at least one name');
  const { auth, tls } = host;
  if (auth !== null) {
    const given = [auth.users_file, auth.tokens_file, ...Object.keys(auth.users), ...auth.tokens];
    if (given.every((one) => one === '')) {
      refuse(entryOf(node, 'auth') ?? node, `${path}.auth`, 'names no users and no tokens');
    }
  }
  if (tls !== null && tls.client_certificate !== 'none' && tls.client_ca_file === '') {
    refuse(
      entryOf(node, 'tls') ?? node,
      `${path}.tls`,
      'client_certificate needs client_ca_file to check it with',
    );
  }
  return host;
};

const listenerFields = {
  address: required(nonEmptyString),
  /** The certificate for names that no host has one for. */
  tls: optional(nullable(hostTls), null),
};

export type ListenerConfig = Decoded<typeof listenerFields>;
export const listenerConfig: Decoder<ListenerConfig> = object(listenerFields);

export { duration, positiveDuration };
