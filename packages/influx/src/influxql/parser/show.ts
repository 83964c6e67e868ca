import type {
  CardinalitySubject,
  Expression,
  KeyFilter,
  Measurement,
  ShowClauses,
  Statement,
} from '../ast.ts';
import { QuerySyntaxError } from '../errors.ts';
import { isKeyword, isMark } from '../token.ts';
import {
  parseCondition,
  parseDimensions,
  parseLimits,
  parseOrder,
  parseSources,
} from './select.ts';
import type { TokenStream } from './token-stream.ts';

const WORDS = [
  'CONTINUOUS',
  'DATABASES',
  'DIAGNOSTICS',
  'FIELD',
  'GRANTS',
  'MEASUREMENT',
  'MEASUREMENTS',
  'QUERIES',
  'RETENTION',
  'SERIES',
  'SHARD',
  'SHARDS',
  'STATS',
  'SUBSCRIPTIONS',
  'TAG',
  'USERS',
] as const;

/** Behind the word SHOW. */
export function parseShow(stream: TokenStream): Statement {
  const token = stream.next();
  const word =
    token.kind === 'keyword' ? WORDS.find((candidate) => candidate === token.text) : undefined;
  switch (word) {
    case undefined:
      throw QuerySyntaxError.expected(token, WORDS);
    case 'CONTINUOUS':
      stream.expect('QUERIES');
      return { kind: 'show-continuous-queries' };
    case 'DATABASES':
      return { kind: 'show-databases' };
    case 'DIAGNOSTICS':
      return { kind: 'show-diagnostics', module: stream.take('FOR') ? stream.string() : '' };
    case 'STATS':
      return { kind: 'show-stats', module: stream.take('FOR') ? stream.string() : '' };
    case 'FIELD':
      return parseShowField(stream);
    case 'GRANTS':
      stream.expect('FOR');
      return { kind: 'show-grants', user: stream.identifier() };
    case 'MEASUREMENT':
      return parseCardinality(stream, 'measurement', stream.take('EXACT'));
    case 'MEASUREMENTS':
      return parseShowMeasurements(stream);
    case 'QUERIES':
      return { kind: 'show-queries' };
    case 'RETENTION':
      stream.expect('POLICIES');
      return { kind: 'show-policies', database: parseOn(stream) };
    case 'SERIES':
      return parseShowSeries(stream);
    case 'SHARD':
      stream.expect('GROUPS');
      return { kind: 'show-shard-groups' };
    case 'SHARDS':
      return { kind: 'show-shards' };
    case 'SUBSCRIPTIONS':
      return { kind: 'show-subscriptions' };
    case 'TAG':
      return parseShowTag(stream);
    case 'USERS':
      return { kind: 'show-users' };
  }
}

function parseOn(stream: TokenStream): string {
  return stream.take('ON') ? stream.identifier() : '';
}

/** [FROM sources] [WHERE] [ORDER BY] [LIMIT] [OFFSET], as most SHOW statements end. */
function parseClauses(
  stream: TokenStream,
  database: string,
): ShowClauses & { slimit: number; soffset: number } {
  const sources: Measurement[] = stream.take('FROM') ? parseSources(stream, false) : [];
  return { database, sources, ...parseTail(stream) };
}

function parseTail(stream: TokenStream): {
  condition: Expression | null;
  limit: number;
  offset: number;
  slimit: number;
  soffset: number;
} {
  const condition = parseCondition(stream);
  parseOrder(stream);
  return { condition, ...parseLimits(stream) };
}

function parseShowSeries(stream: TokenStream): Statement {
  const token = stream.peek();
  if (isKeyword(token, 'EXACT') || isKeyword(token, 'CARDINALITY')) {
    return parseCardinality(stream, 'series', stream.take('EXACT'));
  }
  return { kind: 'show-series', ...parseClauses(stream, parseOn(stream)) };
}

function parseShowField(stream: TokenStream): Statement {
  const token = stream.next();
  if (isKeyword(token, 'KEY')) return parseKeyCardinality(stream, 'field key');
  if (!isKeyword(token, 'KEYS')) throw QuerySyntaxError.expected(token, ['KEY', 'KEYS']);
  return { kind: 'show-field-keys', ...parseClauses(stream, parseOn(stream)) };
}

function parseKeyCardinality(stream: TokenStream, subject: CardinalitySubject): Statement {
  const isExact = stream.take('EXACT');
  const token = stream.peek();
  if (!isKeyword(token, 'CARDINALITY')) {
    throw QuerySyntaxError.expected(token, isExact ? ['CARDINALITY'] : ['CARDINALITY', 'EXACT']);
  }
  return parseCardinality(stream, subject, isExact);
}

function parseShowTag(stream: TokenStream): Statement {
  const token = stream.next();
  if (isKeyword(token, 'KEY')) return parseKeyCardinality(stream, 'tag key');
  if (isKeyword(token, 'KEYS'))
    return { kind: 'show-tag-keys', ...parseClauses(stream, parseOn(stream)) };
  if (!isKeyword(token, 'VALUES'))
    throw QuerySyntaxError.expected(token, ['KEY', 'KEYS', 'VALUES']);
  const next = stream.peek();
  if (isKeyword(next, 'EXACT') || isKeyword(next, 'CARDINALITY')) {
    return parseCardinality(stream, 'tag values', stream.take('EXACT'));
  }
  const database = parseOn(stream);
  const sources = stream.take('FROM') ? parseSources(stream, false) : [];
  const keys = parseWithKey(stream);
  return { kind: 'show-tag-values', keys, database, sources, ...parseTail(stream) };
}

function parseWithKey(stream: TokenStream): KeyFilter {
  stream.expect('WITH', 'KEY');
  const token = stream.next();
  if (isKeyword(token, 'IN')) return { operator: 'IN', names: parseNameList(stream) };
  if (token.kind === 'operator' && (token.text === '=' || token.text === '!=')) {
    return { operator: token.text, names: [stream.identifier()] };
  }
  if (token.kind === 'operator' && (token.text === '=~' || token.text === '!~')) {
    const regex = stream.regex();
    if (regex === null) throw QuerySyntaxError.expected(stream.next(), ['regex']);
    return { operator: token.text, source: regex.source };
  }
  throw QuerySyntaxError.expected(token, ['=', '!=', '=~', '!~', 'IN']);
}

function parseNameList(stream: TokenStream): string[] {
  const open = stream.next();
  if (!isMark(open, '(')) throw QuerySyntaxError.expected(open, ['(']);
  const names: string[] = [];
  for (;;) {
    names.push(stream.identifier());
    const token = stream.next();
    if (isMark(token, ')')) return names;
    if (!isMark(token, ',')) throw QuerySyntaxError.expected(token, [')', ',']);
  }
}

function parseShowMeasurements(stream: TokenStream): Statement {
  const database = parseOn(stream);
  let filter: Measurement | null = null;
  if (stream.take('WITH')) {
    stream.expect('MEASUREMENT');
    const token = stream.next();
    if (token.kind !== 'operator' || (token.text !== '=' && token.text !== '=~')) {
      throw QuerySyntaxError.expected(token, ['=', '=~']);
    }
    if (token.text === '=~') {
      const regex = stream.regex();
      if (regex === null) throw QuerySyntaxError.expected(stream.next(), ['regex']);
      filter = {
        kind: 'measurement',
        database: '',
        retentionPolicy: '',
        name: '',
        regex: regex.source,
      };
    } else filter = parseSources(stream, false)[0] ?? null;
  }
  return { kind: 'show-measurements', filter, database, sources: [], ...parseTail(stream) };
}

/** Before the word CARDINALITY. */
function parseCardinality(
  stream: TokenStream,
  subject: CardinalitySubject,
  exact: boolean,
): Statement {
  stream.expect('CARDINALITY');
  const database = parseOn(stream);
  const sources = stream.take('FROM') ? parseSources(stream, false) : [];
  const keys = subject === 'tag values' ? parseWithKey(stream) : null;
  const condition = parseCondition(stream);
  const dimensions = parseDimensions(stream);
  const { limit, offset } = parseLimits(stream);
  const hasClauses =
    sources.length > 0 || condition !== null || dimensions.length > 0 || limit > 0 || offset > 0;
  return {
    kind: 'show-cardinality',
    subject,
    exact,
    keys,
    hasClauses,
    dimensions,
    database,
    sources,
    condition,
    limit,
    offset,
  };
}
