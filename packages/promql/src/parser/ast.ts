import type { Matcher } from '@pollux/model';
import type { FunctionSignature } from './functions.ts';
import type { PositionRange } from './parse-error.ts';
import type { ValueType } from './value-type.ts';

export type AggregateOperator =
  | 'sum'
  | 'avg'
  | 'count'
  | 'min'
  | 'max'
  | 'group'
  | 'stddev'
  | 'stdvar'
  | 'topk'
  | 'bottomk'
  | 'count_values'
  | 'quantile'
  | 'limitk'
  | 'limit_ratio';

export type ArithmeticOperator = '+' | '-' | '*' | '/' | '%' | '^' | 'atan2';
export type ComparisonOperator = '==' | '!=' | '<' | '>' | '<=' | '>=';
export type SetOperator = 'and' | 'or' | 'unless';
/** `</` keeps what lies below a bound of a native histogram, `>/` what lies above. */
export type TrimOperator = '</' | '>/';
export type BinaryOperator = ArithmeticOperator | ComparisonOperator | SetOperator | TrimOperator;

/** The time a selector or subquery is pinned to; `timestamp` is in ms. */
export type AtModifier =
  | { readonly kind: 'timestamp'; readonly timestampMs: number }
  | { readonly kind: 'start' }
  | { readonly kind: 'end' };

/**
 * A duration as written: `ms` once known, `expr` when it was more than a literal. Expressions
 * are worked out with the query's times; until `resolveDurations` has run, `ms` of such a duration is 0.
 */
export type DurationValue = { readonly ms: number; readonly expr: DurationExpr | null };

export type DurationExpr =
  | {
      readonly kind: 'duration-literal';
      readonly seconds: number;
      readonly isDuration: boolean;
      readonly range: PositionRange;
    }
  | {
      readonly kind: 'duration-variable';
      readonly name: 'step' | 'range';
      readonly range: PositionRange;
    }
  | {
      readonly kind: 'duration-unary';
      readonly operator: '+' | '-';
      readonly operand: DurationExpr;
      readonly range: PositionRange;
    }
  | {
      readonly kind: 'duration-binary';
      readonly operator: '+' | '-' | '*' | '/' | '%' | '^' | 'min_of' | 'max_of';
      readonly left: DurationExpr;
      readonly right: DurationExpr;
      /** Of the operator, for errors. */
      readonly operatorRange: PositionRange;
      readonly range: PositionRange;
    }
  | {
      readonly kind: 'duration-parentheses';
      readonly inner: DurationExpr;
      readonly range: PositionRange;
    };

export type NumberLiteral = {
  readonly kind: 'number';
  readonly value: number;
  /** Written as a duration (`5m`); the value is in seconds. */
  readonly isDuration: boolean;
  readonly range: PositionRange;
};

export type StringLiteral = {
  readonly kind: 'string';
  readonly value: string;
  readonly range: PositionRange;
};

export type VectorSelector = {
  readonly kind: 'vector-selector';
  /** The name before the braces or quoted inside them; empty when there is none. */
  readonly name: string;
  /** All conditions, that on the name included. */
  readonly matchers: readonly Matcher[];
  readonly offset: DurationValue | null;
  readonly at: AtModifier | null;
  readonly anchored: boolean;
  readonly smoothed: boolean;
  readonly range: PositionRange;
};

export type MatrixSelector = {
  readonly kind: 'matrix-selector';
  /** Carries offset, @ and the extended modifiers of the whole. */
  readonly selector: VectorSelector;
  readonly window: DurationValue;
  readonly range: PositionRange;
};

export type SubqueryExpr = {
  readonly kind: 'subquery';
  readonly expr: Expr;
  readonly window: DurationValue;
  /** Null: the engine's default interval. */
  readonly step: DurationValue | null;
  readonly offset: DurationValue | null;
  readonly at: AtModifier | null;
  readonly range: PositionRange;
};

export type AggregateExpr = {
  readonly kind: 'aggregate';
  readonly operator: AggregateOperator;
  readonly expr: Expr;
  readonly parameter: Expr | null;
  readonly grouping: readonly string[];
  readonly without: boolean;
  readonly range: PositionRange;
};

export type MatchCardinality = 'one-to-one' | 'many-to-one' | 'one-to-many' | 'many-to-many';

/** How series of two vectors find each other. */
export type VectorMatching = {
  readonly cardinality: MatchCardinality;
  readonly labels: readonly string[];
  /** True: match on these labels; false: on all but these. */
  readonly on: boolean;
  /** Labels of the "one" side that are copied, from group_left and group_right. */
  readonly include: readonly string[];
  /** Values that stand for a missing series of either side. */
  readonly fillLeft: number | null;
  readonly fillRight: number | null;
};

export type BinaryExpr = {
  readonly kind: 'binary';
  readonly operator: BinaryOperator;
  readonly left: Expr;
  readonly right: Expr;
  readonly bool: boolean;
  /** Null unless both sides are vectors. */
  readonly matching: VectorMatching | null;
  readonly range: PositionRange;
};

export type CallExpr = {
  readonly kind: 'call';
  readonly signature: FunctionSignature;
  readonly args: readonly Expr[];
  readonly range: PositionRange;
};

export type UnaryExpr = {
  readonly kind: 'unary';
  readonly operator: '+' | '-';
  readonly expr: Expr;
  readonly range: PositionRange;
};

export type ParenthesesExpr = {
  readonly kind: 'parentheses';
  readonly expr: Expr;
  readonly range: PositionRange;
};

/** A node of a parsed query; immutable. */
export type Expr =
  | NumberLiteral
  | StringLiteral
  | VectorSelector
  | MatrixSelector
  | SubqueryExpr
  | AggregateExpr
  | BinaryExpr
  | CallExpr
  | UnaryExpr
  | ParenthesesExpr;

/** The type of the value that an expression gives. */
export function typeOf(expr: Expr): ValueType {
  switch (expr.kind) {
    case 'number':
      return 'scalar';
    case 'string':
      return 'string';
    case 'vector-selector':
    case 'aggregate':
      return 'vector';
    case 'matrix-selector':
    case 'subquery':
      return 'matrix';
    case 'binary':
      return typeOf(expr.left) === 'scalar' && typeOf(expr.right) === 'scalar'
        ? 'scalar'
        : 'vector';
    case 'call':
      return expr.signature.returns;
    case 'unary':
    case 'parentheses':
      return typeOf(expr.expr);
  }
}

export const COMPARISON_OPERATORS: ReadonlySet<string> = new Set([
  '==',
  '!=',
  '<',
  '>',
  '<=',
  '>=',
]);
export const SET_OPERATORS: ReadonlySet<string> = new Set(['and', 'or', 'unless']);

export function isComparison(operator: BinaryOperator): operator is ComparisonOperator {
  return COMPARISON_OPERATORS.has(operator);
}

export function isSetOperator(operator: BinaryOperator): operator is SetOperator {
  return SET_OPERATORS.has(operator);
}

/** Aggregations that take a parameter before the vector. */
export const PARAMETER_AGGREGATORS: ReadonlySet<AggregateOperator> = new Set([
  'topk',
  'bottomk',
  'count_values',
  'quantile',
  'limitk',
  'limit_ratio',
] as const);
