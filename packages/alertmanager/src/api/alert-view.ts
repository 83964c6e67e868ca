import type { GettableAlert } from '@pollux/api-types';
import type { Alert } from '../alert/alert.ts';
import type { LiveConfig } from '../live-config.ts';
import type { SilenceStore } from '../silence/silence-store.ts';
import { formatDateTime } from './time.ts';

/** State and reasons of an alert, computed when asked for. */
export type AlertStatusView = GettableAlert['status'] & { readonly state: 'active' | 'suppressed' };

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

/** An alert as GET /api/v2/alerts shows it. */
export function alertView(
  alert: Alert,
  receivers: readonly string[],
  status: AlertStatusView,
): GettableAlert {
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
