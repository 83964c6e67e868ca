import { type Labels, METRIC_NAME } from '@pollux/model';

/** InfluxDB's names for Prometheus' data. */
export const VALUE_FIELD = 'value';
/** Of ours: native histograms, as JSON. */
export const HISTOGRAM_FIELD = 'native_histogram';
/** Of ours: exemplars, as JSON. */
export const EXEMPLAR_FIELD = 'exemplar';
export const NAMELESS = 'prom_metric_not_specified';

/** The measurement of a label set; every label, the name included, stays a tag, as InfluxDB 1.8 does it. */
export function measurementOf(labels: Labels): string {
  return labels.metricName === '' ? NAMELESS : labels.metricName;
}

/** The label set of a series: data from line protocol gets its measurement as name. */
export function labelsOf(measurement: string, tags: Labels): Labels {
  if (measurement === NAMELESS || tags.has(METRIC_NAME)) return tags;
  return tags.with(METRIC_NAME, measurement);
}
