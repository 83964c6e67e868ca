import { unreachable } from '@pollux/base';
import { QueryError } from '../errors.ts';
import {
  type AggregateExpr,
  type AtModifier,
  type CallExpr,
  type DurationValue,
  type Expr,
  type MatrixSelector,
  type SubqueryExpr,
  typeOf,
  type VectorSelector,
} from '../parser/ast.ts';
import type { QueryTimes } from '../parser/duration-expr.ts';
import {
  NO_HINT,
  type Plan,
  type PlanNode,
  type RangeNode,
  type SelectHint,
  type SelectMode,
  type TimeShift,
  type VectorSelectNode,
} from './nodes.ts';
import { foldConstants } from './passes/constant-folding.ts';
import { markCountsOnly } from './passes/counts-only.ts';
import { projectLabels } from './passes/label-projection.ts';
import { propagateMatchers } from './passes/matcher-propagation.ts';
import { pruneMatchers } from './passes/matcher-pruning.ts';
import { mergeSelectors } from './passes/selector-merging.ts';
import { hoistStepInvariants } from './passes/step-invariant-hoisting.ts';
import { narrowTimes } from './passes/time-narrowing.ts';

export type PlanOptions = {
  readonly times: QueryTimes;
  /** Step of subqueries that name none. */
  readonly defaultStepMs: number;
  readonly lookbackMs: number;
  /** Passes to leave out. */
  readonly without: ReadonlySet<OptionalPass>;
};

/** Passes that change how much is read, and nothing else. */
export type OptionalPass =
  | 'matcher-propagation'
  | 'time-narrowing'
  | 'label-projection'
  | 'selector-merging';

/** With `countsAll`, samples are read and counted as Prometheus does, also those of series that can meet nobody. */
export function passesLeftOut(countsAll: boolean): ReadonlySet<OptionalPass> {
  return countsAll ? COUNTING : EVERYTHING;
}

const EVERYTHING: ReadonlySet<OptionalPass> = new Set();
const COUNTING: ReadonlySet<OptionalPass> = new Set(['matcher-propagation']);

/** Turns a checked expression with resolved durations into a plan and runs the passes over it. */
export function buildPlan(expr: Expr, options: PlanOptions): Plan {
  const bare = withoutParentheses(expr);
  if (bare.kind === 'matrix-selector' || bare.kind === 'subquery') {
    const source = rangeNode(bare, NO_HINT, options);
    if (source.kind === 'matrix-select') return { kind: 'matrix', source };
    return {
      kind: 'matrix',
      source: { ...source, child: readLess(source.child, source.stepMs, options) },
    };
  }
  const type = typeOf(expr);
  const node = planNode(expr, NO_HINT, options);
  const root = readLess(optimise(markCountsOnly(node)), options.times.stepMs, options);
  return { kind: 'value', root, type: type as 'scalar' | 'vector' | 'string' };
}

/** All passes but that on counts, in order; the inner query of a subquery, which keeps buckets, goes through them on its own. */
function optimise(node: PlanNode): PlanNode {
  return hoistStepInvariants(pruneMatchers(foldConstants(node)));
}

/** The passes over all of a tree whose root is evaluated every `stepMs`, subqueries included. */
function readLess(root: PlanNode, stepMs: number, options: PlanOptions): PlanNode {
  const { lookbackMs, without } = options;
  const passes: readonly (readonly [OptionalPass, (node: PlanNode) => PlanNode])[] = [
    ['matcher-propagation', propagateMatchers],
    ['time-narrowing', (node) => narrowTimes(node, stepMs, lookbackMs)],
    ['label-projection', projectLabels],
    ['selector-merging', mergeSelectors],
  ];
  let node = root;
  for (const [name, pass] of passes) if (!without.has(name)) node = pass(node);
  return node;
}

function planNode(expr: Expr, hint: SelectHint, options: PlanOptions): PlanNode {
  switch (expr.kind) {
    case 'number':
      return { kind: 'number', value: expr.value, heldSamples: 0 };
    case 'string':
      return { kind: 'string', value: expr.value };
    case 'parentheses':
      return planNode(expr.expr, hint, options);
    case 'vector-selector':
      return selectNode(expr, 'value', hint, options);
    case 'matrix-selector':
    case 'subquery':
      throw QueryError.execution('a range vector can only be an argument of a function');
    case 'unary': {
      const child = planNode(expr.expr, NO_HINT, options);
      if (expr.operator === '+') return child;
      return { kind: 'negate', child, isScalar: typeOf(expr.expr) === 'scalar' };
    }
    case 'binary':
      return {
        kind: 'binary',
        operator: expr.operator,
        left: planNode(expr.left, NO_HINT, options),
        right: planNode(expr.right, NO_HINT, options),
        leftType: typeOf(expr.left) === 'scalar' ? 'scalar' : 'vector',
        rightType: typeOf(expr.right) === 'scalar' ? 'scalar' : 'vector',
        bool: expr.bool,
        matching: expr.matching,
        range: expr.range,
      };
    case 'aggregate':
      return aggregateNode(expr, options);
    case 'call':
      return callNode(expr, options);
    default:
      return unreachable(expr);
  }
}

function aggregateNode(expr: AggregateExpr, options: PlanOptions): PlanNode {
  const hint = { ...NO_HINT, func: expr.operator, grouping: expr.grouping, by: !expr.without };
  return {
    kind: 'aggregate',
    operator: expr.operator,
    child: planNode(expr.expr, hint, options),
    parameter: expr.parameter === null ? null : planNode(expr.parameter, NO_HINT, options),
    grouping: expr.grouping,
    without: expr.without,
    range: expr.range,
    childRange: expr.expr.range,
    parameterRange: expr.parameter?.range ?? null,
  };
}

const NO_PLACE = { start: 0, end: 0 } as const;

function callNode(expr: CallExpr, options: PlanOptions): PlanNode {
  const func = expr.signature.name;
  const hint = { ...NO_HINT, func };
  const rangeIndex = expr.args.findIndex((arg) => typeOf(arg) === 'matrix');
  const argRanges = expr.args.map((arg) => arg.range);
  if (rangeIndex >= 0) {
    const source = withoutParentheses(expr.args[rangeIndex]!);
    if (source.kind !== 'matrix-selector' && source.kind !== 'subquery')
      throw QueryError.execution('a range vector must be a range selector or a subquery');
    checkExtended(source, func);
    // Prometheus puts a selector of no place instead of a subquery, and so tells the beginning of the query.
    const sourceRange = source.kind === 'subquery' ? NO_PLACE : argRanges[rangeIndex]!;
    return {
      kind: 'range-call',
      func,
      source: rangeNode(source, hint, options),
      args: expr.args
        .filter((_, index) => index !== rangeIndex)
        .map((arg) => planNode(arg, NO_HINT, options)),
      range: expr.range,
      argRanges: [sourceRange, ...argRanges.filter((_, index) => index !== rangeIndex)],
    };
  }
  const inner = expr.args.length > 0 ? withoutParentheses(expr.args[0]!) : null;
  // Only a bare selector still knows when its samples were taken.
  if (inner?.kind === 'vector-selector' && (func === 'timestamp' || func === 'start_timestamp')) {
    const mode = func === 'timestamp' ? 'timestamp' : 'start-timestamp';
    return selectNode(inner, mode, hint, options);
  }
  return {
    kind: 'call',
    func,
    args: expr.args.map((arg, index) =>
      // The label matchers of info are no selector to be read.
      func === 'info' && index === 1
        ? ({ kind: 'number', value: 0, heldSamples: 0 } as const)
        : planNode(arg, hint, options),
    ),
    range: expr.range,
    argRanges,
    argExprs: expr.args.map(withoutParentheses),
  };
}

const ANCHORED = ['changes', 'delta', 'increase', 'rate', 'resets'];
const SMOOTHED = ['delta', 'increase', 'rate'];

function checkExtended(source: MatrixSelector | SubqueryExpr, func: string): void {
  if (source.kind !== 'matrix-selector') return;
  const { anchored, smoothed } = source.selector;
  const allowed = anchored ? ANCHORED : SMOOTHED;
  if ((anchored || smoothed) && !allowed.includes(func)) {
    throw QueryError.execution(
      `${anchored ? 'anchored' : 'smoothed'} modifier can only be used with: ${allowed.join(', ')} - not with ${func}`,
    );
  }
}

/** Before the passes. */
const UNCHANGED = { countsOnly: false, isSparse: false, sharing: null } as const;

function selectNode(
  selector: VectorSelector,
  mode: SelectMode,
  hint: SelectHint,
  options: PlanOptions,
): VectorSelectNode {
  const shift = shiftOf(selector.offset, selector.at, options);
  const { range } = selector;
  return { kind: 'vector-select', selector, shift, mode, ...UNCHANGED, hint, range };
}

function rangeNode(
  expr: MatrixSelector | SubqueryExpr,
  hint: SelectHint,
  options: PlanOptions,
): RangeNode {
  if (expr.kind === 'matrix-selector') {
    const { selector } = expr;
    return {
      kind: 'matrix-select',
      selector,
      shift: shiftOf(selector.offset, selector.at, options),
      windowMs: expr.window.ms,
      ...UNCHANGED,
      hint,
      range: expr.range,
    };
  }
  const child = planNode(expr.expr, NO_HINT, options);
  return {
    kind: 'subquery',
    child: optimise(child),
    shift: shiftOf(expr.offset, expr.at, options),
    windowMs: expr.window.ms,
    stepMs: expr.step?.ms ?? options.defaultStepMs,
    range: expr.range,
  };
}

function shiftOf(
  offset: DurationValue | null,
  at: AtModifier | null,
  options: PlanOptions,
): TimeShift {
  const offsetMs = offset?.ms ?? 0;
  if (at === null) return { offsetMs, atMs: null };
  if (at.kind === 'timestamp') return { offsetMs, atMs: at.timestampMs };
  return { offsetMs, atMs: at.kind === 'start' ? options.times.startMs : options.times.endMs };
}

export function withoutParentheses(expr: Expr): Expr {
  let inner = expr;
  while (inner.kind === 'parentheses') inner = inner.expr;
  return inner;
}
