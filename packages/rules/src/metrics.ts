import type { Counter, Family, Gauge, Registry } from '@pollux/telemetry';

/** Sum and count of durations, exposed as a summary without quantiles. */
export class DurationSummary {
  #sum = 0;
  #count = 0;

  constructor(registry: Registry, name: string, help: string) {
    registry.collect(() => [
      {
        name,
        help,
        type: 'summary',
        samples: [
          { suffix: '_sum', labels: [], value: this.#sum },
          { suffix: '_count', labels: [], value: this.#count },
        ],
      },
    ]);
  }

  observe(seconds: number): void {
    this.#sum += seconds;
    this.#count++;
  }
}

/** Names as Prometheus'. The label `rule_group` is `<file>;<name>`. */
export type RuleMetrics = {
  readonly evaluations: Family<Counter>;
  readonly evaluationFailures: Family<Counter>;
  readonly evaluationDuration: DurationSummary;
  readonly groupDuration: DurationSummary;
  readonly iterations: Family<Counter>;
  readonly iterationsMissed: Family<Counter>;
  readonly groupInterval: Family<Gauge>;
  readonly groupLastDuration: Family<Gauge>;
  readonly groupLastEvaluation: Family<Gauge>;
  readonly groupLastRestoreDuration: Family<Gauge>;
  readonly groupLastSamples: Family<Gauge>;
  readonly groupRules: Family<Gauge>;
  readonly templateExpansions: Counter;
  readonly templateFailures: Counter;
};

export function registerRuleMetrics(registry: Registry): RuleMetrics {
  const byGroup = ['rule_group'];
  return {
    evaluations: registry.counters(
      'prometheus_rule_evaluations_total',
      'The total number of rule evaluations.',
      byGroup,
    ),
    evaluationFailures: registry.counters(
      'prometheus_rule_evaluation_failures_total',
      'The total number of rule evaluation failures.',
      byGroup,
    ),
    evaluationDuration: new DurationSummary(
      registry,
      'prometheus_rule_evaluation_duration_seconds',
      'The duration for a rule to execute.',
    ),
    groupDuration: new DurationSummary(
      registry,
      'prometheus_rule_group_duration_seconds',
      'The duration of rule group evaluations.',
    ),
    iterations: registry.counters(
      'prometheus_rule_group_iterations_total',
      'The total number of scheduled rule group evaluations, whether executed or missed.',
      byGroup,
    ),
    iterationsMissed: registry.counters(
      'prometheus_rule_group_iterations_missed_total',
      'The total number of rule group evaluations missed due to slow rule group evaluation.',
      byGroup,
    ),
    groupInterval: registry.gauges(
      'prometheus_rule_group_interval_seconds',
      'The interval of a rule group.',
      byGroup,
    ),
    groupLastDuration: registry.gauges(
      'prometheus_rule_group_last_duration_seconds',
      'The duration of the last rule group evaluation.',
      byGroup,
    ),
    groupLastEvaluation: registry.gauges(
      'prometheus_rule_group_last_evaluation_timestamp_seconds',
      'The timestamp of the last rule group evaluation in seconds.',
      byGroup,
    ),
    groupLastRestoreDuration: registry.gauges(
      'prometheus_rule_group_last_restore_duration_seconds',
      'The duration of the last alert rules alerts restoration using the `ALERTS_FOR_STATE` series.',
      byGroup,
    ),
    groupLastSamples: registry.gauges(
      'prometheus_rule_group_last_evaluation_samples',
      'The number of samples returned during the last rule group evaluation.',
      byGroup,
    ),
    groupRules: registry.gauges('prometheus_rule_group_rules', 'The number of rules.', byGroup),
    templateExpansions: registry.counter(
      'prometheus_template_text_expansions_total',
      'The total number of template text expansions.',
    ),
    templateFailures: registry.counter(
      'prometheus_template_text_expansion_failures_total',
      'The total number of template text expansion failures.',
    ),
  };
}

/** Forgets the series of a group that is gone. */
export function forgetGroup(metrics: RuleMetrics, key: string): void {
  for (const family of [
    metrics.evaluations,
    metrics.evaluationFailures,
    metrics.iterations,
    metrics.iterationsMissed,
    metrics.groupInterval,
    metrics.groupLastDuration,
    metrics.groupLastEvaluation,
    metrics.groupLastRestoreDuration,
    metrics.groupLastSamples,
    metrics.groupRules,
  ]) {
    family.remove(key);
  }
}
