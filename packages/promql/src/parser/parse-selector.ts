import { Matcher, type MatchOperator, METRIC_NAME, PatternError } from '@pollux/model';
import type { VectorSelector } from './ast.ts';
import type { TokenReader } from './token-reader.ts';

/** `name`, `name{…}` or `{…}`; the cursor stands on the name or the brace. */
export function parseVectorSelector(reader: TokenReader): VectorSelector {
  const start = reader.peek().start;
  let name = '';
  if (reader.peek().type !== '{') name = reader.next().text;
  const matchers: Matcher[] = [];
  if (reader.peek().type === '{') parseMatchers(reader, matchers);
  if (name !== '') matchers.push(Matcher.metric(name));
  return {
    kind: 'vector-selector',
    name,
    matchers,
    offset: null,
    at: null,
    anchored: false,
    smoothed: false,
    range: { start, end: reader.previous().end },
  };
}

function parseMatchers(reader: TokenReader, into: Matcher[]): void {
  reader.next();
  while (!reader.accept('}')) {
    into.push(parseMatcher(reader));
    if (reader.peek().type !== '}') reader.expect(',', 'label matching', '"," or "}"');
  }
}

function parseMatcher(reader: TokenReader): Matcher {
  const first = reader.peek();
  if (first.group !== 'identifier' && first.group !== 'string')
    throw reader.unexpected('label matching', 'identifier or "}"');
  reader.next();
  const operator = reader.peek();
  if (operator.group !== 'operator') {
    if (first.group !== 'string')
      throw reader.unexpected('label matching', 'label matching operator');
    // A bare string in braces is the metric's name.
    if (operator.type !== ',' && operator.type !== '}')
      throw reader.unexpected('label matching', '"," or "}"');
    return Matcher.metric(first.value);
  }
  reader.next();
  const value = reader.peek();
  if (value.group !== 'string') throw reader.unexpected('label matching', 'string');
  reader.next();
  try {
    return new Matcher(first.value, operator.type as MatchOperator, value.value);
  } catch (error) {
    if (error instanceof PatternError)
      throw reader.error({ start: first.start, end: value.end }, error.message);
    throw error;
  }
}

/** True for the condition that a name outside the braces stands for. */
export function isNameMatcher(matcher: Matcher): boolean {
  return matcher.name === METRIC_NAME && matcher.operator === '=';
}
