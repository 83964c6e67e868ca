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

/**
 * Marks selectors whose histograms are reduced to count and sum. Prometheus does not keep their buckets, so it tells resets
 * while it reads, which shows in hints and annotations. Subqueries are left alone.
 */
export function markCountsOnly(node: PlanNode): PlanNode {
  return mark(node, false);
}

function mark(node: PlanNode, countsOnly: boolean): PlanNode {
  if (node.kind === 'vector-select') return countsOnly ? { ...node, countsOnly } : node;
  if (node.kind === 'range-call') {
    const { source } = node;
    const args = node.args.map((arg) => mark(arg, false));
    if (source.kind === 'subquery' || !countsOnly) return { ...node, args };
    return { ...node, source: { ...source, countsOnly }, args };
  }
  let below = countsOnly;
  if (node.kind === 'call' && READS_COUNTS.has(node.func)) below = true;
  if (node.kind === 'call' && READS_BUCKETS.has(node.func)) below = false;
  return mapChildren(node, (child) => mark(child, below));
}
