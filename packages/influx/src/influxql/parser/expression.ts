import type { BinaryOperator, CastType, Expression } from '../ast.ts';
import { parseInfluxDuration } from '../duration.ts';
import { QuerySyntaxError } from '../errors.ts';
import { isKeyword, isMark, type Token } from '../token.ts';
import type { TokenStream } from './token-stream.ts';

const PRECEDENCE: Readonly<Record<BinaryOperator, number>> = {
  OR: 1,
  AND: 2,
  '=': 3,
  '!=': 3,
  '=~': 3,
  '!~': 3,
  '<': 3,
  '<=': 3,
  '>': 3,
  '>=': 3,
  '+': 4,
  '-': 4,
  '|': 4,
  '^': 4,
  '*': 5,
  '/': 5,
  '%': 5,
  '&': 5,
};
const CASTS: readonly string[] = [
  'float',
  'integer',
  'unsigned',
  'string',
  'boolean',
  'field',
  'tag',
];
const MAX_INTEGER = 2n ** 63n - 1n;
const MAX_UNSIGNED = 2n ** 64n - 1n;

/** Operators by precedence, left to right. */
export function parseExpression(stream: TokenStream): Expression {
  return stream.nested(() => parseBinary(stream, 0));
}

function parseBinary(stream: TokenStream, minimum: number): Expression {
  let left = parseUnary(stream);
  for (;;) {
    const operator = takeOperator(stream, minimum);
    if (operator === null) return left;
    if (operator === '=~' || operator === '!~') {
      const regex = stream.regex();
      if (regex === null) throw QuerySyntaxError.expected(stream.next(), ['regex']);
      left = { kind: 'binary', operator, left, right: { kind: 'regex', source: regex.source } };
      continue;
    }
    const right = parseBinary(stream, PRECEDENCE[operator]);
    left = { kind: 'binary', operator, left, right };
  }
}

/** The next operator when it binds tighter than `minimum`. */
function takeOperator(stream: TokenStream, minimum: number): BinaryOperator | null {
  const token = stream.next();
  const isWord = isKeyword(token, 'AND') || isKeyword(token, 'OR');
  if ((token.kind === 'operator' || isWord) && token.text in PRECEDENCE) {
    const operator = token.text as BinaryOperator;
    if (PRECEDENCE[operator] > minimum) return operator;
  }
  stream.unread(token);
  return null;
}

function parseUnary(stream: TokenStream): Expression {
  const token = stream.next();
  if (isMark(token, '(')) {
    const inner = parseExpression(stream);
    const close = stream.next();
    if (!isMark(close, ')')) throw QuerySyntaxError.expected(close, [')']);
    return { kind: 'paren', inner };
  }
  if (token.kind === 'operator') return parseSigned(stream, token);
  if (isKeyword(token, 'DISTINCT')) return parseDistinct(stream);
  if (isKeyword(token, 'TRUE') || isKeyword(token, 'FALSE'))
    return { kind: 'boolean', value: token.text === 'TRUE' };
  switch (token.kind) {
    case 'identifier':
      return parseNamed(stream, token);
    case 'parameter': {
      const value = stream.parameter(token);
      if (value.kind === 'identifier') return { kind: 'reference', name: value.name, cast: null };
      return value;
    }
    case 'string':
      return { kind: 'string', value: token.text };
    case 'number':
    case 'integer':
    case 'duration':
      return numberLiteral(token);
    case 'bad-escape':
      throw QuerySyntaxError.at(`bad escape: ${token.text}`, token.position);
    case 'bad-string':
      throw QuerySyntaxError.at(`bad string: ${token.text}`, token.position);
    default:
      throw QuerySyntaxError.expected(token, ['identifier', 'string', 'number', 'bool']);
  }
}

function parseNamed(stream: TokenStream, name: Token): Expression {
  const after = stream.raw();
  if (isMark(after, '(')) return parseCall(stream, name.text);
  stream.unread(after);
  // A quoted or bare name may go on with segments: `"a"."b"` is one reference.
  let text = name.text;
  while (takeRawMark(stream, '.')) text += `.${stream.identifier()}`;
  return { kind: 'reference', name: text, cast: parseCast(stream) };
}

function takeRawMark(stream: TokenStream, mark: string): boolean {
  const token = stream.raw();
  if (isMark(token, mark)) return true;
  stream.unread(token);
  return false;
}

function parseCast(stream: TokenStream): CastType | null {
  if (!takeRawMark(stream, '::')) return null;
  const token = stream.raw();
  const word = token.text.toLowerCase();
  if ((token.kind === 'identifier' || token.kind === 'keyword') && CASTS.includes(word))
    return word as CastType;
  throw QuerySyntaxError.expected(token, [
    'float',
    'integer',
    'unsigned',
    'string',
    'boolean',
    'field',
    'tag',
  ]);
}

/** Behind the opening parenthesis. */
export function parseCall(stream: TokenStream, name: string): Expression {
  const args: Expression[] = [];
  const lower = name.toLowerCase();
  for (;;) {
    // First of all: once a slash is read as an operator, it is too late for a regular expression.
    const regex = stream.regex();
    if (regex === null && args.length === 0 && stream.takeMark(')'))
      return { kind: 'call', name: lower, args };
    args.push(regex === null ? parseExpression(stream) : { kind: 'regex', source: regex.source });
    const token = stream.next();
    if (isMark(token, ')')) return { kind: 'call', name: lower, args };
    if (!isMark(token, ',')) throw QuerySyntaxError.expected(token, [')']);
  }
}

function parseDistinct(stream: TokenStream): Expression {
  const token = stream.raw();
  if (isMark(token, '(')) return parseCall(stream, 'distinct');
  if (token.kind === 'blank') {
    const name = stream.next();
    if (name.kind !== 'identifier') throw QuerySyntaxError.expected(name, ['identifier']);
    return { kind: 'distinct', name: name.text };
  }
  throw QuerySyntaxError.expected(token, ['(', 'identifier']);
}

function parseSigned(stream: TokenStream, sign: Token): Expression {
  if (sign.text === '*') {
    const cast = parseCast(stream);
    if (cast !== null && cast !== 'field' && cast !== 'tag') {
      throw QuerySyntaxError.at(`found ${cast}, expected field, tag`, sign.position);
    }
    return { kind: 'wildcard', cast };
  }
  if (sign.text !== '+' && sign.text !== '-') {
    throw QuerySyntaxError.expected(sign, ['identifier', 'string', 'number', 'bool']);
  }
  const isNegative = sign.text === '-';
  const token = stream.next();
  switch (token.kind) {
    case 'number':
    case 'integer':
    case 'duration': {
      const literal = numberLiteral(token);
      return isNegative ? negated(literal) : literal;
    }
    case 'identifier':
      break;
    default:
      if (isMark(token, '(')) break;
      throw QuerySyntaxError.expected(token, ['identifier', 'number', 'duration', '(']);
  }
  stream.unread(token);
  const operand = parseUnary(stream);
  return {
    kind: 'binary',
    operator: '*',
    left: { kind: 'integer', value: isNegative ? -1n : 1n },
    right: operand,
  };
}

function negated(literal: Expression): Expression {
  if (literal.kind === 'number') return { kind: 'number', value: -literal.value };
  if (literal.kind === 'integer') return { kind: 'integer', value: -literal.value };
  if (literal.kind === 'duration') return { kind: 'duration', nanos: -literal.nanos };
  return literal;
}

function numberLiteral(token: Token): Expression {
  if (token.kind === 'number') return { kind: 'number', value: Number(token.text) };
  if (token.kind === 'duration') return { kind: 'duration', nanos: durationOf(token) };
  const value = BigInt(token.text);
  // One above the largest int64 is allowed for the sake of its negative.
  if (value > MAX_UNSIGNED) throw QuerySyntaxError.at('unable to parse integer', token.position);
  if (value > MAX_INTEGER + 1n) return { kind: 'integer', value };
  return { kind: 'integer', value };
}

/** The nanoseconds of a duration token. */
export function durationOf(token: Token): bigint {
  const nanos = parseInfluxDuration(token.text);
  if (nanos === 'overflow') {
    throw QuerySyntaxError.at(
      `overflowed duration ${token.text}: choose a smaller duration or INF`,
      token.position,
    );
  }
  if (nanos === null) throw new QuerySyntaxError('invalid duration');
  return nanos;
}
