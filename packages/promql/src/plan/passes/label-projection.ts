import { METRIC_NAME } from '@pollux/model';
import type { LabelProjection } from '@pollux/storage';
import type { AggregateOperator } from '../../parser/ast.ts';
import { mapChildren } from '../map-children.ts';
import type { AggregateNode, PlanNode } from '../nodes.ts';
import { hasPinnedName } from '../pinned-name.ts';

/** What these give for a group does not depend on the other labels of its series. */
const REDUCTIONS: ReadonlySet<AggregateOperator> = new Set([
  ...(['sum', 'avg', 'count', 'min', 'max', 'group', 'stddev', 'stdvar'] as const),
  ...(['quantile', 'count_values'] as const),
]);

/** Remarks name the metric, and tell by its type whether it is a counter. */
const TOLD_IN_REMARKS = [METRIC_NAME, '__type__', '__unit__'] as const;

/**
 * Tells the selector right below an aggregation which labels are looked at, so that the others need not be handed from thread
 * to thread. Only where nothing between compares label sets: series that differ in a label left out look equal.
 */
export function projectLabels(node: PlanNode): PlanNode {
  const mapped = mapChildren(node, projectLabels);
  if (mapped.kind !== 'aggregate' || !REDUCTIONS.has(mapped.operator)) return mapped;
  const { child } = mapped;
  const labels = projectionOf(mapped);
  if (labels === null) return mapped;
  if (child.kind === 'vector-select' && child.mode === 'value')
    return { ...mapped, child: { ...child, hint: { ...child.hint, labels } } };
  if (
    child.kind !== 'range-call' ||
    child.source.kind !== 'matrix-select' ||
    child.func === 'absent_over_time' ||
    !hasPinnedName(child.source.selector)
  )
    return mapped;
  const { source } = child;
  const projected = { ...source, hint: { ...source.hint, labels } };
  return { ...mapped, child: { ...child, source: projected } };
}

function projectionOf({ grouping, without }: AggregateNode): LabelProjection | null {
  if (!without)
    return { names: [...new Set([...grouping, ...TOLD_IN_REMARKS])], isExclusion: false };
  const told: readonly string[] = TOLD_IN_REMARKS;
  const names = grouping.filter((name) => !told.includes(name));
  return names.length === 0 ? null : { names, isExclusion: true };
}
