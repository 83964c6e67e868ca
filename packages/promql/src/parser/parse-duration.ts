import type { DurationExpr, DurationValue } from './ast.ts';
import { literalMs } from './duration-expr.ts';
import { readDurationSeconds, readNumber } from './number-literal.ts';
import type { Token } from './token.ts';
import type { TokenReader } from './token-reader.ts';

const PRECEDENCE: Readonly<Record<string, number>> = {
  '+': 1,
  '-': 1,
  '*': 2,
  '/': 2,
  '%': 2,
  '^': 3,
};

type DurationLiteral = Extract<DurationExpr, { kind: 'duration-literal' }>;

function expectedIn(context: string): string {
  return context === 'subquery selector'
    ? 'number, duration, step(), range(), or "]"'
    : 'number, duration, step(), or range()';
}

/** The duration expression of a range or a subquery step, up to `]` or `:`. */
export function parseWindow(
  reader: TokenReader,
  context: string,
  areExpressionsEnabled: boolean,
): DurationValue {
  const expr = parseDurationExpr(reader, 1, context);
  return finish(reader, expr, true, areExpressionsEnabled);
}

/**
 * The duration after `offset`: one literal or call with at most one sign, or an expression that begins with a parenthesis or
 * two signs, which goes on behind them.
 */
export function parseOffset(reader: TokenReader, areExpressionsEnabled: boolean): DurationValue {
  const sign = reader.peek();
  let expr: DurationExpr;
  const isSigned = isSign(sign);
  if (isSigned && !isSign(reader.peekSecond())) {
    reader.next();
    // A number behind one sign is looked at with it.
    expr = signed(sign, parseLiteral(reader) ?? parsePrimary(reader, 'offset'));
  } else if (isSigned || sign.type === '(') expr = parseDurationExpr(reader, 1, 'offset');
  else expr = parsePrimary(reader, 'offset');
  return finish(reader, expr, false, areExpressionsEnabled);
}

function finish(
  reader: TokenReader,
  expr: DurationExpr,
  mustBePositive: boolean,
  areExpressionsEnabled: boolean,
): DurationValue {
  if (expr.kind === 'duration-literal') {
    return { ms: literalMs(expr.seconds, expr.range, reader.query, mustBePositive), expr: null };
  }
  if (!areExpressionsEnabled)
    throw reader.error(expr.range, 'experimental duration expression is not enabled');
  // Worked out, and its bounds checked, when the query's times are known.
  return { ms: 0, expr };
}

function parseDurationExpr(
  reader: TokenReader,
  minPrecedence: number,
  context: string,
): DurationExpr {
  return reader.nested(() => {
    let left = parseUnary(reader, context);
    for (;;) {
      const operator = reader.peek();
      const precedence = operator.group === 'operator' ? PRECEDENCE[operator.type] : undefined;
      if (precedence === undefined || precedence < minPrecedence) return left;
      reader.next();
      const isRightAssociative = operator.type === '^';
      const isDivision = operator.type === '/' || operator.type === '%';
      const right = parseDurationExpr(
        reader,
        isRightAssociative ? precedence : precedence + 1,
        context,
      );
      if (isDivision && right.kind === 'duration-literal' && right.seconds === 0) {
        const what = operator.type === '/' ? 'division' : 'modulo';
        throw reader.error(operator, `${what} by zero`);
      }
      left = {
        kind: 'duration-binary',
        operator: operator.type as '+' | '-' | '*' | '/' | '%' | '^',
        left,
        right,
        operatorRange: { start: operator.start, end: operator.end },
        range: { start: left.range.start, end: right.range.end },
      };
    }
  });
}

function parseUnary(reader: TokenReader, context: string): DurationExpr {
  const token = reader.peek();
  if (!isSign(token)) return parsePrimary(reader, context);
  reader.next();
  const operand = parseDurationExpr(reader, PRECEDENCE['^']!, context);
  // Of a plus nothing is left, except before a word behind `offset`.
  return token.type === '+' && operand.kind !== 'duration-literal'
    ? operand
    : signed(token, operand);
}

function isSign({ type }: Token): boolean {
  return type === '+' || type === '-';
}

/** A sign belongs to a literal behind it, so that `-5m` is one number. */
function signed(sign: Token, operand: DurationExpr): DurationExpr {
  const range = { start: sign.start, end: operand.range.end };
  if (operand.kind === 'duration-literal') {
    return { ...operand, seconds: sign.type === '-' ? -operand.seconds : operand.seconds, range };
  }
  if (sign.type === '+' && operand.kind === 'duration-parentheses') return operand;
  return { kind: 'duration-unary', operator: sign.type as '+' | '-', operand, range };
}

function parseLiteral(reader: TokenReader): DurationLiteral | null {
  const token = reader.peek();
  const range = { start: token.start, end: token.end };
  if (token.group !== 'number' && token.group !== 'duration') return null;
  reader.next();
  const isDuration = token.group === 'duration';
  const seconds = isDuration ? readDurationSeconds(reader, token) : readNumber(reader, token);
  return { kind: 'duration-literal', seconds, isDuration, range };
}

function parsePrimary(reader: TokenReader, context: string): DurationExpr {
  const token = reader.peek();
  const literal = parseLiteral(reader);
  if (literal !== null) {
    literalMs(literal.seconds, literal.range, reader.query, false);
    return literal;
  }
  if (token.type === '(') {
    reader.next();
    const inside = parseDurationExpr(reader, 1, context);
    // Parentheses in parentheses are one pair.
    const inner = inside.kind === 'duration-parentheses' ? inside.inner : inside;
    const close = reader.expect(')', context, expectedIn(context));
    return { kind: 'duration-parentheses', inner, range: { start: token.start, end: close.end } };
  }
  if (token.group === 'keyword' && reader.peekSecond().type === '(') {
    if (token.type === 'step' || token.type === 'range') {
      reader.next();
      reader.next();
      const close = reader.expect(')', context, expectedIn(context));
      const name = token.type;
      return { kind: 'duration-variable', name, range: { start: token.start, end: close.end } };
    }
    if (token.type === 'min_of' || token.type === 'max_of')
      return parseChoice(reader, token, context);
  }
  const isCall = ['step', 'range', 'min_of', 'max_of'].includes(token.type);
  if (token.group === 'keyword' && isCall) reader.next();
  throw reader.unexpected(context, expectedIn(context));
}

function parseChoice(reader: TokenReader, token: Token, context: string): DurationExpr {
  reader.next();
  reader.next();
  const left = parseDurationExpr(reader, 1, context);
  reader.expect(',', context, expectedIn(context));
  const right = parseDurationExpr(reader, 1, context);
  const close = reader.expect(')', context, expectedIn(context));
  return {
    kind: 'duration-binary',
    operator: token.type as 'min_of' | 'max_of',
    left,
    right,
    operatorRange: { start: token.start, end: token.end },
    range: { start: token.start, end: close.end },
  };
}
