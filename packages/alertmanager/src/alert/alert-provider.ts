import { type Clock, LimitError } from '@pollux/base';
import { ALERT_NAME, type Labels } from '@pollux/model';
import { type Alert, AlertIdentity, isResolvedAt, mergeAlerts } from './alert.ts';

/** Told of every accepted version of an alert, and of alerts that were forgotten. Must not throw. */
export type AlertListener = {
  onAlert(alert: Alert): void;
  onRemoved(alert: Alert): void;
};

export type AlertProviderOptions = {
  readonly clock: Clock;
  /** Most live alerts of one alertname; 0 for no limit (`--alerts.per-alertname-limit`). */
  readonly perAlertnameLimit: number;
};

/** All alerts that were received and not yet forgotten, by their labels. Memory only; senders repeat themselves. */
export class AlertProvider {
  readonly #options: AlertProviderOptions;
  readonly #alerts = new Map<string, Alert>();
  readonly #countByName = new Map<string, number>();
  readonly #listeners = new Set<AlertListener>();
  #limited = 0;

  constructor(options: AlertProviderOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#alerts.size;
  }

  /** Alerts refused by the limit per alertname so far. */
  get limitedCount(): number {
    return this.#limited;
  }

  /** The known identity of these labels, so that fingerprint and hash are computed once for each alert. */
  identityOf(labels: Labels): AlertIdentity {
    return this.#alerts.get(labels.key())?.identity ?? new AlertIdentity(labels);
  }

  /** Stores a version and tells the listeners. Throws a LimitError when its alertname has too many. */
  put(alert: Alert): void {
    const key = alert.identity.labels.key();
    const known = this.#alerts.get(key);
    let stored = alert;
    if (known === undefined) this.#admit(alert);
    else if (overlaps(known, alert)) stored = mergeAlerts(known, alert, this.#options.clock.now());
    this.#alerts.set(key, stored);
    for (const listener of this.#listeners) listener.onAlert(stored);
  }

  get(fingerprint: string): Alert | undefined {
    for (const alert of this.#alerts.values()) {
      if (alert.identity.fingerprint === fingerprint) return alert;
    }
    return undefined;
  }

  /** Every alert, in no particular order. */
  all(): IterableIterator<Alert> {
    return this.#alerts.values();
  }

  /** The listener hears of all alerts known now, then of each new one. The returned function ends it. */
  subscribe(listener: AlertListener): () => void {
    for (const alert of this.#alerts.values()) listener.onAlert(alert);
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Forgets alerts that are resolved; returns how many. */
  collect(): number {
    const nowMs = this.#options.clock.now();
    let count = 0;
    for (const [key, alert] of this.#alerts) {
      if (!isResolvedAt(alert, nowMs)) continue;
      this.#alerts.delete(key);
      this.#count(alert, -1);
      count++;
      for (const listener of this.#listeners) listener.onRemoved(alert);
    }
    return count;
  }

  #admit(alert: Alert): void {
    const limit = this.#options.perAlertnameLimit;
    const name = alert.identity.labels.get(ALERT_NAME);
    if (limit > 0 && (this.#countByName.get(name) ?? 0) >= limit) {
      this.#limited++;
      throw new LimitError(
        'ALERTMANAGER.ALERT_LIMIT',
        'alerts.per-alertname-limit',
        `${limit} alerts named "${name}" are active already; raise --alerts.per-alertname-limit to accept more`,
      );
    }
    this.#count(alert, 1);
  }

  #count(alert: Alert, by: number): void {
    const name = alert.identity.labels.get(ALERT_NAME);
    const count = (this.#countByName.get(name) ?? 0) + by;
    if (count === 0) this.#countByName.delete(name);
    else this.#countByName.set(name, count);
  }
}

function overlaps(a: Alert, b: Alert): boolean {
  return Math.max(a.startsAtMs, b.startsAtMs) < Math.min(a.endsAtMs, b.endsAtMs);
}
