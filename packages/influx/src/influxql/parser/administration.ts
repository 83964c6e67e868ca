import type { Expression, PolicySpec, Privilege, Statement } from '../ast.ts';
import { formatGoDuration, parseInfluxDuration } from '../duration.ts';
import { QuerySyntaxError } from '../errors.ts';
import { isKeyword, isMark, type Token } from '../token.ts';
import { durationOf } from './expression.ts';
import { parseCondition, parseSelect, parseSources } from './select.ts';
import type { TokenStream } from './token-stream.ts';

const MAX_REPLICATION = 2_147_483_647;

function choose(stream: TokenStream, words: readonly string[]): string {
  const token = stream.next();
  if (token.kind === 'keyword' && words.includes(token.text)) return token.text;
  throw QuerySyntaxError.expected(token, words);
}

/** Behind the word CREATE. */
export function parseCreate(stream: TokenStream): Statement {
  switch (choose(stream, ['CONTINUOUS', 'DATABASE', 'USER', 'RETENTION', 'SUBSCRIPTION'])) {
    case 'CONTINUOUS':
      stream.expect('QUERY');
      return parseCreateContinuous(stream);
    case 'DATABASE':
      return parseCreateDatabase(stream);
    case 'USER':
      return parseCreateUser(stream);
    case 'RETENTION':
      stream.expect('POLICY');
      return parseCreatePolicy(stream);
    default:
      return parseCreateSubscription(stream);
  }
}

function parseCreateDatabase(stream: TokenStream): Statement {
  const name = stream.identifier();
  if (!stream.take('WITH')) return { kind: 'create-database', name, policyName: '', policy: null };
  const words = ['DURATION', 'NAME', 'REPLICATION', 'SHARD'];
  const first = stream.peek();
  if (first.kind !== 'keyword' || !words.includes(first.text))
    throw QuerySyntaxError.expected(first, words);
  const durationNanos = stream.take('DURATION') ? parseDuration(stream) : null;
  const replication = stream.take('REPLICATION') ? stream.integer(1, MAX_REPLICATION) : null;
  const shardDurationNanos = stream.take('SHARD') ? parseShardDuration(stream) : null;
  const policyName = stream.take('NAME') ? stream.identifier() : '';
  const policy = { durationNanos, replication, shardDurationNanos, isDefault: true };
  return { kind: 'create-database', name, policyName, policy };
}

function parseDuration(stream: TokenStream): bigint {
  return durationFrom(stream.next());
}

function durationFrom(token: Token): bigint {
  if (isKeyword(token, 'INF')) return 0n;
  if (token.kind !== 'duration') throw QuerySyntaxError.expected(token, ['duration']);
  return durationOf(token);
}

/** Behind the word SHARD. */
function parseShardDuration(stream: TokenStream): bigint {
  stream.expect('DURATION');
  const token = stream.next();
  if (isKeyword(token, 'INF'))
    throw QuerySyntaxError.at('invalid duration INF for shard duration', token.position);
  return durationFrom(token);
}

function parseCreatePolicy(stream: TokenStream): Statement {
  const name = stream.identifier();
  stream.expect('ON');
  const database = stream.identifier();
  stream.expect('DURATION');
  const durationNanos = parseDuration(stream);
  stream.expect('REPLICATION');
  const replication = stream.integer(1, MAX_REPLICATION);
  const shardDurationNanos = stream.take('SHARD') ? parseShardDuration(stream) : null;
  const isDefault = stream.take('DEFAULT');
  return {
    kind: 'create-policy',
    name,
    database,
    policy: { durationNanos, replication, shardDurationNanos, isDefault },
  };
}

/** Behind the word ALTER. */
export function parseAlter(stream: TokenStream): Statement {
  stream.expect('RETENTION', 'POLICY');
  const isDefaultName = stream.take('DEFAULT');
  const name = isDefaultName ? 'default' : stream.identifier();
  stream.expect('ON');
  const database = stream.identifier();
  return { kind: 'alter-policy', name, database, policy: parsePolicyOptions(stream) };
}

function parsePolicyOptions(stream: TokenStream): PolicySpec {
  const words = ['DURATION', 'REPLICATION', 'SHARD', 'DEFAULT'];
  const seen = new Set<string>();
  let durationNanos: bigint | null = null;
  let replication: number | null = null;
  let shardDurationNanos: bigint | null = null;
  for (;;) {
    const token = stream.next();
    const word = token.kind === 'keyword' && words.includes(token.text) ? token.text : null;
    if (word === null) {
      if (seen.size === 0) throw QuerySyntaxError.expected(token, words);
      stream.unread(token);
      return { durationNanos, replication, shardDurationNanos, isDefault: seen.has('DEFAULT') };
    }
    if (seen.has(word)) throw QuerySyntaxError.at(`found duplicate ${word} option`, token.position);
    seen.add(word);
    if (word === 'DURATION') durationNanos = parseDuration(stream);
    else if (word === 'REPLICATION') replication = stream.integer(1, MAX_REPLICATION);
    else if (word === 'SHARD') shardDurationNanos = parseShardDuration(stream);
  }
}

function parseCreateUser(stream: TokenStream): Statement {
  const name = stream.identifier();
  stream.expect('WITH', 'PASSWORD');
  const password = stream.string();
  const admin = stream.take('WITH');
  if (admin) stream.expect('ALL', 'PRIVILEGES');
  return { kind: 'create-user', name, password, admin };
}

function parsePlace(stream: TokenStream): {
  readonly database: string;
  readonly retentionPolicy: string;
} {
  stream.expect('ON');
  const database = stream.identifier();
  const dot = stream.next();
  if (!isMark(dot, '.')) throw QuerySyntaxError.expected(dot, ['.']);
  return { database, retentionPolicy: stream.identifier() };
}

function parseCreateSubscription(stream: TokenStream): Statement {
  const name = stream.identifier();
  const place = parsePlace(stream);
  stream.expect('DESTINATIONS');
  const mode = choose(stream, ['ALL', 'ANY']) as 'ALL' | 'ANY';
  const destinations: string[] = [];
  do destinations.push(stream.string());
  while (stream.takeMark(','));
  return { kind: 'create-subscription', name, ...place, mode, destinations };
}

function parseCreateContinuous(stream: TokenStream): Statement {
  const name = stream.identifier();
  stream.expect('ON');
  const database = stream.identifier();
  let everyNanos = 0n;
  let forNanos = 0n;
  if (stream.take('RESAMPLE')) {
    const token = stream.peek();
    if (!isKeyword(token, 'EVERY') && !isKeyword(token, 'FOR'))
      throw QuerySyntaxError.expected(token, ['EVERY', 'FOR']);
    if (stream.take('EVERY')) everyNanos = parseDuration(stream);
    if (stream.take('FOR')) forNanos = parseDuration(stream);
  }
  stream.expect('BEGIN', 'SELECT');
  const source = parseSelect(stream);
  stream.expect('END');
  checkResample(source.dimensions, everyNanos, forNanos);
  return { kind: 'create-continuous-query', name, database, source, everyNanos, forNanos };
}

function checkResample(
  dimensions: readonly Expression[],
  everyNanos: bigint,
  forNanos: bigint,
): void {
  let interval = 0n;
  for (const dimension of dimensions) {
    if (dimension.kind !== 'call' || dimension.name !== 'time') continue;
    const [arg] = dimension.args;
    if (arg?.kind === 'duration') interval = arg.nanos;
  }
  const least = everyNanos > interval ? everyNanos : interval;
  if (forNanos !== 0n && forNanos < least) {
    throw new QuerySyntaxError(
      `FOR duration must be >= GROUP BY time duration: must be a minimum of ${shortDuration(least)}, got ${shortDuration(forNanos)}`,
    );
  }
}

function shortDuration(nanos: bigint): string {
  return parseInfluxDuration(formatGoDuration(nanos)) === null
    ? `${nanos}ns`
    : formatGoDuration(nanos);
}

/** Behind the word DROP. */
export function parseDrop(stream: TokenStream): Statement {
  const words = [
    'CONTINUOUS',
    'DATABASE',
    'MEASUREMENT',
    'RETENTION',
    'SERIES',
    'SHARD',
    'SUBSCRIPTION',
    'USER',
  ];
  switch (choose(stream, words)) {
    case 'CONTINUOUS': {
      stream.expect('QUERY');
      const name = stream.identifier();
      stream.expect('ON');
      return { kind: 'drop-continuous-query', name, database: stream.identifier() };
    }
    case 'DATABASE':
      return { kind: 'drop-database', name: stream.identifier() };
    case 'MEASUREMENT':
      return { kind: 'drop-measurement', name: stream.identifier() };
    case 'RETENTION': {
      stream.expect('POLICY');
      const name = stream.identifier();
      stream.expect('ON');
      return { kind: 'drop-policy', name, database: stream.identifier() };
    }
    case 'SERIES':
      return { kind: 'drop-series', ...parseDeletion(stream) };
    case 'SHARD':
      return { kind: 'drop-shard', id: stream.integer(0, Number.MAX_SAFE_INTEGER) };
    case 'SUBSCRIPTION': {
      const name = stream.identifier();
      return { kind: 'drop-subscription', name, ...parsePlace(stream) };
    }
    default:
      return { kind: 'drop-user', name: stream.identifier() };
  }
}

/** [FROM sources] [WHERE …] of DELETE and DROP SERIES; one of them at least. */
export function parseDeletion(stream: TokenStream) {
  const token = stream.peek();
  if (!isKeyword(token, 'FROM') && !isKeyword(token, 'WHERE'))
    throw QuerySyntaxError.expected(token, ['FROM', 'WHERE']);
  const sources = stream.take('FROM') ? parseSources(stream, false) : [];
  for (const source of sources) {
    const start = { line: 0, char: 0 };
    if (source.retentionPolicy !== '')
      throw QuerySyntaxError.at('retention policy not supported', start);
    if (source.database !== '') throw QuerySyntaxError.at('database not supported', start);
  }
  return { sources, condition: parseCondition(stream) };
}

/** Behind GRANT or REVOKE. */
export function parsePrivilege(stream: TokenStream, kind: 'grant' | 'revoke'): Statement {
  const token = stream.next();
  if (token.kind !== 'keyword' || !['READ', 'WRITE', 'ALL'].includes(token.text)) {
    throw QuerySyntaxError.expected(token, ['READ', 'WRITE', 'ALL [PRIVILEGES]']);
  }
  const toward = kind === 'grant' ? 'TO' : 'FROM';
  if (token.text === 'ALL') {
    stream.take('PRIVILEGES');
    const next = stream.next();
    if (isKeyword(next, toward)) {
      return { kind: kind === 'grant' ? 'grant-admin' : 'revoke-admin', user: stream.identifier() };
    }
    if (!isKeyword(next, 'ON')) throw QuerySyntaxError.expected(next, ['ON', toward]);
  } else stream.expect('ON');
  const database = stream.identifier();
  stream.expect(toward);
  const privilege: Privilege =
    token.text === 'ALL' ? 'ALL PRIVILEGES' : (token.text as 'READ' | 'WRITE');
  return { kind, privilege, database, user: stream.identifier() };
}

/** Behind the word SET. */
export function parseSet(stream: TokenStream): Statement {
  stream.expect('PASSWORD', 'FOR');
  const name = stream.identifier();
  const token = stream.next();
  if (token.kind !== 'operator' || token.text !== '=')
    throw QuerySyntaxError.expected(token, ['=']);
  return { kind: 'set-password', name, password: stream.string() };
}

/** Behind the word KILL. */
export function parseKill(stream: TokenStream): Statement {
  stream.expect('QUERY');
  const id = stream.integer(0, Number.MAX_SAFE_INTEGER);
  return { kind: 'kill-query', id, host: stream.take('ON') ? stream.identifier() : '' };
}
