import { Labels } from '@pollux/model';
import type { Alert } from '../alert/alert.ts';
import type { LiveConfig } from '../live-config.ts';
import {
  type AcknowledgementNote,
  type Notification,
  type NotificationReason,
  notificationOf,
} from '../notify/notification.ts';
import { routeLabels } from '../notify/route-labels.ts';
import { groupKey } from '../route/route.ts';

export type PreviewOptions = {
  /** Empty for the one that the first alert's route names. */
  readonly receiver: string;
  readonly reason: NotificationReason;
  readonly externalUrl: string;
  readonly nowMs: number;
  readonly acknowledgedBy: (alert: Alert) => readonly AcknowledgementNote[];
};

/** The notification that these alerts would give together, with the group that the first one's route puts it in. */
export function previewNotification(
  live: LiveConfig,
  alerts: readonly Alert[],
  { receiver, ...options }: PreviewOptions,
): Notification {
  const labels = alerts[0]?.identity.labels ?? Labels.EMPTY;
  const routes = live.route.match(labels);
  const route =
    routes.find(({ settings }) => receiver === '' || settings.receiver === receiver) ??
    routes[0] ??
    live.route;
  const groupLabels = route.groupLabels(labels);
  const plain = notificationOf(alerts, {
    ...options,
    receiver: receiver === '' ? route.settings.receiver : receiver,
    groupLabels,
    routeLabels: Labels.EMPTY,
    groupKey: groupKey(route, groupLabels),
  });
  return { ...plain, routeLabels: routeLabels(route, live.templates, plain) };
}
