import type { Labels } from '@pollux/model';
import type { Alert } from './alert.ts';
import type { AlertingRule } from './alerting-rule.ts';
import type { Rule } from './rule.ts';
import type { RuleHealth } from './rule-status.ts';

/** What the API and the console show: plain copies, safe to keep. Times in whole ms, durations in ms. */
export type AlertView = {
  readonly labels: Labels;
  readonly annotations: Labels;
  readonly state: 'pending' | 'firing';
  readonly activeAtMs: number;
  readonly keepFiringSinceMs: number | null;
  readonly value: number;
};

type CommonRuleView = {
  readonly name: string;
  readonly query: string;
  readonly labels: Labels;
  readonly health: RuleHealth;
  readonly lastError: string;
  readonly evaluationSeconds: number;
  readonly lastEvaluationMs: number | null;
};

export type RecordingRuleView = CommonRuleView & { readonly kind: 'recording' };

export type AlertingRuleView = CommonRuleView & {
  readonly kind: 'alerting';
  /** `unknown` before the first evaluation. */
  readonly state: 'unknown' | 'inactive' | 'pending' | 'firing';
  readonly forMs: number;
  readonly keepFiringForMs: number;
  readonly annotations: Labels;
  readonly alerts: readonly AlertView[];
};

export type RuleView = RecordingRuleView | AlertingRuleView;

export type RuleGroupView = {
  readonly name: string;
  readonly file: string;
  readonly intervalMs: number;
  readonly limit: number;
  readonly evaluationSeconds: number;
  readonly lastEvaluationMs: number | null;
  readonly rules: readonly RuleView[];
};

export function viewOfAlert(alert: Alert): AlertView {
  return {
    labels: alert.labels,
    annotations: alert.annotations,
    state: alert.state === 'firing' ? 'firing' : 'pending',
    activeAtMs: alert.activeAtMs,
    keepFiringSinceMs: alert.keepFiringSinceMs,
    value: alert.value,
  };
}

/** `labels` and `annotations` are the texts of the rule as written, made label sets once by the caller. */
export function viewOfRule(rule: Rule, labels: Labels, annotations: Labels): RuleView {
  const common = {
    name: rule.spec.name,
    query: rule.spec.expression.text,
    labels,
    health: rule.status.health,
    lastError: rule.status.lastError,
    evaluationSeconds: rule.status.evaluationSeconds,
    lastEvaluationMs: rule.status.lastEvaluationMs,
  };
  if (rule.kind === 'recording') return { kind: 'recording', ...common };
  return {
    kind: 'alerting',
    ...common,
    state: stateOf(rule),
    forMs: rule.spec.forMs,
    keepFiringForMs: rule.spec.keepFiringForMs,
    annotations,
    alerts: rule.active().map(viewOfAlert),
  };
}

function stateOf(rule: AlertingRule): AlertingRuleView['state'] {
  if (rule.status.lastEvaluationMs === null) return 'unknown';
  const active = rule.active();
  if (active.some((alert) => alert.state === 'firing')) return 'firing';
  return active.length > 0 ? 'pending' : 'inactive';
}
