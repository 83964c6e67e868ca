import { mapChildren } from '../map-children.ts';
import type { PlanNode } from '../nodes.ts';

/** Functions whose value depends on the step even when all they read is pinned. */
const STEP_DEPENDENT: ReadonlySet<string> = new Set([
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
  'timestamp',
  'start',
  'end',
  'range',
  'step',
]);

/** Wraps the largest subtrees that @ pins, so that they are evaluated for one step and repeated. */
export function hoistStepInvariants(node: PlanNode): PlanNode {
  if (isConstant(node)) return node;
  if (isInvariant(node)) return { kind: 'step-invariant', child: node };
  return mapChildren(node, hoistStepInvariants);
}

function isConstant(node: PlanNode): boolean {
  return node.kind === 'number' || node.kind === 'string' || node.kind === 'step-invariant';
}

function isInvariant(node: PlanNode): boolean {
  switch (node.kind) {
    case 'number':
    case 'string':
    case 'step-invariant':
      return true;
    case 'vector-select':
      return node.shift.atMs !== null;
    case 'range-call':
      return (
        node.source.shift.atMs !== null &&
        !STEP_DEPENDENT.has(node.func) &&
        node.args.every(isInvariant)
      );
    case 'call':
      return !STEP_DEPENDENT.has(node.func) && node.args.every(isInvariant);
    case 'aggregate':
      return isInvariant(node.child) && (node.parameter === null || isInvariant(node.parameter));
    case 'binary':
      return isInvariant(node.left) && isInvariant(node.right);
    case 'negate':
      return isInvariant(node.child);
  }
}
