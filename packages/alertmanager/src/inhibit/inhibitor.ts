import { type LabelValues, matchesAll } from '@pollux/model';
import { type Alert, isResolvedAt } from '../alert/alert.ts';
import type { AlertListener } from '../alert/alert-provider.ts';
import type { InhibitRuleConfig } from '../config/inhibit-config.ts';
import { MatcherIndex } from '../matcher/matcher-index.ts';

/** Mutes alerts while another one fires. Fed by the alert provider; keeps every live source, not one per label set. */
export class Inhibitor implements AlertListener {
  readonly #bySource = new MatcherIndex<Rule>();
  readonly #byTarget = new MatcherIndex<Rule>();

  constructor(rules: readonly InhibitRuleConfig[]) {
    rules.forEach((config, position) => {
      const rule = new Rule(config, position);
      this.#bySource.add(rule, config.source);
      this.#byTarget.add(rule, config.target);
    });
  }

  onAlert(alert: Alert): void {
    for (const rule of this.#bySource.candidates(alert.identity)) rule.add(alert);
  }

  onRemoved(alert: Alert): void {
    for (const rule of this.#bySource.candidates(alert.identity)) rule.remove(alert);
  }

  /** The fingerprint of one alert that inhibits these labels, or null. */
  inhibitedBy(labels: LabelValues, nowMs: number): string | null {
    return this.inhibitionOf(labels, nowMs)?.source.identity.fingerprint ?? null;
  }

  /** The first rule that inhibits these labels and an alert that it does so by, or null. */
  inhibitionOf(labels: LabelValues, nowMs: number): Inhibition | null {
    let first: Rule | null = null;
    let found: Alert | null = null;
    for (const rule of this.#byTarget.candidates(labels)) {
      if (first !== null && first.position < rule.position) continue;
      const source = rule.inhibitedBy(labels, nowMs);
      if (source === null) continue;
      first = rule;
      found = source;
    }
    return first === null || found === null ? null : { rule: first.config, source: found };
  }
}

export type Inhibition = { readonly rule: InhibitRuleConfig; readonly source: Alert };

class Rule {
  readonly config: InhibitRuleConfig;
  /** In the configuration. */
  readonly position: number;
  /** Sources by the values of the `equal` labels, then by fingerprint. */
  readonly #sources = new Map<string, Map<string, Alert>>();

  constructor(config: InhibitRuleConfig, position: number) {
    this.config = config;
    this.position = position;
  }

  add(alert: Alert): void {
    const { identity } = alert;
    if (!matchesAll(this.config.source, identity)) return;
    const key = this.#equalKey(identity);
    const sources = this.#sources.get(key) ?? new Map<string, Alert>();
    sources.set(identity.fingerprint, alert);
    this.#sources.set(key, sources);
  }

  remove(alert: Alert): void {
    const key = this.#equalKey(alert.identity);
    const sources = this.#sources.get(key);
    sources?.delete(alert.identity.fingerprint);
    if (sources?.size === 0) this.#sources.delete(key);
  }

  inhibitedBy(labels: LabelValues, nowMs: number): Alert | null {
    if (!matchesAll(this.config.target, labels)) return null;
    const sources = this.#sources.get(this.#equalKey(labels));
    if (sources === undefined) return null;
    // An alert that is source and target at once is not muted by alerts of which the same is true, itself included.
    const isBoth = matchesAll(this.config.source, labels);
    for (const source of sources.values()) {
      if (isResolvedAt(source, nowMs)) continue;
      if (isBoth && matchesAll(this.config.target, source.identity)) continue;
      return source;
    }
    return null;
  }

  /** A label missing on both sides counts as equal. */
  #equalKey(labels: LabelValues): string {
    return this.config.equal.map((name) => labels.get(name)).join('\ud800');
  }
}
