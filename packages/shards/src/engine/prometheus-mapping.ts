import { type Labels, METRIC_NAME } from '@pollux/model';

/** InfluxDB's names for Prometheus' data. */
export const VALUE_FIELD = 'value';
const NAMELESS = 'prom_metric_not_specified';

/** The measurement of a label set; every label, the name included, stays a tag, as InfluxDB 1.8 does it. */
export function measurementOf(labels: Labels): string {
  return labels.metricName === '' ? NAMELESS : labels.metricName;
}

/** The label set of a series: data from line protocol gets its measurement as name. */
export function labelsOf(measurement: string, tags: Labels): Labels {
  if (measurement === NAMELESS || tags.has(METRIC_NAME)) return tags;
  return tags.with(METRIC_NAME, measurement);
}

/** Takes the replica labels off; the replica is their values, in the order of the names, joined by a slash. */
export function splitReplica(
  labels: Labels,
  replicaLabels: ReadonlySet<string>,
): { readonly labels: Labels; readonly replica: string } {
  const values: string[] = [];
  for (const name of replicaLabels) if (labels.has(name)) values.push(labels.get(name));
  if (values.length === 0) return { labels, replica: '' };
  return { labels: labels.drop(replicaLabels), replica: values.join('/') };
}
