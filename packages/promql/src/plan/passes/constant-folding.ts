import { scalarResult } from '../../functions/binary-scalar.ts';
import { mapChildren } from '../map-children.ts';
import type { PlanNode } from '../nodes.ts';

/** Works out arithmetic between numbers once. */
export function foldConstants(node: PlanNode): PlanNode {
  const folded = mapChildren(node, foldConstants);
  if (folded.kind === 'negate' && folded.child.kind === 'number')
    return { kind: 'number', value: -folded.child.value };
  if (folded.kind === 'binary' && folded.left.kind === 'number' && folded.right.kind === 'number') {
    const value = scalarResult(folded.operator, folded.left.value, folded.right.value);
    return { kind: 'number', value };
  }
  return folded;
}
