import { rfc3339Nano, ZERO_TIME_MS } from '../../../template/go-time.ts';
import { goJson } from '../../../wire/go-json.ts';
import type { Notification, NotifiedAlert } from '../../notification.ts';

/** The webhook message. `truncated` alerts were left out. */
export function webhookMessage(
  notification: Notification,
  truncated: number,
  version = '4',
): string {
  return goJson({
    receiver: notification.receiver,
    status: notification.status,
    alerts: notification.alerts.map(alertMessage),
    notification_reason: notification.reason,
    groupLabels: Object.fromEntries(notification.groupLabels),
    commonLabels: Object.fromEntries(notification.commonLabels),
    commonAnnotations: Object.fromEntries(notification.commonAnnotations),
    routeLabels: Object.fromEntries(notification.routeLabels),
    externalURL: notification.externalUrl,
    version,
    groupKey: notification.groupKey,
    truncatedAlerts: truncated,
  });
}

function alertMessage(alert: NotifiedAlert): Record<string, unknown> {
  return {
    status: alert.status,
    labels: Object.fromEntries(alert.labels),
    annotations: Object.fromEntries(alert.annotations),
    startsAt: rfc3339Nano(alert.startsAtMs),
    endsAt: rfc3339Nano(alert.endsAtMs === 0 ? ZERO_TIME_MS : alert.endsAtMs),
    generatorURL: alert.generatorUrl,
    fingerprint: alert.fingerprint,
  };
}
