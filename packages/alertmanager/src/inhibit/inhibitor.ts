import type { Labels, Matcher } from '@pollux/model';
import { type Alert, isResolvedAt } from '../alert/alert.ts';
import type { AlertListener } from '../alert/alert-provider.ts';
import type { InhibitRuleConfig } from '../config/inhibit-config.ts';

/** Mutes alerts while another one fires. Fed by the alert provider; keeps every live source, not one per label set. */
export class Inhibitor implements AlertListener {
  readonly #rules: readonly Rule[];

  constructor(rules: readonly InhibitRuleConfig[]) {
    this.#rules = rules.map((rule) => new Rule(rule));
  }

  onAlert(alert: Alert): void {
    for (const rule of this.#rules) rule.add(alert);
  }

  onRemoved(alert: Alert): void {
    for (const rule of this.#rules) rule.remove(alert);
  }

  /** The fingerprint of one alert that inhibits these labels, or null. */
  inhibitedBy(labels: Labels, nowMs: number): string | null {
    return this.inhibitionOf(labels, nowMs)?.source.identity.fingerprint ?? null;
  }

  /** The first rule that inhibits these labels and an alert that it does so by, or null. */
  inhibitionOf(labels: Labels, nowMs: number): Inhibition | null {
    for (const rule of this.#rules) {
      const source = rule.inhibitedBy(labels, nowMs);
      if (source !== null) return { rule: rule.config, source };
    }
    return null;
  }
}

export type Inhibition = { readonly rule: InhibitRuleConfig; readonly source: Alert };

class Rule {
  readonly config: InhibitRuleConfig;
  /** Sources by the values of the `equal` labels, then by fingerprint. */
  readonly #sources = new Map<string, Map<string, Alert>>();

  constructor(config: InhibitRuleConfig) {
    this.config = config;
  }

  add(alert: Alert): void {
    const { labels, fingerprint } = alert.identity;
    if (!matches(this.config.source, labels)) return;
    const key = this.#equalKey(labels);
    const sources = this.#sources.get(key) ?? new Map<string, Alert>();
    sources.set(fingerprint, alert);
    this.#sources.set(key, sources);
  }

  remove(alert: Alert): void {
    const key = this.#equalKey(alert.identity.labels);
    const sources = this.#sources.get(key);
    sources?.delete(alert.identity.fingerprint);
    if (sources?.size === 0) this.#sources.delete(key);
  }

  inhibitedBy(labels: Labels, nowMs: number): Alert | null {
    if (!matches(this.config.target, labels)) return null;
    const sources = this.#sources.get(this.#equalKey(labels));
    if (sources === undefined) return null;
    // An alert that is source and target at once is not muted by alerts of which the same is true, itself included.
    const isBoth = matches(this.config.source, labels);
    for (const source of sources.values()) {
      if (isResolvedAt(source, nowMs)) continue;
      if (isBoth && matches(this.config.target, source.identity.labels)) continue;
      return source;
    }
    return null;
  }

  /** A label missing on both sides counts as equal. */
  #equalKey(labels: Labels): string {
    return this.config.equal.map((name) => labels.get(name)).join('\ud800');
  }
}

function matches(matchers: readonly Matcher[], labels: Labels): boolean {
  return matchers.every((matcher) => matcher.matches(labels.get(matcher.name)));
}
