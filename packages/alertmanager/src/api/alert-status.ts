import type { Alert } from '../alert/alert.ts';
import type { LiveConfig } from '../live-config.ts';
import type { SilenceStore } from '../silence/silence-store.ts';

/** State and reasons of an alert, computed when asked for. */
export type AlertStatus = {
  readonly state: 'active' | 'suppressed';
  /** Ids of silences. */
  readonly silencedBy: readonly string[];
  /** Fingerprints. */
  readonly inhibitedBy: readonly string[];
  /** Names of time intervals. */
  readonly mutedBy: readonly string[];
};

const NONE: readonly string[] = [];
/** Of nearly all alerts, and one object for all of them. */
export const ACTIVE: AlertStatus = {
  state: 'active',
  silencedBy: NONE,
  inhibitedBy: NONE,
  mutedBy: NONE,
};

export function statusOf(
  alert: Alert,
  silences: SilenceStore,
  live: Pick<LiveConfig, 'inhibitor'>,
  nowMs: number,
  mutedBy = NONE,
): AlertStatus {
  const { identity } = alert;
  const silencedBy = silences.silencedBy(identity);
  const inhibitor = live.inhibitor.inhibitedBy(identity, nowMs);
  if (silencedBy.length === 0 && inhibitor === null && mutedBy.length === 0) return ACTIVE;
  const inhibitedBy = inhibitor === null ? NONE : [inhibitor];
  return { state: 'suppressed', silencedBy, inhibitedBy, mutedBy };
}
