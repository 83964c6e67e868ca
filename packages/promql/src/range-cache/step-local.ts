import { type DurationValue, type Expr, typeOf } from '../parser/ast.ts';
import { childrenOf } from '../parser/walk.ts';

/**
 * Functions whose value at a step is worked out from that step's samples alone, in the same way whatever steps are evaluated
 * beside it. Left out: sum_over_time and avg_over_time, which add in an order that depends on the first step of a batch and so
 * may differ in the last bit; what makes labels (label_replace, label_join, info), since series that become alike are an
 * error also when they are so at different steps; start(), end(), range() and step(), which ask for the query's times.
 */
const LOCAL_FUNCTIONS: ReadonlySet<string> = new Set(
  `abs absent absent_over_time acos acosh asin asinh atan atanh ceil changes clamp clamp_max clamp_min
  cos cosh count_over_time day_of_month day_of_week day_of_year days_in_month deg delta deriv exp
  floor histogram_quantile hour idelta increase irate last_over_time ln log10 log2 max_over_time
  min_over_time minute month pi predict_linear present_over_time quantile_over_time rad rate resets
  round scalar sgn sin sinh sqrt stddev_over_time stdvar_over_time tan tanh time timestamp vector
  year`.split(/\s+/),
);

/** Aggregations whose value does not depend on the order of their series. */
const ORDERLESS: ReadonlySet<string> = new Set(['min', 'max', 'count', 'group', 'quantile']);
/** Those whose last bits, or choice among equals, do; limitk and limit_ratio are left out altogether. */
const ORDERED: ReadonlySet<string> = new Set(['sum', 'avg', 'stddev', 'stdvar', 'topk', 'bottomk']);

/**
 * True when the value of every step, to the last bit, and whether there is an error, depend on the samples in that step's
 * windows only. What is not known to be so is not so.
 */
export function isStepLocal(expr: Expr): boolean {
  const bare = withoutParentheses(expr);
  // `or` of sides that become alike at different steps is one series here, but an error below what drops names.
  if (bare.kind === 'binary' && bare.operator === 'or')
    return isStepLocal(bare.left) && isStepLocal(bare.right);
  return isLocal(bare);
}

function isLocal(expr: Expr): boolean {
  if (!isLocalNode(expr)) return false;
  return childrenOf(expr).every(isLocal);
}

function isLocalNode(expr: Expr): boolean {
  switch (expr.kind) {
    case 'number':
    case 'string':
    case 'unary':
    case 'parentheses':
      return true;
    case 'vector-selector':
      return (
        // Series of several names may become alike when the name is dropped.
        expr.matchers.some(
          ({ name, operator, value }) => name === '__name__' && operator === '=' && value !== '',
        ) &&
        isFixed(expr.offset) &&
        isPlainTime(expr.at) &&
        !expr.anchored &&
        !expr.smoothed
      );
    case 'matrix-selector':
      return isFixed(expr.window);
    case 'subquery':
      return (
        isFixed(expr.window) && isFixed(expr.step) && isFixed(expr.offset) && isPlainTime(expr.at)
      );
    case 'aggregate':
      return (
        ORDERLESS.has(expr.operator) || (ORDERED.has(expr.operator) && hasFixedOrder(expr.expr))
      );
    case 'binary':
      return expr.operator !== 'or';
    case 'call':
      return LOCAL_FUNCTIONS.has(expr.signature.name);
  }
}

/**
 * True when the series come in the order of labels of what is stored: steps at which one of them has no sample then leave the
 * order of the others as it is. Groups come in the order of their first series, which may be missing at other steps.
 */
function hasFixedOrder(expr: Expr): boolean {
  switch (expr.kind) {
    case 'vector-selector':
    case 'matrix-selector':
      return true;
    case 'parentheses':
    case 'unary':
    case 'subquery':
      return hasFixedOrder(expr.expr);
    case 'binary':
      if (typeOf(expr.left) === 'scalar') return hasFixedOrder(expr.right);
      return typeOf(expr.right) === 'scalar' && hasFixedOrder(expr.left);
    case 'call':
      return (
        expr.signature.name !== 'histogram_quantile' &&
        expr.args.every((arg) => typeOf(arg) === 'scalar' || hasFixedOrder(arg))
      );
    default:
      return false;
  }
}

/** Written as a number: expressions may use the query's times. */
function isFixed(duration: DurationValue | null): boolean {
  return duration === null || duration.expr === null;
}

function isPlainTime(at: Extract<Expr, { kind: 'subquery' }>['at']): boolean {
  return at === null || at.kind === 'timestamp';
}

function withoutParentheses(expr: Expr): Expr {
  return expr.kind === 'parentheses' ? withoutParentheses(expr.expr) : expr;
}
