import type { Matcher } from '@pollux/model';
import type {
  AtModifier,
  BinaryExpr,
  DurationExpr,
  DurationValue,
  Expr,
  FunctionSignature,
  VectorSelector,
} from '@pollux/promql/parser';
import { printNumber } from '@pollux/promql/parser';

/** The syntax tree as /api/v1/parse_query gives it; durations in ms. */
export function encodeExpr(expr: Expr): unknown {
  switch (expr.kind) {
    case 'number':
      return { type: 'numberLiteral', val: printNumber(expr.value) };
    case 'string':
      return { type: 'stringLiteral', val: expr.value };
    case 'parentheses':
      return { type: 'parenExpr', expr: encodeExpr(expr.expr) };
    case 'unary':
      return { type: 'unaryExpr', op: expr.operator, expr: encodeExpr(expr.expr) };
    case 'vector-selector':
      return { type: 'vectorSelector', ...selectorJson(expr) };
    case 'matrix-selector':
      return {
        type: 'matrixSelector',
        ...selectorJson(expr.selector),
        ...durationJson('range', expr.window),
      };
    case 'subquery':
      return {
        type: 'subquery',
        expr: encodeExpr(expr.expr),
        ...durationJson('range', expr.window),
        ...durationJson('offset', expr.offset),
        ...durationJson('step', expr.step),
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
    ...durationJson('offset', selector.offset),
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

/** A duration under its name in ms, 0 where it is worked out only with the query; beside it the expression, if it is one. */
function durationJson(name: string, value: DurationValue | null): object {
  const expr = value?.expr ?? null;
  return {
    [name]: expr === null ? (value?.ms ?? 0) : 0,
    [`${name}Expr`]: expr === null ? null : durationExprJson(expr, false),
  };
}

/** `wrapped`: in parentheses, which are no node of their own. */
function durationExprJson(expr: DurationExpr, wrapped: boolean): object {
  const node = (op: string, lhs: DurationExpr | null, rhs: DurationExpr | null): object => ({
    type: 'durationExpr',
    op,
    lhs: lhs === null ? null : durationExprJson(lhs, false),
    rhs: rhs === null ? null : durationExprJson(rhs, false),
    wrapped,
  });
  switch (expr.kind) {
    case 'duration-literal':
      return { type: 'numberLiteral', val: printNumber(expr.seconds), duration: expr.isDuration };
    case 'duration-variable':
      return node(expr.name, null, null);
    case 'duration-unary':
      return node(expr.operator, null, expr.operand);
    case 'duration-binary':
      return node(expr.operator, expr.left, expr.right);
    case 'duration-parentheses':
      // A number in parentheses stands behind a plus, so that there is a node to carry them.
      return expr.inner.kind === 'duration-literal'
        ? durationExprJson(
            { kind: 'duration-unary', operator: '+', operand: expr.inner, range: expr.range },
            true,
          )
        : durationExprJson(expr.inner, true);
  }
}
