import { scalarResult } from '../../functions/binary-scalar.ts';
import { mapChildren } from '../map-children.ts';
import type { PlanNode } from '../nodes.ts';

/** Works out arithmetic between numbers once. */
export function foldConstants(node: PlanNode): PlanNode {
  const folded = mapChildren(node, foldConstants);
  if (folded.kind === 'negate' && folded.child.kind === 'number')
    return { ...folded.child, value: -folded.child.value };
  if (folded.kind === 'binary' && folded.left.kind === 'number' && folded.right.kind === 'number') {
    const value = scalarResult(folded.operator, folded.left.value, folded.right.value);
    const left = Math.max(1, folded.left.heldSamples);
    const right = Math.max(1, folded.right.heldSamples);
    // Both numbers, both once more as operands, and the result.
    return { kind: 'number', value, heldSamples: Math.max(left, 1 + right, 5) };
  }
  return folded;
}
