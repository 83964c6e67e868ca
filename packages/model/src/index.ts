export { DurationError, formatDuration, parseDuration } from './duration.ts';
export {
  type CounterResetHint,
  CUSTOM_BUCKETS_SCHEMA,
  type FloatHistogram,
  type Span,
} from './histogram/histogram.ts';
export { histogramFault } from './histogram/validate.ts';
export { unescapeLabelName } from './labels/escaped-name.ts';
export { Fnv64, fingerprint, fnv1a64, hash32, hashableBytes } from './labels/hash.ts';
export {
  ALERT_NAME,
  BUCKET_LABEL,
  compareText,
  INSTANCE_LABEL,
  isLegacyLabelName,
  isLegacyMetricName,
  JOB_LABEL,
  Labels,
  LabelsBuilder,
  METRIC_NAME,
  quoteText,
} from './labels/labels.ts';
export { xxh64 } from './labels/xxh64.ts';
export { type LabelValues, Matcher, type MatchOperator, matchesAll } from './matcher.ts';
export { formatFloat, formatFloatExponent, parseFloatText } from './number-format.ts';
export { compileRe2, Pattern, PatternError } from './pattern.ts';
export {
  expandTemplate,
  type RelabelAction,
  type RelabelSettings,
  type RelabelStep,
  relabel,
  relabelStep,
} from './relabel/relabel.ts';
export { replaceAllRe2 } from './replace-all.ts';
export type { Exemplar, Metadata, MetricType, Sample } from './sample.ts';
export {
  isStaleAt,
  NORMAL_NAN_HIGH,
  NORMAL_NAN_LOW,
  STALE_NAN_HIGH,
  STALE_NAN_LOW,
  setNormalNanAt,
  setStaleAt,
  wordsOf,
} from './stale.ts';
