export type {
  AlertGroup,
  AlertmanagerStatus,
  GettableAlert,
  GettableSilence,
  PostableAlert,
  PostableSilence,
  WireMatcher,
} from './alertmanager.ts';
export {
  API_ERROR_STATUS,
  type ApiAnswer,
  type ApiErrorType,
  type ApiFailure,
  type ApiSuccess,
  dataOf,
} from './envelope.ts';
export { COVERAGE_PATH, DETAILS_PATH } from './pollux.ts';
export {
  type MatrixElement,
  parseSampleValue,
  type QueryData,
  type QueryStats,
  type VectorElement,
  type WireBucket,
  type WireExemplarSeries,
  type WireHistogram,
  type WireHistogramSample,
  type WireLabels,
  type WireSample,
} from './query.ts';
export type {
  AlertDiscovery,
  RuleDiscovery,
  WireAlert,
  WireAlertingRule,
  WireAlertState,
  WireRecordingRule,
  WireRuleGroup,
  WireRuleHealth,
} from './rules.ts';
export type {
  BuildInfo,
  CardinalityData,
  NameValue,
  RuntimeInfo,
  TsdbStatus,
  WalReplayStatus,
  WireNotification,
} from './status.ts';
export type {
  AlertmanagerDiscoveryData,
  TargetDiscovery,
  TargetHealth,
  WireDroppedTarget,
  WireMetadata,
  WireTarget,
  WireTargetMetadata,
} from './targets.ts';
