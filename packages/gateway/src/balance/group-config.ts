import { InputError } from '@pollux/base';
import {
  boolean,
  byteSize,
  type ConfigNode,
  checked,
  type Decoded,
  type Decoder,
  entryOf,
  integer,
  list,
  nonEmptyString,
  nonNegativeInteger,
  nullable,
  number,
  object,
  oneOf,
  optional,
  parsed,
  refuse,
  required,
} from '@pollux/config';
import { parseDuration } from '@pollux/model';

const url = checked(nonEmptyString, (text) => {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) {
    throw new InputError('GATEWAY.BAD_URL', '', `"${text}" is no address; write http://host:port`);
  }
  return text.replace(/\/+$/, '');
});

export const duration = parsed(parseDuration);

export const positiveDuration: Decoder<number> = (node, path, context) => {
  const ms = duration(node, path, context);
  return ms > 0 ? ms : refuse(node, path, 'must be longer than nothing; write for example 5s');
};

const positiveInteger: Decoder<number> = (node, path, context) => {
  const value = integer(node, path, context);
  return value > 0 ? value : refuse(node, path, 'must be at least 1');
};

const memberFields = object({
  name: required(nonEmptyString),
  url: required(url),
  weight: optional(positiveInteger, 1),
  max_fails: optional(nonNegativeInteger, 1),
  fail_timeout: optional(duration, 10_000),
  max_conns: optional(nonNegativeInteger, 0),
  backup: optional(boolean, false),
  down: optional(boolean, false),
});

const NEXT_ON = [
  'error',
  'timeout',
  'http_500',
  'http_502',
  'http_503',
  'http_504',
  'http_429',
] as const;

const retryFields = object({
  on: optional(list(oneOf(...NEXT_ON)), ['error', 'timeout']),
  /** Members that one request may be sent to; 0 for all. */
  tries: optional(nonNegativeInteger, 0),
  /** No further member is asked once this much time has passed; 0 for no end. */
  timeout: optional(duration, 0),
});

const hedgeFields = object({
  /** The second member is asked when the first takes longer than this share of its group's recent answers. */
  quantile: optional(share('must lie between 0.5 and 0.999'), 0.95),
  min_delay: optional(duration, 20),
  /** Of all requests, so that a slow group is not burdened twice. */
  max_share: optional(share('must lie between 0 and 1', 0, 1), 0.1),
});

function share(message: string, least = 0.5, most = 0.999): Decoder<number> {
  return (node, path, context) => {
    const value = number(node, path, context);
    return value >= least && value <= most ? value : refuse(node, path, message);
  };
}

const healthFields = object({
  path: optional(absolutePath, '/'),
  interval: optional(positiveDuration, 5_000),
  timeout: optional(positiveDuration, 1_000),
  /** So many failed checks after another take a member out, so many good ones bring it back. */
  falls: optional(positiveInteger, 2),
  rises: optional(positiveInteger, 1),
});

function absolutePath(
  node: ConfigNode,
  path: string,
  context: Parameters<Decoder<string>>[2],
): string {
  const text = nonEmptyString(node, path, context);
  return /^\/[\x21-\x7e]*$/.test(text) ? text : refuse(node, path, 'must begin with "/"');
}

const tlsFields = object({
  ca_file: optional(nonEmptyString, ''),
  cert_file: optional(nonEmptyString, ''),
  key_file: optional(nonEmptyString, ''),
  server_name: optional(nonEmptyString, ''),
  insecure_skip_verify: optional(boolean, false),
});

export type RetryConfig = ReturnType<typeof retryFields>;
export type HedgeConfig = ReturnType<typeof hedgeFields>;
export type HealthConfig = ReturnType<typeof healthFields>;
export type MemberConfig = ReturnType<typeof memberFields>;

const fields = {
  name: required(nonEmptyString),
  kind: required(oneOf('server', 'alertmanager', 'store', 'http')),
  members: required(list(memberFields)),
  balance: optional(oneOf('round_robin', 'least_conn'), 'round_robin'),
  connect_timeout: optional(positiveDuration, 5_000),
  /** To the head of an answer, for each member that is tried. */
  try_timeout: optional(positiveDuration, 60_000),
  /** Between two pieces of an answer. */
  read_timeout: optional(positiveDuration, 60_000),
  /** For all tries together, to the head of the answer; 0 for no end. */
  total_timeout: optional(duration, 0),
  keepalive_timeout: optional(positiveDuration, 60_000),
  /** Of a request's body. */
  max_body_size: optional(byteSize, 64 * 1024 * 1024),
  /** `Host` as the client sent it, or that of the member. */
  host: optional(oneOf('client', 'member'), 'client'),
  retry: optional(retryFields, { on: ['error', 'timeout'], tries: 0, timeout: 0 }),
  hedge: optional(nullable(hedgeFields), null),
  health_check: optional(nullable(healthFields), null),
  tls: optional(nullable(tlsFields), null),
};
const groupObject = object(fields);

export type GroupConfig = Decoded<typeof fields>;
export type GroupKind = GroupConfig['kind'];

/** One entry of `groups`. */
export const groupConfig: Decoder<GroupConfig> = (node, path, context) => {
  const group = groupObject(node, path, context);
  const members = entryOf(node, 'members') ?? node;
  if (group.members.length === 0) refuse(members, `${path}.members`, 'needs at least one member');
  if (group.members.every(({ backup }) => backup)) {
    refuse(members, `${path}.members`, 'needs at least one member that is no backup');
  }
  const check = entryOf(node, 'health_check');
  if (check !== null && group.kind !== 'http') {
    refuse(
      check,
      `${path}.health_check`,
      `is for groups of kind "http"; members of kind "${group.kind}" are checked by health_interval`,
    );
  }
  return group;
};
