import type { PlanNode } from '../plan/nodes.ts';

const CHANGES_LABELS: ReadonlySet<string> = new Set(['label_replace', 'label_join']);

/**
 * True when all that a node gives has been counted under the limit of samples already: selectors, functions over windows and count_values
 * count what they give, and signs and labels are changed in place, as in Prometheus.
 */
export function isOutputCounted(node: PlanNode): boolean {
  switch (node.kind) {
    case 'vector-select':
      return true;
    case 'range-call':
      return node.func !== 'absent_over_time';
    case 'aggregate':
      return node.operator === 'count_values';
    case 'negate':
      return isOutputCounted(node.child);
    case 'call':
      return CHANGES_LABELS.has(node.func) && isOutputCounted(node.args[0]!);
    default:
      return false;
  }
}
