export type RuleHealth = 'unknown' | 'ok' | 'err';

/** What the rules page shows of the last evaluation. Changed by the group that owns the rule. */
export type RuleStatus = {
  health: RuleHealth;
  lastError: string;
  evaluationSeconds: number;
  /** Null before the first evaluation. */
  lastEvaluationMs: number | null;
};

export function newRuleStatus(): RuleStatus {
  return { health: 'unknown', lastError: '', evaluationSeconds: 0, lastEvaluationMs: null };
}
