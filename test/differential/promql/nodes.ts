import { Matcher, type MatchOperator, METRIC_NAME } from '@pollux/model';
import {
  type AggregateOperator,
  type AtModifier,
  type BinaryExpr,
  type BinaryOperator,
  type DurationValue,
  type Expr,
  FUNCTIONS,
  type MatrixSelector,
  type SubqueryExpr,
  type VectorMatching,
  type VectorSelector,
} from '@pollux/promql/parser';

/** Nodes of our own tree, made by hand: they are only printed, so they have no place in a text. */
const NOWHERE = { start: 0, end: 0 };

export type Condition = readonly [name: string, operator: MatchOperator, value: string];

export function number(value: number): Expr {
  return { kind: 'number', value, isDuration: false, range: NOWHERE };
}

export function text(value: string): Expr {
  return { kind: 'string', value, range: NOWHERE };
}

export function duration(ms: number): DurationValue {
  return { ms, expr: null };
}

export function selector(name: string, conditions: readonly Condition[] = []): VectorSelector {
  const matchers = conditions.map(
    ([label, operator, value]) => new Matcher(label, operator, value),
  );
  if (name !== '') matchers.push(new Matcher(METRIC_NAME, '=', name));
  return {
    kind: 'vector-selector',
    name,
    matchers,
    offset: null,
    at: null,
    anchored: false,
    smoothed: false,
    range: NOWHERE,
  };
}

export function matrix(of: VectorSelector, windowMs: number): MatrixSelector {
  return { kind: 'matrix-selector', selector: of, window: duration(windowMs), range: NOWHERE };
}

export function subquery(expr: Expr, windowMs: number, stepMs: number | null): SubqueryExpr {
  return {
    kind: 'subquery',
    expr: atomic(expr),
    window: duration(windowMs),
    step: stepMs === null ? null : duration(stepMs),
    offset: null,
    at: null,
    range: NOWHERE,
  };
}

export type Shift = { readonly offset?: DurationValue; readonly at?: AtModifier };

/** The selector, range or subquery at another time. */
export function shifted<E extends VectorSelector | MatrixSelector | SubqueryExpr>(
  expr: E,
  shift: Shift,
): E {
  if (expr.kind === 'matrix-selector') return { ...expr, selector: { ...expr.selector, ...shift } };
  return { ...expr, ...shift };
}

export function call(name: string, ...args: readonly Expr[]): Expr {
  const signature = FUNCTIONS.get(name);
  if (signature === undefined) throw new Error(`no function ${name}`);
  return { kind: 'call', signature, args, range: NOWHERE };
}

export type Grouping = { readonly labels: readonly string[]; readonly without: boolean };

export function aggregate(
  operator: AggregateOperator,
  expr: Expr,
  settings: { readonly parameter?: Expr; readonly grouping?: Grouping } = {},
): Expr {
  const { labels, without } = settings.grouping ?? { labels: [], without: false };
  const parameter = settings.parameter ?? null;
  return {
    kind: 'aggregate',
    operator,
    expr,
    parameter,
    grouping: labels,
    without,
    range: NOWHERE,
  };
}

export function binary(
  left: Expr,
  operator: BinaryOperator,
  right: Expr,
  settings: { readonly bool?: boolean; readonly matching?: Partial<VectorMatching> } = {},
): BinaryExpr {
  const matching: VectorMatching | null =
    settings.matching === undefined
      ? null
      : {
          cardinality: 'one-to-one',
          labels: [],
          on: false,
          include: [],
          fillLeft: null,
          fillRight: null,
          ...settings.matching,
        };
  return {
    kind: 'binary',
    operator,
    left: atomic(left),
    right: atomic(right),
    bool: settings.bool ?? false,
    matching,
    range: NOWHERE,
  };
}

export function negated(expr: Expr): Expr {
  return { kind: 'unary', operator: '-', expr: atomic(expr), range: NOWHERE };
}

/** In parentheses where the text would otherwise read as another tree. */
function atomic(expr: Expr): Expr {
  const isLoose =
    expr.kind === 'binary' ||
    expr.kind === 'unary' ||
    expr.kind === 'subquery' ||
    (expr.kind === 'number' && !(expr.value >= 0));
  return isLoose ? { kind: 'parentheses', expr, range: NOWHERE } : expr;
}
