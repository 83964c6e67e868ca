import { type Labels, METRIC_NAME } from '@pollux/model';
import type { VectorMatching } from '../../parser/ast.ts';

/** Makes keys that are equal for series which match each other. */
export function matchKey(matching: VectorMatching): (labels: Labels) => string {
  const names = new Set(matching.labels);
  if (matching.on) return (labels) => labels.keep(names).key();
  names.add(METRIC_NAME);
  return (labels) => labels.drop(names).key();
}

/** The labels that two series matched on, for messages. */
export function matchedLabels(matching: VectorMatching, labels: Labels): Labels {
  const names = new Set(matching.labels);
  if (matching.on) return labels.keep(names);
  names.add(METRIC_NAME);
  return labels.drop(names);
}
