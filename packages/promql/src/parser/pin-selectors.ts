import type { Expr } from './ast.ts';
import { walk } from './walk.ts';

/** Functions over the step's own time: pinning their arguments would not pin them. */
const STEP_TIME: ReadonlySet<string> = new Set([
  'days_in_month',
  'day_of_month',
  'day_of_week',
  'day_of_year',
  'hour',
  'minute',
  'month',
  'year',
  'predict_linear',
  'time',
  'start',
  'end',
  'range',
  'step',
]);

/**
 * The expression with `@ timeMs` on every selector and subquery that has none, so that it gives the same at any time; null
 * where a function of the step's time keeps it from that. Selectors inside a subquery are pinned through it.
 */
export function pinSelectors(expr: Expr, timeMs: number): Expr | null {
  let canPin = true;
  walk(expr, (node) => {
    if (node.kind !== 'call') return true;
    const { name } = node.signature;
    const isBareTimestamp =
      name === 'timestamp' && innermost(node.args[0]!).kind === 'vector-selector';
    if (STEP_TIME.has(name) || (name === 'timestamp' && !isBareTimestamp)) canPin = false;
    return true;
  });
  return canPin ? pin(expr, timeMs) : null;
}

/** False for expressions over the times of the whole query, which differ between instant and range queries. */
export function isIndependentOfQueryTimes(expr: Expr): boolean {
  let isIndependent = true;
  walk(expr, (node) => {
    const isQueryTime =
      node.kind === 'call' && ['start', 'end', 'range', 'step'].includes(node.signature.name);
    const at = node.kind === 'vector-selector' || node.kind === 'subquery' ? node.at : null;
    if (isQueryTime || (at !== null && at.kind !== 'timestamp')) isIndependent = false;
    if (mentionsVariables(node)) isIndependent = false;
    return true;
  });
  return isIndependent;
}

function mentionsVariables(node: Expr): boolean {
  const durations: unknown[] = [];
  if (node.kind === 'vector-selector') durations.push(node.offset);
  if (node.kind === 'matrix-selector') durations.push(node.window, node.selector.offset);
  if (node.kind === 'subquery') durations.push(node.window, node.step, node.offset);
  return JSON.stringify(durations).includes('"duration-variable"');
}

function innermost(expr: Expr): Expr {
  return expr.kind === 'parentheses' ? innermost(expr.expr) : expr;
}

function pin(expr: Expr, timeMs: number): Expr {
  const at = { kind: 'timestamp', timestampMs: timeMs } as const;
  switch (expr.kind) {
    case 'number':
    case 'string':
      return expr;
    case 'vector-selector':
      return expr.at === null ? { ...expr, at } : expr;
    case 'matrix-selector':
      return expr.selector.at === null ? { ...expr, selector: { ...expr.selector, at } } : expr;
    case 'subquery':
      return expr.at === null ? { ...expr, at } : expr;
    case 'aggregate':
      return {
        ...expr,
        expr: pin(expr.expr, timeMs),
        parameter: expr.parameter === null ? null : pin(expr.parameter, timeMs),
      };
    case 'binary':
      return { ...expr, left: pin(expr.left, timeMs), right: pin(expr.right, timeMs) };
    case 'call':
      return {
        ...expr,
        args: expr.args.map((arg, index) =>
          expr.signature.name === 'info' && index === 1 ? arg : pin(arg, timeMs),
        ),
      };
    case 'unary':
    case 'parentheses':
      return { ...expr, expr: pin(expr.expr, timeMs) };
  }
}
