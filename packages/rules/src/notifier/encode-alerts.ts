import type { OutgoingAlert } from '../outgoing-alert.ts';

/** The body of `POST /api/v2/alerts`; layout in alerts-post.md. */
export function encodeAlerts(alerts: readonly OutgoingAlert[]): string {
  return JSON.stringify(
    alerts.map((alert) => ({
      annotations: alert.annotations.toObject(),
      endsAt: new Date(alert.endsAtMs).toISOString(),
      startsAt: new Date(alert.startsAtMs).toISOString(),
      generatorURL: alert.generatorUrl,
      labels: alert.labels.toObject(),
    })),
  );
}
