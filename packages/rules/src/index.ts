export { ALERTS_FOR_STATE_METRIC, ALERTS_METRIC } from './alerting-rule.ts';
export { EngineRuleQuery } from './engine-rule-query.ts';
export { RuleError, type RuleErrorCode } from './errors.ts';
export { compileExpression, type RuleExpression } from './expression.ts';
export { Schedule } from './group/schedule.ts';
export { graphLink, tableLink } from './links.ts';
export {
  type PreparedRules,
  RuleManager,
  type RuleManagerOptions,
  type RulesConfig,
} from './manager.ts';
export {
  type AlertingConfig,
  type AlertmanagersConfig,
  alertingConfig,
  NO_ALERTING,
} from './notifier/config.ts';
export { Notifier, type NotifierOptions } from './notifier/notifier.ts';
export type { AlertSink, OutgoingAlert } from './outgoing-alert.ts';
export { ruleText } from './rule.ts';
export {
  type AlertingRuleSpec,
  decodeRuleFile,
  type GroupSpec,
  type NameScheme,
  type RecordingRuleSpec,
  type RuleFileOptions,
  type RuleSpec,
} from './rule-file/rule-file.ts';
export { loadRuleFiles, matchingFiles } from './rule-file/rule-files.ts';
export type { RuleGroupName, RuleQuery, RuleVector } from './rule-query.ts';
export type {
  AlertingRuleView,
  AlertView,
  RecordingRuleView,
  RuleGroupView,
  RuleView,
} from './rule-views.ts';
export {
  runUnitTests,
  type UnitTestOptions,
  type UnitTestResult,
} from './unit-test/run-unit-tests.ts';
