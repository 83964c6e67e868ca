import { formatFloat, type Matcher } from '@pollux/model';
import type {
  AtModifier,
  BinaryExpr,
  DurationValue,
  Expr,
  FunctionSignature,
  VectorSelector,
} from '@pollux/promql/parser';

/** The syntax tree as /api/v1/parse_query gives it; durations in ms. */
export function encodeExpr(expr: Expr): unknown {
  switch (expr.kind) {
    case 'number':
      return { type: 'numberLiteral', val: formatFloat(expr.value) };
    case 'string':
      return { type: 'stringLiteral', val: expr.value };
    case 'parentheses':
      return { type: 'parenExpr', expr: encodeExpr(expr.expr) };
    case 'unary':
      return { type: 'unaryExpr', op: expr.operator, expr: encodeExpr(expr.expr) };
    case 'vector-selector':
      return { type: 'vectorSelector', ...selectorJson(expr) };
    case 'matrix-selector':
      return { type: 'matrixSelector', ...selectorJson(expr.selector), range: expr.window.ms };
    case 'subquery':
      return {
        type: 'subquery',
        expr: encodeExpr(expr.expr),
        range: expr.window.ms,
        offset: durationMs(expr.offset),
        step: durationMs(expr.step),
        ...atJson(expr.at),
      };
    case 'aggregate':
      return {
        type: 'aggregation',
        op: expr.operator,
        expr: encodeExpr(expr.expr),
        param: expr.parameter === null ? null : encodeExpr(expr.parameter),
        grouping: expr.grouping,
        without: expr.without,
      };
    case 'call':
      return {
        type: 'call',
        func: functionJson(expr.signature),
        args: expr.args.map(encodeExpr),
      };
    case 'binary':
      return {
        type: 'binaryExpr',
        op: expr.operator,
        lhs: encodeExpr(expr.left),
        rhs: encodeExpr(expr.right),
        matching: matchingJson(expr),
        bool: expr.bool,
      };
  }
}

function selectorJson(selector: VectorSelector): object {
  return {
    name: selector.name,
    offset: durationMs(selector.offset),
    matchers: selector.matchers.map(matcherJson),
    ...atJson(selector.at),
    anchored: selector.anchored,
    smoothed: selector.smoothed,
  };
}

function matcherJson({ name, operator, value }: Matcher): object {
  return { name, type: operator, value };
}

function atJson(at: AtModifier | null): object {
  return {
    timestamp: at?.kind === 'timestamp' ? at.timestampMs : null,
    startOrEnd: at === null || at.kind === 'timestamp' ? null : at.kind,
  };
}

function functionJson(signature: FunctionSignature): object {
  return {
    name: signature.name,
    argTypes: signature.args,
    variadic: signature.variadic,
    returnType: signature.returns,
  };
}

function matchingJson({ matching }: BinaryExpr): object | null {
  if (matching === null) return null;
  return {
    card: matching.cardinality,
    labels: matching.labels,
    on: matching.on,
    include: matching.include,
    fillValues: { lhs: matching.fillLeft, rhs: matching.fillRight },
  };
}

function durationMs(value: DurationValue | null): number {
  return value?.ms ?? 0;
}
