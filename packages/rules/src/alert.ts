import type { Labels } from '@pollux/model';

export type AlertState = 'pending' | 'firing' | 'inactive';

/** One element of an alerting rule's result over its life. Owned and changed by its rule only. Times in whole ms. */
export type Alert = {
  state: AlertState;
  readonly labels: Labels;
  annotations: Labels;
  /** Of the expression at the last evaluation that gave the element. */
  value: number;
  activeAtMs: number;
  /** Null while it never fired. */
  firedAtMs: number | null;
  resolvedAtMs: number | null;
  /** Set while it fires only because of keep_firing_for. */
  keepFiringSinceMs: number | null;
  lastSentAtMs: number | null;
  /** The receiver may treat the alert as resolved after this instant. */
  validUntilMs: number | null;
};

/** How long a resolved alert is still told to the alertmanagers, which may have missed the first message. */
export const RESOLVED_RETENTION_MS = 15 * 60_000;

export function pendingAlert(
  labels: Labels,
  annotations: Labels,
  value: number,
  atMs: number,
): Alert {
  return {
    state: 'pending',
    labels,
    annotations,
    value,
    activeAtMs: atMs,
    firedAtMs: null,
    resolvedAtMs: null,
    keepFiringSinceMs: null,
    lastSentAtMs: null,
    validUntilMs: null,
  };
}

/** Firing and resolved alerts go out when they changed to resolved since the last message, or after the resend delay. */
export function needsSending(alert: Alert, atMs: number, resendDelayMs: number): boolean {
  if (alert.state === 'pending') return false;
  if (alert.lastSentAtMs === null) return true;
  if (alert.resolvedAtMs !== null && alert.resolvedAtMs > alert.lastSentAtMs) return true;
  return alert.lastSentAtMs + resendDelayMs < atMs;
}
