import { mapChildren } from '../map-children.ts';
import type { SelectNode } from '../map-selects.ts';
import type { PlanNode } from '../nodes.ts';

/**
 * Marks selectors whose windows leave time between them (a range of 5 m every hour), so that storage need not read what no
 * window looks at. `stepMs` is the distance of the evaluated steps, 0 for one step. Runs behind the hoisting of what is the same at
 * every step.
 */
export function narrowTimes(node: PlanNode, stepMs: number, lookbackMs: number): PlanNode {
  switch (node.kind) {
    case 'step-invariant':
      return { ...node, child: narrowTimes(node.child, 0, lookbackMs) };
    case 'vector-select':
      return stepMs > lookbackMs && isNarrowable(node) ? { ...node, isSparse: true } : node;
    case 'range-call': {
      const { source } = node;
      const args = node.args.map((arg) => narrowTimes(arg, stepMs, lookbackMs));
      if (source.kind === 'subquery') {
        const child = narrowTimes(source.child, source.stepMs, lookbackMs);
        return { ...node, args, source: { ...source, child } };
      }
      const isSparse = stepMs > source.windowMs && isNarrowable(source);
      return { ...node, args, source: { ...source, isSparse } };
    }
    default:
      return mapChildren(node, (child) => narrowTimes(child, stepMs, lookbackMs));
  }
}

/**
 * Extended selectors look beyond their windows, pinned ones have only one. Of counts without buckets, what is said of resets comes from
 * the samples before.
 */
function isNarrowable({ selector, shift, countsOnly }: SelectNode): boolean {
  return !selector.anchored && !selector.smoothed && shift.atMs === null && !countsOnly;
}
