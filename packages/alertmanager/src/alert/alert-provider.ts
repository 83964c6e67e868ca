import { type Clock, LimitError } from '@pollux/base';
import { ALERT_NAME, type Labels } from '@pollux/model';
import type { AlertChange } from '../events/notify-event.ts';
import type { NotifyEvents } from '../events/notify-events.ts';
import { type Alert, AlertIdentity, isResolvedAt, mergeAlerts } from './alert.ts';
import { AlertTable } from './alert-table.ts';
import { labelsHash } from './label-hash.ts';

/** Told of every accepted version of an alert, and of alerts that were forgotten. Must not throw. */
export type AlertListener = {
  onAlert(alert: Alert): void;
  onRemoved(alert: Alert): void;
};

export type AlertProviderOptions = {
  readonly clock: Clock;
  /** Most live alerts of one alertname; 0 for no limit (`--alerts.per-alertname-limit`). */
  readonly perAlertnameLimit: number;
  readonly events: NotifyEvents;
  /** Of the hashes of labels; any whole number, best one that senders do not know. */
  readonly seed?: number;
};

/** All alerts that were received and not yet forgotten, by their labels. */
export class AlertProvider {
  /** Of {@link labelsHash}, as {@link find} and {@link put} take it. */
  readonly seed: number;
  readonly #options: AlertProviderOptions;
  readonly #alerts = new AlertTable();
  readonly #countByName = new Map<string, number>();
  readonly #listeners = new Set<AlertListener>();
  readonly #limited = new Map<string, number>();
  /** Ends that came without a word of the sender are told up to here, ms. */
  #endsToldMs = 0;

  constructor(options: AlertProviderOptions) {
    this.#options = options;
    this.#endsToldMs = options.clock.now();
    this.seed = (options.seed ?? 0x811c9dc5) | 0;
  }

  /** 0 for none. */
  get perAlertnameLimit(): number {
    return this.#options.perAlertnameLimit;
  }

  get size(): number {
    return this.#alerts.size;
  }

  /** Alerts refused by the limit per alertname so far. */
  get limitedCount(): number {
    let count = 0;
    for (const ofName of this.#limited.values()) count += ofName;
    return count;
  }

  /** The same by alertname. */
  get limitedByName(): ReadonlyMap<string, number> {
    return this.#limited;
  }

  /** The known identity of these labels, so that fingerprint and hash are computed once for each alert. */
  identityOf(labels: Labels): AlertIdentity {
    const made = new AlertIdentity(labels);
    return this.#alerts.get(labelsHash(labels, this.seed), made)?.identity ?? made;
  }

  /** The alert whose labels have this hash and pass the test. */
  find(hash: number, test: (alert: Alert) => boolean): Alert | undefined {
    return this.#alerts.find(hash, test);
  }

  /**
   * Stores a version and tells the listeners; `hash` is that of its labels, where the caller has it. Throws a LimitError
   * when its alertname has too many.
   */
  put(alert: Alert, hash = labelsHash(alert.identity.labels, this.seed)): void {
    const known = this.#alerts.get(hash, alert.identity);
    let stored = alert;
    if (known === undefined) {
      this.#admit(alert);
      alert.identity.tableHash = hash;
    } else {
      // Two requests that bring it for the first time may both have made one while they were read.
      if (alert.identity !== known.identity) stored = { ...alert, identity: known.identity };
      if (overlaps(known, stored)) {
        // What is said now is newer, also when the clock was ahead while the other was said.
        const { updatedAtMs } = stored;
        const said = known.updatedAtMs > updatedAtMs ? { ...known, updatedAtMs } : known;
        stored = mergeAlerts(said, stored, this.#options.clock.now());
      }
    }
    this.#alerts.set(hash, stored, known);
    if (this.#options.events.isHeard) this.#tellChange(known, stored);
    for (const listener of this.#listeners) listener.onAlert(stored);
  }

  /** Takes an alert of before a restart as it is; history has heard of it. Throws as {@link put}. */
  restore(alert: Alert): void {
    const hash = labelsHash(alert.identity.labels, this.seed);
    const known = this.#alerts.get(hash, alert.identity);
    if (known === undefined) this.#admit(alert);
    alert.identity.tableHash = hash;
    this.#alerts.set(hash, alert, known);
    for (const listener of this.#listeners) listener.onAlert(alert);
  }

  /** The version of these labels that is known now. */
  current(labels: Labels): Alert | undefined {
    return this.#alerts.get(labelsHash(labels, this.seed), new AlertIdentity(labels));
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

  /** Every alert as it is now, for those who look at them in slices while others arrive and leave. */
  list(): Alert[] {
    return this.#alerts.list();
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
    for (const alert of this.#alerts.values()) {
      if (!isResolvedAt(alert, nowMs)) continue;
      this.#alerts.delete(alert.identity.tableHash, alert);
      this.#count(alert, -1);
      count++;
      for (const listener of this.#listeners) listener.onRemoved(alert);
    }
    return count;
  }

  /** Tells of alerts that ended since the last call because nobody repeated them. Call it every few seconds. */
  tellEnds(): void {
    const { clock, events } = this.#options;
    const nowMs = clock.now();
    if (events.isHeard) {
      for (const alert of this.#alerts.values()) {
        if (this.#isEndUntold(alert, nowMs)) this.#tell('timed out', alert, alert);
      }
    }
    this.#endsToldMs = nowMs;
  }

  #tellChange(known: Alert | undefined, stored: Alert): void {
    const nowMs = this.#options.clock.now();
    if (known !== undefined && this.#isEndUntold(known, nowMs))
      this.#tell('timed out', known, known);
    const wasFiring = known !== undefined && !isResolvedAt(known, nowMs);
    if (isResolvedAt(stored, nowMs)) {
      if (wasFiring) this.#tell('resolved', stored, known);
      return;
    }
    if (!wasFiring) this.#tell('fired', stored, known ?? null);
    else if (!isSameText(known, stored)) this.#tell('changed', stored, known);
  }

  /** A sender that says "ended" gives an end no later than its word; any other end comes by itself. */
  #isEndUntold({ endsAtMs, updatedAtMs }: Alert, nowMs: number): boolean {
    return endsAtMs > this.#endsToldMs && endsAtMs <= nowMs && endsAtMs > updatedAtMs;
  }

  #tell(change: AlertChange, alert: Alert, previous: Alert | null): void {
    this.#options.events.tell({ kind: 'alert', change, alert, previous });
  }

  #admit(alert: Alert): void {
    const limit = this.#options.perAlertnameLimit;
    const name = alert.identity.get(ALERT_NAME);
    if (limit > 0 && (this.#countByName.get(name) ?? 0) >= limit) {
      this.#limited.set(name, (this.#limited.get(name) ?? 0) + 1);
      throw new LimitError(
        'ALERTMANAGER.ALERT_LIMIT',
        'alerts.per-alertname-limit',
        `${limit} alerts named "${name}" are active already; raise --alerts.per-alertname-limit to accept more`,
      );
    }
    this.#count(alert, 1);
  }

  #count(alert: Alert, by: number): void {
    const name = alert.identity.get(ALERT_NAME);
    const count = (this.#countByName.get(name) ?? 0) + by;
    if (count === 0) this.#countByName.delete(name);
    else this.#countByName.set(name, count);
  }
}

function isSameText(a: Alert, b: Alert): boolean {
  return a.generatorUrl === b.generatorUrl && a.annotations.equals(b.annotations);
}

/** An edge of the newer one within the older: so an end of no length, told without the start, keeps the alert's start. */
function overlaps(known: Alert, { startsAtMs, endsAtMs }: Alert): boolean {
  const isWithin = (ms: number): boolean => ms > known.startsAtMs && ms < known.endsAtMs;
  return isWithin(endsAtMs) || isWithin(startsAtMs);
}
