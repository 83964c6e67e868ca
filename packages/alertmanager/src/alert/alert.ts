import { compareText, fingerprint, INSTANCE_LABEL, JOB_LABEL, type Labels } from '@pollux/model';
import type { Annotations } from './annotations.ts';
import { alertHash } from './hash.ts';

/** What never changes about an alert: its labels and what is computed from them, once. */
export class AlertIdentity {
  readonly labels: Labels;
  /** FNV-1a of the labels, 16 hex digits, as the API shows it. */
  readonly fingerprint: string;
  /** Of the labels, as the provider that holds it hashes them; for tables of its alerts. */
  tableHash = 0;
  /** Written and read by dispatchers; one that is not the owner takes no notice of it. */
  placement: Placement | null = null;
  /** Written and read by the file `alerts` alone; null when that does not hold the alert, or holds it for a group only. */
  remembered: Remembered | null = null;
  #hash: bigint | null = null;

  constructor(labels: Labels) {
    this.labels = labels;
    this.fingerprint = fingerprint(labels);
  }

  /** XXH64 of the labels, as the notification log keeps it. */
  get hash(): bigint {
    this.#hash ??= alertHash(this.labels);
    return this.#hash;
  }
}

/** What one dispatcher knows about an alert, kept with its identity so that a repeated alert is not routed again. */
export type Placement = { readonly owner: object };

/** What the file `alerts` knows about an alert, kept with its identity: a map of all alerts would cost more than all of it. */
export type Remembered = {
  /** Of the records of the alert. */
  readonly id: number;
  /** The version that was written last. */
  alert: Alert;
  /** Ids of the groups that have told the end of this version. */
  toldIn: Set<number> | null;
};

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

/** The order of alerts in a notification: by job, instance, then all labels. */
export function compareAlerts(a: Alert, b: Alert): number {
  for (const name of [JOB_LABEL, INSTANCE_LABEL]) {
    const order = compareText(a.identity.labels.get(name), b.identity.labels.get(name));
    if (order !== 0) return order;
  }
  return a.identity.labels.compare(b.identity.labels);
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
