import { mapChildren } from '../map-children.ts';
import type { PlanNode } from '../nodes.ts';

/** Functions that look at the count or sum of a histogram only. */
const READS_COUNTS: ReadonlySet<string> = new Set([
  'histogram_count',
  'histogram_sum',
  'histogram_avg',
]);
/** Functions that need the buckets. */
const READS_BUCKETS: ReadonlySet<string> = new Set([
  'histogram_quantile',
  'histogram_quantiles',
  'histogram_fraction',
  'histogram_stddev',
  'histogram_stdvar',
]);

/** What is known above a node: nothing yet, that counts alone are read, or that buckets are, whatever stands below. */
type Reads = 'anything' | 'counts' | 'buckets';

/**
 * Marks selectors whose histograms are reduced to count and sum. Prometheus does not keep their buckets, so it tells resets
 * while it reads, and does not see bounds, which shows in hints and annotations. Subqueries are left alone.
 */
export function markCountsOnly(node: PlanNode): PlanNode {
  return mark(node, 'anything');
}

function mark(node: PlanNode, reads: Reads): PlanNode {
  const countsOnly = reads === 'counts';
  if (node.kind === 'vector-select') return countsOnly ? { ...node, countsOnly } : node;
  if (node.kind === 'range-call') {
    const { source } = node;
    const args = node.args.map((arg) => mark(arg, 'buckets'));
    if (source.kind === 'subquery' || !countsOnly) return { ...node, args };
    return { ...node, source: { ...source, countsOnly }, args };
  }
  const below = reads === 'buckets' ? reads : (readsOf(node) ?? reads);
  return mapChildren(node, (child) => mark(child, below));
}

function readsOf(node: PlanNode): Reads | null {
  if (node.kind === 'binary') return isTrim(node.operator) ? 'buckets' : null;
  if (node.kind !== 'call') return null;
  if (READS_COUNTS.has(node.func)) return 'counts';
  return READS_BUCKETS.has(node.func) ? 'buckets' : null;
}

/** Which buckets are cut depends on their bounds. */
function isTrim(operator: string): boolean {
  return operator === '</' || operator === '>/';
}
