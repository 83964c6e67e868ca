import { type Labels, LabelsBuilder, type Matcher } from '@pollux/model';

/** Between the values of several replica labels; no label value of a sane setup holds it. */
const JOINT = '\u001f';

/**
 * Splits the replica off a label set: what is left names the series, the replica names the copy. With several replica
 * labels the replica is their values in the configured order; a series with none of them has the empty replica.
 */
export function splitReplicaLabels(
  labels: Labels,
  replicaLabels: readonly string[],
): { readonly labels: Labels; readonly replica: string } {
  if (!replicaLabels.some((name) => labels.has(name))) return { labels, replica: '' };
  const builder = new LabelsBuilder(labels);
  for (const name of replicaLabels) builder.delete(name);
  return {
    labels: builder.build(),
    replica: replicaOfValues(replicaLabels.map((name) => labels.get(name))),
  };
}

/** The replica that the values of the replica labels name, in the configured order, empty where there is none. */
export function replicaOfValues(values: readonly string[]): string {
  return values.join(JOINT);
}

/**
 * Splits the replica off a selector. An equality matcher on a replica label says which copy is preferred and filters
 * nothing: a server that reads its own history back adds its external labels as matchers, and must be answered from the
 * other copy where its own has a hole. The preference is null unless every replica label has such a matcher. Other
 * operators on a replica label stay: they see a label that no series has.
 */
export function splitReplica(
  matchers: readonly Matcher[],
  replicaLabels: readonly string[],
): { readonly matchers: readonly Matcher[]; readonly preferredReplica: string | null } {
  const isPreference = (matcher: Matcher): boolean =>
    matcher.operator === '=' && replicaLabels.includes(matcher.name);
  const preferences = matchers.filter(isPreference);
  if (preferences.length === 0) return { matchers, preferredReplica: null };
  const values = replicaLabels.map((name) => preferences.find((m) => m.name === name)?.value ?? '');
  return {
    matchers: matchers.filter((matcher) => !isPreference(matcher)),
    preferredReplica: values.includes('') ? null : values.join(JOINT),
  };
}
