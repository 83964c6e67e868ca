import type { PlanNode, RangeNode } from './nodes.ts';

/** The node with each child replaced by what `map` gives for it. */
export function mapChildren(node: PlanNode, map: (child: PlanNode) => PlanNode): PlanNode {
  switch (node.kind) {
    case 'number':
    case 'string':
    case 'vector-select':
      return node;
    case 'range-call':
      return { ...node, source: mapSource(node.source, map), args: node.args.map(map) };
    case 'call':
      return { ...node, args: node.args.map(map) };
    case 'aggregate':
      return {
        ...node,
        child: map(node.child),
        parameter: node.parameter === null ? null : map(node.parameter),
      };
    case 'binary':
      return { ...node, left: map(node.left), right: map(node.right) };
    case 'negate':
    case 'step-invariant':
      return { ...node, child: map(node.child) };
  }
}

function mapSource(source: RangeNode, map: (child: PlanNode) => PlanNode): RangeNode {
  return source.kind === 'subquery' ? { ...source, child: map(source.child) } : source;
}
