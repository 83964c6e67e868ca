import { ALERT_NAME, Labels, METRIC_NAME } from '@pollux/model';
import { type Alert, needsSending, pendingAlert, RESOLVED_RETENTION_MS } from './alert.ts';
import { RuleError } from './errors.ts';
import type { EvaluationInput, RuleSamples } from './evaluation.ts';
import type { AlertingRuleSpec } from './rule-file/rule-file.ts';
import type { RuleVector } from './rule-query.ts';
import { newRuleStatus, type RuleStatus } from './rule-status.ts';
import { AlertTemplates } from './template/alert-templates.ts';

export const ALERTS_METRIC = 'ALERTS';
export const ALERTS_FOR_STATE_METRIC = 'ALERTS_FOR_STATE';
const ALERT_STATE_LABEL = 'alertstate';

/**
 * Keeps one alert per element of its expression:
 *
 *   absent ──element──▶ pending ──for passed──▶ firing ──gone, keep_firing_for passed──▶ inactive ──15 min──▶ absent
 *                          └────────gone────────▶ absent                                     └──element──▶ pending
 */
export class AlertingRule {
  readonly kind = 'alerting';
  readonly spec: AlertingRuleSpec;
  readonly status: RuleStatus = newRuleStatus();
  /** By the key of the alert's labels. */
  readonly #alerts = new Map<string, Alert>();
  readonly #labelTemplates: AlertTemplates;
  readonly #annotationTemplates: AlertTemplates;
  /**
   * Series are written only once the `for` state of the run before was looked for, or need not be; else the first
   * evaluations would overwrite in storage what is to be restored.
   */
  #isRestored = false;

  constructor(spec: AlertingRuleSpec) {
    this.spec = spec;
    this.#labelTemplates = new AlertTemplates(spec.name, spec.labels);
    this.#annotationTemplates = new AlertTemplates(spec.name, spec.annotations);
  }

  get isRestored(): boolean {
    return this.#isRestored;
  }

  markRestored(): void {
    this.#isRestored = true;
  }

  /** Pending and firing ones. */
  active(): Alert[] {
    return [...this.#alerts.values()].filter((alert) => alert.resolvedAtMs === null);
  }

  /** Continues where the same rule of the configuration before stopped. */
  takeStateOf(other: AlertingRule): void {
    for (const [key, alert] of other.#alerts) this.#alerts.set(key, alert);
    this.#isRestored = other.#isRestored;
    Object.assign(this.status, other.status);
  }

  /** Samples of ALERTS and ALERTS_FOR_STATE. A breach of the limit forgets every alert of the rule. */
  async evaluate(input: EvaluationInput): Promise<RuleSamples> {
    const { query, queryAtMs, signal } = input;
    const result = await query.instant(this.spec.expression.text, queryAtMs, signal);
    const seen = await this.#alertsOf(result, input);
    for (const [key, fresh] of seen) {
      const known = this.#alerts.get(key);
      if (known === undefined || known.state === 'inactive') {
        this.#alerts.set(key, fresh);
      } else {
        known.value = fresh.value;
        known.annotations = fresh.annotations;
      }
    }
    const active = this.#advance(seen, input.atMs);
    if (input.limit > 0 && active.length > input.limit) {
      this.#alerts.clear();
      throw new RuleError(
        'RULES.LIMIT',
        `exceeded limit of ${input.limit} with ${active.length} alerts`,
      );
    }
    return this.#samples(this.#isRestored ? active : []);
  }

  /** Copies of the alerts that are due to be told, which counts as telling them. */
  takeDue(atMs: number, resendDelayMs: number, intervalMs: number): Alert[] {
    const due: Alert[] = [];
    for (const alert of this.#alerts.values()) {
      if (!needsSending(alert, atMs, resendDelayMs)) continue;
      alert.lastSentAtMs = atMs;
      // Leaves room for two evaluations or deliveries to fail before the receiver takes the alert for resolved.
      alert.validUntilMs = atMs + 4 * Math.max(resendDelayMs, intervalMs);
      due.push({ ...alert });
    }
    return due;
  }

  async #alertsOf(result: RuleVector, input: EvaluationInput): Promise<Map<string, Alert>> {
    const alerts = new Map<string, Alert>();
    const expandLabels = this.#labelTemplates.bind(input);
    const expandAnnotations = this.#annotationTemplates.bind(input);
    for (const [index, series] of result.labels.entries()) {
      const value = result.values[index]!;
      const element = { labels: series, value, histogram: result.histograms?.[index] ?? null };
      const own = await expandLabels(element);
      const annotations = await expandAnnotations(element);
      const labels = Labels.from([
        ...series.withoutMetricName(),
        ...own,
        [ALERT_NAME, this.spec.name],
      ]);
      const key = labels.key();
      if (alerts.has(key)) {
        throw new RuleError(
          'RULES.DUPLICATE_SERIES',
          'vector contains metrics with the same labelset after applying alert labels',
        );
      }
      alerts.set(key, pendingAlert(labels, Labels.annotations(annotations), value, input.atMs));
    }
    return alerts;
  }

  /** Moves every alert to its next state; gives those that are pending or firing now. */
  #advance(seen: ReadonlyMap<string, Alert>, atMs: number): Alert[] {
    const active: Alert[] = [];
    for (const [key, alert] of this.#alerts) {
      if (seen.has(key)) {
        alert.keepFiringSinceMs = null;
      } else if (!this.#isKeptFiring(alert, atMs)) {
        const isForgotten =
          alert.state === 'pending' ||
          (alert.resolvedAtMs !== null && atMs - alert.resolvedAtMs > RESOLVED_RETENTION_MS);
        if (isForgotten) this.#alerts.delete(key);
        if (alert.state !== 'inactive') {
          alert.state = 'inactive';
          alert.resolvedAtMs = atMs;
        }
        continue;
      }
      if (alert.state === 'pending' && atMs - alert.activeAtMs >= this.spec.forMs) {
        alert.state = 'firing';
        alert.firedAtMs = atMs;
      }
      active.push(alert);
    }
    return active;
  }

  #isKeptFiring(alert: Alert, atMs: number): boolean {
    if (alert.state !== 'firing' || this.spec.keepFiringForMs === 0) return false;
    alert.keepFiringSinceMs ??= atMs;
    return atMs - alert.keepFiringSinceMs < this.spec.keepFiringForMs;
  }

  #samples(active: readonly Alert[]): RuleSamples {
    const labels: Labels[] = [];
    const values = new Float64Array(active.length * 2);
    for (const alert of active) {
      values[labels.length] = 1;
      labels.push(
        Labels.from([
          ...alert.labels,
          [METRIC_NAME, ALERTS_METRIC],
          [ALERT_STATE_LABEL, alert.state],
        ]),
      );
      values[labels.length] = Math.floor(alert.activeAtMs / 1000);
      labels.push(alert.labels.with(METRIC_NAME, ALERTS_FOR_STATE_METRIC));
    }
    return { labels, values, histograms: null };
  }
}
