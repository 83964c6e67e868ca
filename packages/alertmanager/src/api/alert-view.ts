import type { Alert } from '../alert/alert.ts';
import type { LiveConfig } from '../live-config.ts';
import type { SilenceStore } from '../silence/silence-store.ts';
import { formatDateTime } from './time.ts';

export type AlertStatusView = {
  readonly state: 'active' | 'suppressed';
  readonly silencedBy: readonly string[];
  readonly inhibitedBy: readonly string[];
  readonly mutedBy: readonly string[];
};

/** An alert as GET /api/v2/alerts shows it. */
export type AlertView = {
  readonly annotations: Readonly<Record<string, string>>;
  readonly endsAt: string;
  readonly fingerprint: string;
  readonly receivers: readonly { readonly name: string }[];
  readonly startsAt: string;
  readonly status: AlertStatusView;
  readonly updatedAt: string;
  readonly generatorURL: string;
  readonly labels: Readonly<Record<string, string>>;
};

export function statusOf(
  alert: Alert,
  silences: SilenceStore,
  live: LiveConfig,
  nowMs: number,
  mutedBy: readonly string[] = [],
): AlertStatusView {
  const { labels } = alert.identity;
  const silencedBy = silences.silencedBy(labels);
  const inhibitor = live.inhibitor.inhibitedBy(labels, nowMs);
  const inhibitedBy = inhibitor === null ? [] : [inhibitor];
  const isSuppressed = silencedBy.length + inhibitedBy.length + mutedBy.length > 0;
  return { state: isSuppressed ? 'suppressed' : 'active', silencedBy, inhibitedBy, mutedBy };
}

export function alertView(
  alert: Alert,
  receivers: readonly string[],
  status: AlertStatusView,
): AlertView {
  const { labels, fingerprint } = alert.identity;
  return {
    annotations: Object.fromEntries(alert.annotations),
    endsAt: formatDateTime(alert.endsAtMs),
    fingerprint,
    receivers: receivers.map((name) => ({ name })),
    startsAt: formatDateTime(alert.startsAtMs),
    status,
    updatedAt: formatDateTime(alert.updatedAtMs),
    generatorURL: alert.generatorUrl,
    labels: labels.toObject(),
  };
}
