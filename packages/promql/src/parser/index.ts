export {
  type AggregateExpr,
  type AggregateOperator,
  type ArithmeticOperator,
  type AtModifier,
  type BinaryExpr,
  type BinaryOperator,
  type CallExpr,
  type ComparisonOperator,
  type DurationExpr,
  type DurationValue,
  type Expr,
  isComparison,
  isSetOperator,
  type MatchCardinality,
  type MatrixSelector,
  type NumberLiteral,
  type ParenthesesExpr,
  type SetOperator,
  type StringLiteral,
  type SubqueryExpr,
  type TrimOperator,
  typeOf,
  type UnaryExpr,
  type VectorMatching,
  type VectorSelector,
} from './ast.ts';
export { type QueryTimes, resolveDurations } from './duration-expr.ts';
export { FUNCTIONS, type FunctionSignature } from './functions.ts';
export { lineAndColumn, ParseError, type PositionRange } from './parse-error.ts';
export { ParsedQueries } from './parsed-queries.ts';
export { type ParserOptions, parseExpr, parseSeriesSelector } from './parser.ts';
export { isIndependentOfQueryTimes, pinSelectors } from './pin-selectors.ts';
export { printExpr, printNumber } from './printer.ts';
export {
  type MovingWindow,
  type SelectorSpan,
  type Span,
  type StepWindow,
  stepWindow,
  type TimeSpan,
  type TimeSpanOptions,
  timeSpan,
} from './time-span.ts';
export { documentedType, type ValueType } from './value-type.ts';
export { childrenOf, walk } from './walk.ts';
