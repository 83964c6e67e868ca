import { mapChildren } from '../map-children.ts';
import type { PlanNode } from '../nodes.ts';

/** Drops conditions that every series meets, so that storage does not walk a label's values for them. */
export function pruneMatchers(node: PlanNode): PlanNode {
  if (node.kind === 'vector-select')
    return { ...node, selector: { ...node.selector, matchers: prune(node.selector.matchers) } };
  if (node.kind === 'range-call' && node.source.kind === 'matrix-select') {
    const { source } = node;
    const selector = { ...source.selector, matchers: prune(source.selector.matchers) };
    return {
      ...node,
      source: { ...source, selector },
      args: node.args.map(pruneMatchers),
    };
  }
  return mapChildren(node, pruneMatchers);
}

function prune<M extends { readonly operator: string; readonly value: string }>(
  matchers: readonly M[],
): readonly M[] {
  return matchers.filter((matcher) => !(matcher.operator === '=~' && matcher.value === '.*'));
}
