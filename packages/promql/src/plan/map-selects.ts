import { mapChildren } from './map-children.ts';
import type { MatrixSelectNode, PlanNode, VectorSelectNode } from './nodes.ts';

/** A node that reads samples from storage. */
export type SelectNode = VectorSelectNode | MatrixSelectNode;

/** The tree with each selector in it, of subqueries too, replaced by what `map` gives for it, in the order of the query. */
export function mapSelects(node: PlanNode, map: (select: SelectNode) => SelectNode): PlanNode {
  if (node.kind === 'vector-select') return map(node) as VectorSelectNode;
  const mapped = mapChildren(node, (child) => mapSelects(child, map));
  if (mapped.kind !== 'range-call' || mapped.source.kind === 'subquery') return mapped;
  return { ...mapped, source: map(mapped.source) as MatrixSelectNode };
}
