import type { AlertGroup, GettableAlert } from '@pollux/api-types';

export type ShownGroup = {
  readonly key: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Null where the viewer groups: such a group is nobody's. */
  readonly receiver: string | null;
  readonly alerts: readonly GettableAlert[];
};

/** The groups as they are notified, or by the labels that the viewer names. */
export function shownGroups(
  groups: readonly AlertGroup[],
  by: readonly string[] | null,
): readonly ShownGroup[] {
  if (by === null) {
    return groups.map(({ labels, receiver, alerts }, index) => ({
      // Two routes to one receiver may have groups of equal labels.
      key: JSON.stringify([receiver.name, labels, index]),
      labels,
      receiver: receiver.name,
      alerts,
    }));
  }
  const found = new Map<string, { labels: Record<string, string>; alerts: GettableAlert[] }>();
  // An alert is in a group for each receiver that gets it.
  const met = new Set<string>();
  for (const alert of groups.flatMap((group) => group.alerts)) {
    if (met.has(alert.fingerprint)) continue;
    met.add(alert.fingerprint);
    const labels: Record<string, string> = {};
    for (const name of by) labels[name] = alert.labels[name] ?? '';
    const key = JSON.stringify(labels);
    const group = found.get(key) ?? { labels, alerts: [] };
    group.alerts.push(alert);
    found.set(key, group);
  }
  return [...found].map(([key, group]) => ({ key, receiver: null, ...group }));
}
