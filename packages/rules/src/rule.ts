import { AlertingRule } from './alerting-rule.ts';
import { RecordingRule } from './recording-rule.ts';
import type { RuleSpec } from './rule-file/rule-file.ts';

export type Rule = AlertingRule | RecordingRule;

export function ruleFrom(spec: RuleSpec): Rule {
  return spec.kind === 'alerting' ? new AlertingRule(spec) : new RecordingRule(spec);
}

/** Equal for rules that mean the same series and alerts, so that state may pass from one to the other at a reload. */
export function ruleIdentity(spec: RuleSpec): string {
  return JSON.stringify([spec.kind, spec.name, sortedEntries(spec.labels)]);
}

/** Equal only for rules that behave the same. */
export function ruleText(spec: RuleSpec): string {
  const own = [spec.kind, spec.name, spec.expression.text, sortedEntries(spec.labels)];
  return spec.kind === 'recording'
    ? JSON.stringify(own)
    : JSON.stringify([...own, spec.forMs, spec.keepFiringForMs, sortedEntries(spec.annotations)]);
}

function sortedEntries(values: Readonly<Record<string, string>>): (readonly [string, string])[] {
  return Object.entries(values).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}
