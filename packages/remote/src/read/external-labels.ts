import type { Labels } from '@pollux/model';

/** A series' labels without those that remote read has added: an external label of another value is the series' own. */
export function withoutExternal(labels: Labels, external: Labels): Labels {
  if (external.isEmpty) return labels;
  const added = new Set<string>();
  for (const [name, value] of external) if (labels.get(name) === value) added.add(name);
  return added.size === 0 ? labels : labels.drop(added);
}
