import type { GettableAlert } from '@pollux/api-types';
import { type HttpResponse, OperatingError } from '@pollux/base';
import type { Exchange } from '@pollux/http';
import { compareText, Labels, matchesAll } from '@pollux/model';
import { type Alert, isResolvedAt } from '../alert/alert.ts';
import type { AggregationGroup } from '../dispatch/aggregation-group.ts';
import { notificationOf } from '../notify/notification.ts';
import { routeLabels } from '../notify/route-labels.ts';
import { mutedBy } from '../time-interval/route-times.ts';
import { alertView, statusOf } from './alert-view.ts';
import type { ApiOptions } from './api-options.ts';
import { flagOf, matchersOf, receiverTest } from './filters.ts';
import { statusTest } from './get-alerts.ts';
import { Pacer } from './pacer.ts';
import { answerList } from './respond.ts';

export async function getGroups(api: ApiOptions, exchange: Exchange): Promise<HttpResponse> {
  const { query } = exchange;
  const live = api.live();
  const nowMs = api.clock.now();
  const isWanted = statusTest(query);
  const showsMuted = flagOf(query, 'muted');
  const matchers = matchersOf(query, 'filter', api.matcherMode);
  const isReceiver = receiverTest(query, api.matcherMode, (name) => live.receiverLabels(name));
  const found: Found[] = [];
  const pacer = new Pacer(api.clock);
  for (const group of [...live.dispatcher.groups()]) {
    const { receiver } = group.route.settings;
    if (!isReceiver(receiver)) continue;
    const muting = mutedBy(group.route.settings, live.timeIntervals, nowMs);
    if (muting.length > 0 && !showsMuted) continue;
    const shown: Alert[] = [];
    const alerts: GettableAlert[] = [];
    for (const alert of [...group.alerts]) {
      const pause = pacer.step();
      if (pause !== null) await pause;
      const { labels } = alert.identity;
      if (isResolvedAt(alert, nowMs) || !matchesAll(matchers, labels)) continue;
      const status = statusOf(alert, api.silences, live, nowMs, muting);
      if (!isWanted(status)) continue;
      shown.push(alert);
      const receivers = live.route.match(labels).map(({ settings }) => settings.receiver);
      alerts.push(alertView(alert, receivers, status));
    }
    if (alerts.length === 0) continue;
    alerts.sort((a, b) => compareText(a.fingerprint, b.fingerprint));
    const labelled = labelsOfRoute(api, group, shown, nowMs);
    found.push({ labels: group.labels, receiver, alerts, routeLabels: labelled });
  }
  found.sort((a, b) => a.labels.compare(b.labels) || compareText(a.receiver, b.receiver));
  return answerList(api.clock, found, ({ labels, receiver, alerts, routeLabels }) => ({
    alerts,
    labels: labels.toObject(),
    receiver: { name: receiver },
    routeLabels,
  }));
}

type Found = {
  readonly labels: Labels;
  readonly receiver: string;
  readonly alerts: GettableAlert[];
  readonly routeLabels: Readonly<Record<string, string>>;
};

/** Filled in from the alerts shown; a template that fails shows as it is written, since a list has no place for errors. */
function labelsOfRoute(
  api: ApiOptions,
  group: AggregationGroup,
  alerts: readonly Alert[],
  nowMs: number,
): Readonly<Record<string, string>> {
  const { settings } = group.route;
  if (Object.keys(settings.labels).length === 0) return {};
  const notification = notificationOf(alerts, {
    receiver: settings.receiver,
    reason: 'unknown',
    groupLabels: group.labels,
    routeLabels: Labels.EMPTY,
    externalUrl: api.externalUrl,
    groupKey: group.key,
    nowMs,
  });
  try {
    return routeLabels(group.route, api.live().templates, notification).toObject();
  } catch (error) {
    if (OperatingError.is(error)) return settings.labels;
    throw error;
  }
}
