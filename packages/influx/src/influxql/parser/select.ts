import type {
  Expression,
  Field,
  Fill,
  Measurement,
  SelectStatement,
  Source,
  Target,
} from '../ast.ts';
import { walk } from '../ast.ts';
import { QuerySyntaxError } from '../errors.ts';
import { printExpression } from '../print.ts';
import { isKeyword, isMark, type Position } from '../token.ts';
import { parseExpression } from './expression.ts';
import type { TokenStream } from './token-stream.ts';

const MAX_COUNT = Number.MAX_SAFE_INTEGER;

/** Behind the word SELECT. */
export function parseSelect(stream: TokenStream): SelectStatement {
  return stream.nested(() => {
    const fields = parseFields(stream);
    const target = stream.take('INTO') ? parseTarget(stream) : null;
    stream.expect('FROM');
    const sources = parseSources(stream, true);
    const condition = parseCondition(stream);
    const dimensions = parseDimensions(stream);
    const fill = parseFill(stream);
    const order = parseOrder(stream);
    const limits = parseLimits(stream);
    const timeZone = parseTimeZone(stream);
    return {
      kind: 'select',
      fields,
      target,
      sources,
      condition,
      dimensions,
      fill: fill ?? { kind: 'null' },
      hasFill: fill !== null,
      ascending: order ?? true,
      hasOrder: order !== null,
      ...limits,
      timeZone,
    };
  });
}

function parseFields(stream: TokenStream): Field[] {
  const fields: Field[] = [];
  do {
    const regex = stream.regex();
    const { position } = stream.peek();
    const expression: Expression =
      regex === null ? parseExpression(stream) : { kind: 'regex', source: regex.source };
    if (regex === null) refuseComparisons(expression, position);
    fields.push({ expression, alias: stream.take('AS') ? stream.identifier() : '' });
  } while (stream.takeMark(','));
  return fields;
}

function refuseComparisons(expression: Expression, position: Position): void {
  walk(expression, (node) => {
    if (node.kind !== 'binary' || '+-*/%&|^'.includes(node.operator)) return;
    throw new QuerySyntaxError(
      `invalid operator ${node.operator} in SELECT clause at line ${position.line + 1}, char ${position.char + 1}; operator is intended for WHERE clause`,
    );
  });
}

/** One to three names with dots between: `name`, `rp.name`, `db.rp.name`, `db..name`. */
export function parseSegments(stream: TokenStream): string[] {
  const segments = [stream.identifier()];
  for (;;) {
    const token = stream.raw();
    if (!isMark(token, '.')) {
      stream.unread(token);
      return segments;
    }
    const next = stream.raw();
    stream.unread(next);
    if (isMark(next, '.')) {
      segments.push('');
      continue;
    }
    if (isMark(next, ':') || (next.kind === 'operator' && next.text === '/')) return segments;
    if (segments.length >= 3) {
      throw QuerySyntaxError.at(
        `too many segments in ${segments.map((s) => `"${s}"`).join('.')}`,
        token.position,
      );
    }
    segments.push(stream.identifier());
  }
}

function parseTarget(stream: TokenStream): Target {
  const token = stream.peek();
  if (isMark(token, ':'))
    return { database: '', retentionPolicy: '', name: measurementWord(stream) };
  const segments = parseSegments(stream);
  if (isMark(stream.peek(), ':')) {
    measurementWord(stream);
    const [first = '', second] = segments;
    return second === undefined
      ? { database: '', retentionPolicy: first, name: null }
      : { database: first, retentionPolicy: second, name: null };
  }
  return { ...placed(segments), name: segments[segments.length - 1] ?? '' };
}

function measurementWord(stream: TokenStream): null {
  stream.takeMark(':');
  stream.expect('MEASUREMENT');
  return null;
}

function placed(segments: readonly string[]): {
  readonly database: string;
  readonly retentionPolicy: string;
} {
  if (segments.length === 3)
    return { database: segments[0] ?? '', retentionPolicy: segments[1] ?? '' };
  return { database: '', retentionPolicy: segments.length === 2 ? (segments[0] ?? '') : '' };
}

/** Measurements, and subqueries where allowed, separated by commas. */
export function parseSources(stream: TokenStream, subqueries: true): Source[];
export function parseSources(stream: TokenStream, subqueries: false): Measurement[];
export function parseSources(stream: TokenStream, subqueries: boolean): Source[] {
  const sources: Source[] = [];
  do sources.push(parseSource(stream, subqueries));
  while (stream.takeMark(','));
  return sources;
}

function parseSource(stream: TokenStream, subqueries: boolean): Source {
  const regex = stream.regex();
  if (regex !== null) return measurement([], regex.source);
  if (subqueries && stream.takeMark('(')) {
    stream.expect('SELECT');
    const statement = parseSelect(stream);
    const close = stream.next();
    if (!isMark(close, ')')) throw QuerySyntaxError.expected(close, [')']);
    return { kind: 'subquery', statement };
  }
  const segments = parseSegments(stream);
  const isOpen = segments.length < 3 && !isMark(stream.peek(), ',');
  const tail = isOpen ? trailingRegex(stream) : null;
  return tail === null ? measurement(segments, null) : measurement([...segments, ''], tail);
}

/** The regular expression behind `db.rp.`; segments end at the dot before it. */
function trailingRegex(stream: TokenStream): string | null {
  const token = stream.raw();
  stream.unread(token);
  if (token.kind !== 'operator' || token.text !== '/') return null;
  return stream.regexAfterSlash();
}

function measurement(segments: readonly string[], regex: string | null): Measurement {
  return {
    kind: 'measurement',
    ...placed(segments),
    name: segments[segments.length - 1] ?? '',
    regex,
  };
}

export function parseCondition(stream: TokenStream): Expression | null {
  return stream.take('WHERE') ? parseExpression(stream) : null;
}

export function parseDimensions(stream: TokenStream): Expression[] {
  if (!stream.take('GROUP')) return [];
  stream.expect('BY');
  const dimensions: Expression[] = [];
  do {
    const regex = stream.regex();
    dimensions.push(
      regex === null ? parseExpression(stream) : { kind: 'regex', source: regex.source },
    );
  } while (stream.takeMark(','));
  return dimensions;
}

function parseFill(stream: TokenStream): Fill | null {
  const token = stream.peek();
  if (token.kind !== 'identifier' || token.text.toLowerCase() !== 'fill') return null;
  const call = parseExpression(stream);
  if (call.kind !== 'call') throw new QuerySyntaxError('fill must be a function call');
  const [arg] = call.args;
  if (call.args.length !== 1 || arg === undefined) {
    throw new QuerySyntaxError('fill requires an argument, e.g.: 0, null, none, previous, linear');
  }
  const word = printExpression(arg);
  if (word === 'null' || word === 'none' || word === 'previous' || word === 'linear')
    return { kind: word };
  if (arg.kind === 'integer' || arg.kind === 'number') return { kind: 'number', value: arg.value };
  throw new QuerySyntaxError('expected number argument in fill()');
}

/** True for ascending; null when the statement names no order. */
export function parseOrder(stream: TokenStream): boolean | null {
  if (!stream.take('ORDER')) return null;
  stream.expect('BY');
  const first = stream.next();
  if (isKeyword(first, 'ASC') || isKeyword(first, 'DESC')) return first.text === 'ASC';
  if (first.kind !== 'identifier')
    throw QuerySyntaxError.expected(first, ['identifier', 'ASC', 'DESC']);
  let isAscending = true;
  if (stream.take('DESC')) isAscending = false;
  else stream.take('ASC');
  if (first.text !== 'time')
    throw new QuerySyntaxError('only ORDER BY time supported at this time');
  if (stream.takeMark(',')) {
    stream.identifier();
    throw new QuerySyntaxError('only ORDER BY time supported at this time');
  }
  return isAscending;
}

export function parseLimits(stream: TokenStream): {
  readonly limit: number;
  readonly offset: number;
  readonly slimit: number;
  readonly soffset: number;
} {
  const count = (word: string): number => (stream.take(word) ? stream.integer(0, MAX_COUNT) : 0);
  return {
    limit: count('LIMIT'),
    offset: count('OFFSET'),
    slimit: count('SLIMIT'),
    soffset: count('SOFFSET'),
  };
}

function parseTimeZone(stream: TokenStream): string | null {
  const token = stream.peek();
  if (token.kind !== 'identifier' || token.text.toLowerCase() !== 'tz') return null;
  const call = parseExpression(stream);
  if (call.kind !== 'call') throw new QuerySyntaxError('tz must be a function call');
  const [arg] = call.args;
  if (call.args.length !== 1 || arg === undefined)
    throw new QuerySyntaxError('tz requires exactly one argument');
  if (arg.kind !== 'string') throw new QuerySyntaxError('expected string argument in tz()');
  try {
    new Intl.DateTimeFormat('en', { timeZone: arg.value });
  } catch {
    throw new QuerySyntaxError(`unable to find time zone ${arg.value}`);
  }
  return arg.value;
}
