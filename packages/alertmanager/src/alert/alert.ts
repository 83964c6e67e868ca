import { compareText, Fnv64, INSTANCE_LABEL, JOB_LABEL, Labels } from '@pollux/model';
import type { Annotations } from './annotations.ts';
import { alertHash } from './hash.ts';
import {
  compareObjects,
  NOT_PLAIN,
  type PlainObject,
  plainObject,
  textIn,
  textsIn,
} from './plain-object.ts';

/** What never changes about an alert: its labels and what is computed from them, once. */
export class AlertIdentity {
  /** The labels, where they are plain; else {@link NOT_PLAIN}. */
  readonly object: PlainObject;
  /** FNV-1a of the labels: its first 32 bits, and its last. */
  readonly fingerprintHigh: number;
  readonly fingerprintLow: number;
  /** Of the labels, as the provider that holds it hashes them; for tables of its alerts. */
  tableHash = 0;
  /** Written and read by dispatchers; one that is not the owner takes no notice of it. */
  placement: Placement | null = null;
  /**
   * This and the next three are written and read by the file `alerts` alone; a map of all alerts would cost more than all of it.
   * Whether it holds the alert, and not for a group only.
   */
  isRemembered = false;
  /** Of the records of the alert. */
  recordId = 0;
  /** The version that was written last; null before the first. */
  written: Alert | null = null;
  /** Ids of the groups that have told the end of this version. */
  toldIn: Set<number> | null = null;
  /** Null where they are plain. */
  readonly #labels: Labels | null;
  #hash: bigint | null = null;

  /** Of labels in either form; those that can be plain are kept so, whatever they were given as. */
  constructor(labels: Labels | PlainLabels) {
    const isGivenPlain = 'object' in labels;
    this.object = isGivenPlain ? labels.object : plainObject([...labels].flat());
    this.#labels = isGivenPlain || this.object !== NOT_PLAIN ? null : labels;
    const { high, low } = isGivenPlain ? labels : new Fnv64().labels(labels);
    this.fingerprintHigh = high | 0;
    this.fingerprintLow = low | 0;
  }

  /** Made at each call where they are plain: one label is to be had by {@link get}. */
  get labels(): Labels {
    return this.#labels ?? Labels.fromSortedFlat(textsIn(this.object));
  }

  /** Names and values in turn. */
  get flat(): readonly string[] {
    return this.#labels === null ? textsIn(this.object) : [...this.#labels].flat();
  }

  /** The value of a label, or an empty text where there is none. */
  get(name: string): string {
    return this.#labels === null ? (textIn(this.object, name) ?? '') : this.#labels.get(name);
  }

  /** As that of {@link labels}. */
  key(): string {
    return this.labels.key();
  }

  /** Of the same labels. */
  equals(other: AlertIdentity): boolean {
    if (this === other) return true;
    if (this.#labels === null || other.#labels === null) return this.object === other.object;
    return this.#labels.equals(other.#labels);
  }

  /** As {@link Labels.compare}. */
  compare(other: AlertIdentity): number {
    if (this.object !== NOT_PLAIN && other.object !== NOT_PLAIN) {
      return compareObjects(this.object, other.object);
    }
    return this.labels.compare(other.labels);
  }

  /** As the API shows it: 16 hex digits. */
  get fingerprint(): string {
    const hash = new Fnv64();
    hash.high = this.fingerprintHigh;
    hash.low = this.fingerprintLow;
    return hash.toString();
  }

  /** XXH64 of the labels, as the notification log keeps it. */
  get hash(): bigint {
    this.#hash ??= alertHash(this.labels);
    return this.#hash;
  }
}

/** Labels as one text, and their FNV-1a. */
export type PlainLabels = {
  readonly object: PlainObject;
  readonly high: number;
  readonly low: number;
};

/** What one dispatcher knows about an alert, kept with its identity so that a repeated alert is not routed again. */
export type Placement = { readonly owner: object };

/** One version of an alert; immutable. Times are whole milliseconds. */
export type Alert = {
  readonly identity: AlertIdentity;
  readonly annotations: Annotations;
  readonly startsAtMs: number;
  /** 0 for "not known to end", which only snapshots taken for a notification have. */
  readonly endsAtMs: number;
  readonly updatedAtMs: number;
  readonly generatorUrl: string;
  /** The end was guessed (now + resolve_timeout), not told by the sender. */
  readonly isTimeout: boolean;
};

export function isResolvedAt(alert: Alert, nowMs: number): boolean {
  return alert.endsAtMs !== 0 && alert.endsAtMs <= nowMs;
}

/** Alerts in the order of a notification: by job, instance, then all labels. */
export function inOrder(alerts: readonly Alert[]): Alert[] {
  const keyed = alerts.map((alert) => {
    const { identity } = alert;
    return { alert, job: identity.get(JOB_LABEL), instance: identity.get(INSTANCE_LABEL) };
  });
  keyed.sort(
    (a, b) =>
      compareText(a.job, b.job) ||
      compareText(a.instance, b.instance) ||
      a.alert.identity.compare(b.alert.identity),
  );
  return keyed.map(({ alert }) => alert);
}

/**
 * One alert out of two versions whose times overlap. The version updated later is the base; the earliest start wins. An
 * explicit later end of the older one is kept, except that a guessed end never outlives a told one.
 */
export function mergeAlerts(a: Alert, b: Alert, nowMs: number): Alert {
  const [older, newer] = b.updatedAtMs < a.updatedAtMs ? [b, a] : [a, b];
  let endsAtMs = newer.endsAtMs;
  if (older.endsAtMs > newer.endsAtMs) {
    if (isResolvedAt(newer, nowMs)) {
      if (isResolvedAt(older, nowMs)) endsAtMs = older.endsAtMs;
    } else if (!older.isTimeout) endsAtMs = older.endsAtMs;
  }
  const startsAtMs = Math.min(older.startsAtMs, newer.startsAtMs);
  // The usual case, an alert repeated as it was, needs no further object.
  if (startsAtMs === newer.startsAtMs && endsAtMs === newer.endsAtMs) return newer;
  return { ...newer, startsAtMs, endsAtMs };
}
