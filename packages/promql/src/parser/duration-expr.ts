import type { DurationExpr, DurationValue, Expr } from './ast.ts';
import { ParseError } from './parse-error.ts';

/** The times of a query that `step()`, `range()`, `start()` and `end()` stand for. */
export type QueryTimes = {
  readonly startMs: number;
  readonly endMs: number;
  /** 0 for an instant query. */
  readonly stepMs: number;
};

/** Go keeps durations as nanoseconds in an int64. */
const MAX_SECONDS = 9_223_372_036;

/** The value of a duration expression in seconds. Throws ParseError with `query` on a division by zero. */
export function evaluateDuration(expr: DurationExpr, times: QueryTimes, query: string): number {
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
          if (right === 0) throw new ParseError(query, expr.operatorRange, 'division by zero');
          return left / right;
        case '%':
          if (right === 0) throw new ParseError(query, expr.operatorRange, 'modulo by zero');
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

/** True when the value can be known without the query's times. */
export function isConstantDuration(expr: DurationExpr): boolean {
  switch (expr.kind) {
    case 'duration-literal':
      return true;
    case 'duration-variable':
      return false;
    case 'duration-parentheses':
      return isConstantDuration(expr.inner);
    case 'duration-unary':
      return isConstantDuration(expr.operand);
    case 'duration-binary':
      return isConstantDuration(expr.left) && isConstantDuration(expr.right);
  }
}

/** Whole milliseconds of a duration in seconds; throws where Prometheus says it is out of range or not positive. */
export function durationMs(
  seconds: number,
  expr: DurationExpr,
  query: string,
  mustBePositive: boolean,
): number {
  if (Number.isNaN(seconds) || Math.abs(seconds) > MAX_SECONDS)
    throw new ParseError(query, expr.range, 'duration out of range');
  const ms = Math.round(seconds * 1000);
  if (mustBePositive && ms <= 0)
    throw new ParseError(query, expr.range, 'duration must be greater than 0');
  return ms;
}

/** The expression with every duration worked out for these times. Throws ParseError on one out of range. */
export function resolveDurations(expr: Expr, times: QueryTimes, query: string): Expr {
  const value = <T extends DurationValue | null>(duration: T, positive: boolean): T => {
    if (duration === null || duration.expr === null) return duration;
    const seconds = evaluateDuration(duration.expr, times, query);
    return { ...duration, ms: durationMs(seconds, duration.expr, query, positive) };
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
