import type { WireLabels } from './query.ts';

export type WireRuleHealth = 'unknown' | 'ok' | 'err';
export type WireAlertState = 'pending' | 'firing';

export type WireAlert = {
  readonly labels: WireLabels;
  readonly annotations: WireLabels;
  readonly state: WireAlertState;
  /** RFC 3339. */
  readonly activeAt?: string;
  readonly keepFiringSince?: string;
  /** As `1e+00`. */
  readonly value: string;
};

type WireRuleStatus = {
  readonly health: WireRuleHealth;
  readonly lastError?: string;
  /** Seconds. */
  readonly evaluationTime: number;
  /** RFC 3339; the year 1 before the first evaluation. */
  readonly lastEvaluation: string;
};

export type WireAlertingRule = WireRuleStatus & {
  readonly type: 'alerting';
  readonly state: 'unknown' | 'inactive' | WireAlertState;
  readonly name: string;
  readonly query: string;
  /** `for` in seconds. */
  readonly duration: number;
  readonly keepFiringFor: number;
  readonly labels: WireLabels;
  readonly annotations: WireLabels;
  readonly alerts: readonly WireAlert[];
};

export type WireRecordingRule = WireRuleStatus & {
  readonly type: 'recording';
  readonly name: string;
  readonly query: string;
  readonly labels?: WireLabels;
};

export type WireRuleGroup = {
  readonly name: string;
  readonly file: string;
  readonly rules: readonly (WireAlertingRule | WireRecordingRule)[];
  /** Seconds. */
  readonly interval: number;
  readonly limit: number;
  readonly evaluationTime: number;
  readonly lastEvaluation: string;
};

/** `data` of /api/v1/rules. */
export type RuleDiscovery = {
  readonly groups: readonly WireRuleGroup[];
  readonly groupNextToken?: string;
};

/** `data` of /api/v1/alerts. */
export type AlertDiscovery = { readonly alerts: readonly WireAlert[] };
