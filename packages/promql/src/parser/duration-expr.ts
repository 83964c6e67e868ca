import type { DurationExpr, DurationValue, Expr } from './ast.ts';
import { DurationError, ParseError, type PositionRange } from './parse-error.ts';

/** The times of a query that `step()`, `range()`, `start()` and `end()` stand for. */
export type QueryTimes = {
  readonly startMs: number;
  readonly endMs: number;
  /** 0 for an instant query. */
  readonly stepMs: number;
};

/** Go keeps durations as nanoseconds in an int64. */
const MAX_SECONDS = 2 ** 63 / 1e9;
const NAN_MS = -9_223_372_036_854;

/** The value of a duration expression in seconds. Throws DurationError on a division by zero. */
function evaluateDuration(expr: DurationExpr, times: QueryTimes, query: string): number {
  switch (expr.kind) {
    case 'duration-literal':
      return expr.seconds;
    case 'duration-variable':
      return (expr.name === 'step' ? times.stepMs : times.endMs - times.startMs) / 1000;
    case 'duration-parentheses':
      return evaluateDuration(expr.inner, times, query);
    case 'duration-unary': {
      const value = evaluateDuration(expr.operand, times, query);
      return expr.operator === '-' ? -value : value;
    }
    case 'duration-binary': {
      const left = evaluateDuration(expr.left, times, query);
      const right = evaluateDuration(expr.right, times, query);
      switch (expr.operator) {
        case '+':
          return left + right;
        case '-':
          return left - right;
        case '*':
          return left * right;
        case '/':
          if (right === 0) throw new DurationError(query, nodeRange(expr), 'division by zero');
          return left / right;
        case '%':
          if (right === 0) throw new DurationError(query, nodeRange(expr), 'modulo by zero');
          return left % right;
        case '^':
          return left ** right;
        case 'min_of':
          return Math.min(left, right);
        case 'max_of':
          return Math.max(left, right);
      }
    }
  }
}

/** Whole milliseconds of a literal in seconds; throws where Prometheus says it is out of range or not positive. */
export function literalMs(
  seconds: number,
  range: PositionRange,
  query: string,
  mustBePositive: boolean,
): number {
  // Out of no range, it becomes the least of Go's numbers.
  if (Number.isNaN(seconds) && !mustBePositive) return NAN_MS;
  if (Number.isNaN(seconds) || Math.abs(seconds) > MAX_SECONDS)
    throw new ParseError(query, range, 'duration out of range');
  if (mustBePositive && seconds <= 0)
    throw new ParseError(query, range, 'duration must be greater than 0');
  return Math.round(seconds * 1000);
}

/** Whole milliseconds of a duration that was worked out with the query's times; parts of them are cut off. */
function computedMs(
  expr: DurationExpr,
  times: QueryTimes,
  query: string,
  mustBePositive: boolean,
): number {
  const seconds = evaluateDuration(expr, times, query);
  const refuse = (reason: string): never => {
    throw new DurationError(query, nodeRange(expr), reason);
  };
  if (!Number.isFinite(seconds)) return refuse('duration is NaN or infinite');
  if (mustBePositive && seconds <= 0) return refuse('duration must be greater than 0');
  if (Math.abs(seconds) > MAX_SECONDS) return refuse('duration is out of range');
  return Math.trunc(seconds * 1000);
}

/** The place of what Prometheus keeps of an expression: neither parentheses nor the words of a choice count. */
function nodeRange(expr: DurationExpr): PositionRange {
  switch (expr.kind) {
    case 'duration-parentheses':
      return expr.inner.kind === 'duration-literal' ? expr.inner.range : nodeRange(expr.inner);
    case 'duration-binary':
      return { start: nodeRange(expr.left).start, end: nodeRange(expr.right).end };
    case 'duration-unary':
      return { start: expr.range.start, end: nodeRange(expr.operand).end };
    default:
      return expr.range;
  }
}

/** The expression with every duration worked out for these times. Throws DurationError on one that cannot be. */
export function resolveDurations(expr: Expr, times: QueryTimes, query: string): Expr {
  const value = <T extends DurationValue | null>(duration: T, positive: boolean): T => {
    if (duration === null || duration.expr === null) return duration;
    return { ...duration, ms: computedMs(duration.expr, times, query, positive) };
  };
  const visit = (node: Expr): Expr => {
    switch (node.kind) {
      case 'number':
      case 'string':
        return node;
      case 'vector-selector':
        return { ...node, offset: value(node.offset, false) };
      case 'matrix-selector':
        return {
          ...node,
          window: value(node.window, true),
          selector: { ...node.selector, offset: value(node.selector.offset, false) },
        };
      case 'subquery':
        return {
          ...node,
          expr: visit(node.expr),
          window: value(node.window, true),
          step: value(node.step, true),
          offset: value(node.offset, false),
        };
      case 'aggregate':
        return {
          ...node,
          expr: visit(node.expr),
          parameter: node.parameter === null ? null : visit(node.parameter),
        };
      case 'binary':
        return { ...node, left: visit(node.left), right: visit(node.right) };
      case 'call':
        return { ...node, args: node.args.map(visit) };
      case 'unary':
      case 'parentheses':
        return { ...node, expr: visit(node.expr) };
    }
  };
  return visit(expr);
}
