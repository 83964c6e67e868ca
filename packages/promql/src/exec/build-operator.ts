import { unreachable } from '@pollux/base';
import { QueryError } from '../errors.ts';
import { scalarResult } from '../functions/binary-scalar.ts';
import { isSetOperator } from '../parser/ast.ts';
import type { BinaryNode, PlanNode } from '../plan/nodes.ts';
import { hasPinnedName } from '../plan/pinned-name.ts';
import { AbsentOverTime } from './absent.ts';
import { Aggregate } from './aggregate/aggregate.ts';
import { SetBinary } from './binary/set-binary.ts';
import { VectorBinary } from './binary/vector-binary.ts';
import { VectorScalar } from './binary/vector-scalar.ts';
import { buildCall } from './build-call.ts';
import type { ExecContext } from './context.ts';
import { BATCH_STEPS, type StepGrid } from './grid.ts';
import { HeldSteps } from './held-steps.ts';
import { MapSeries } from './map-series.ts';
import { mergeEqual } from './merge-equal.ts';
import { Negate } from './negate.ts';
import { OneBatch } from './one-batch.ts';
import type { BlockOperator, Operator } from './operator.ts';
import { RangeCall } from './range-call.ts';
import { ScalarOfTime, ScalarOfTwo } from './scalar-operators.ts';
import { SelectVector } from './select-vector.ts';
import { StepInvariant } from './step-invariant.ts';
import { Tallied } from './tallied.ts';

/** The one place where plan nodes become operators. */
export function buildOperator(node: PlanNode, grid: StepGrid, context: ExecContext): Operator {
  const tally = context.held.open(node, grid);
  return new Tallied(operatorOf(node, grid, context), tally, context.held);
}

function operatorOf(node: PlanNode, grid: StepGrid, context: ExecContext): Operator {
  switch (node.kind) {
    case 'number':
      return new ScalarOfTime(grid, () => node.value);
    case 'string':
      throw QueryError.execution('a string can only be an argument of a function');
    case 'vector-select':
      // timestamp() of a selector takes the name away like any other function.
      return node.mode === 'value'
        ? inBlocks(new SelectVector(node, grid, context), grid, context)
        : mergeEqual(new SelectVector(node, grid, context), context);
    case 'range-call':
      if (node.func === 'absent_over_time') return new AbsentOverTime(node, grid, context);
      return node.source.kind === 'matrix-select' &&
        hasPinnedName(node.source.selector) &&
        !context.options.typeAndUnitLabels
        ? inBlocks(new RangeCall(node, grid, context), grid, context)
        : mergeEqual(inBlocks(new RangeCall(node, grid, context), grid, context), context);
    case 'call':
      return buildCall(node, grid, context);
    case 'aggregate':
      return new Aggregate(node, grid, context);
    case 'binary':
      return buildBinary(node, grid, context);
    case 'negate':
      return mergeEqual(
        new Negate(buildOperator(node.child, grid, context), node.isScalar, context),
        context,
      );
    case 'step-invariant': {
      const once = { ...grid, count: Math.min(1, grid.count), isPinned: true };
      context.counts.once(once, grid);
      return new StepInvariant(buildOperator(node.child, once, context), grid);
    }
    default:
      return unreachable(node);
  }
}

/** The operator block by block, so that its results are held and not its samples. */
function inBlocks(operator: BlockOperator, grid: StepGrid, context: ExecContext): Operator {
  if (!operator.hasBlocks || grid.count === 0) return operator;
  return grid.count <= BATCH_STEPS
    ? new OneBatch(operator, grid.count, context)
    : new HeldSteps(operator, grid, context);
}

function buildBinary(node: BinaryNode, grid: StepGrid, context: ExecContext): Operator {
  const left = buildOperator(node.left, grid, context);
  const right = buildOperator(node.right, grid, context);
  if (node.leftType === 'scalar' && node.rightType === 'scalar')
    return new ScalarOfTwo(left, right, (a, b) => scalarResult(node.operator, a, b));
  if (node.leftType === 'scalar' || node.rightType === 'scalar')
    return mergeEqual(new VectorScalar(node, left, right, context), context);
  if (isSetOperator(node.operator)) {
    const operator = new SetBinary(node, left, right);
    // The two sides of `or` may have equal series, of which one takes over where the other has no sample.
    return node.operator === 'or' ? new MapSeries(operator, (info) => info) : operator;
  }
  return new VectorBinary(node, { left, right, grid, context });
}
