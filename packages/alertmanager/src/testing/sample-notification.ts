import { Labels } from '@pollux/model';
import { type Alert, AlertIdentity } from '../alert/alert.ts';
import { Annotations } from '../alert/annotations.ts';
import {
  type Notification,
  type NotificationContext,
  notificationOf,
} from '../notify/notification.ts';
import { START_MS } from './world.ts';

/** An alert that began at the start of the world; `endsAtMs` 0 fires. For tests. */
export function sampleAlert(
  labels: Readonly<Record<string, string>>,
  annotations: Readonly<Record<string, string>> = {},
  endsAtMs = 0,
): Alert {
  return {
    identity: new AlertIdentity(Labels.from(labels)),
    annotations: Annotations.from(Object.entries(annotations)),
    startsAtMs: START_MS,
    endsAtMs,
    updatedAtMs: START_MS,
    generatorUrl: 'http://prom/graph?g0.expr=up&g0.tab=1',
    isTimeout: false,
  };
}

export function sampleNotification(
  alerts: readonly Alert[],
  context: Partial<NotificationContext> = {},
): Notification {
  return notificationOf(alerts, {
    receiver: 'web.hook',
    reason: 'first notification',
    groupLabels: Labels.from({ alertname: 'Down' }),
    routeLabels: Labels.EMPTY,
    externalUrl: 'http://am.example',
    groupKey: '{}:{alertname="Down"}',
    nowMs: START_MS + 60_000,
    ...context,
  });
}
