import { Labels, METRIC_NAME } from '@pollux/model';
import { RuleError } from './errors.ts';
import type { EvaluationInput, RuleSamples } from './evaluation.ts';
import type { RecordingRuleSpec } from './rule-file/rule-file.ts';
import { newRuleStatus, type RuleStatus } from './rule-status.ts';

/** Writes the result of an expression under a new name. */
export class RecordingRule {
  readonly kind = 'recording';
  readonly spec: RecordingRuleSpec;
  readonly status: RuleStatus = newRuleStatus();
  readonly #fixed: readonly (readonly [string, string])[];

  constructor(spec: RecordingRuleSpec) {
    this.spec = spec;
    this.#fixed = [[METRIC_NAME, spec.name], ...Object.entries(spec.labels)];
  }

  async evaluate(input: EvaluationInput): Promise<RuleSamples> {
    const { spec } = this;
    const result = await input.query.instant(spec.expression.text, input.queryAtMs, input.signal);
    const labels = result.labels.map((own) => Labels.from([...own, ...this.#fixed]));
    const unique = new Set(labels.map((set) => set.key()));
    if (unique.size !== labels.length) {
      throw new RuleError(
        'RULES.DUPLICATE_SERIES',
        'vector contains metrics with the same labelset after applying rule labels',
      );
    }
    if (input.limit > 0 && labels.length > input.limit) {
      throw new RuleError(
        'RULES.LIMIT',
        `exceeded limit of ${input.limit} with ${labels.length} series`,
      );
    }
    return { labels, values: result.values, histograms: result.histograms };
  }
}
