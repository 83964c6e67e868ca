import type { HttpResponse } from '@pollux/base';
import type { Exchange } from '@pollux/http';
import { compareText, matchesAll } from '@pollux/model';
import { isResolvedAt } from '../alert/alert.ts';
import { type AlertStatusView, type AlertView, alertView, statusOf } from './alert-view.ts';
import type { ApiOptions } from './api.ts';
import { flagOf, matchersOf, receiverTest } from './filters.ts';
import { answer } from './respond.ts';

export async function getAlerts(api: ApiOptions, exchange: Exchange): Promise<HttpResponse> {
  const { query } = exchange;
  const live = api.live();
  const nowMs = api.clock.now();
  const isWanted = statusTest(query);
  const matchers = matchersOf(query, 'filter', api.matcherMode);
  const isReceiver = receiverTest(query, api.matcherMode, (name) => live.receiverLabels(name));
  const views: AlertView[] = [];
  for (const alert of api.provider.all()) {
    const { labels } = alert.identity;
    if (isResolvedAt(alert, nowMs) || !matchesAll(matchers, labels)) continue;
    const receivers = live.route.match(labels).map(({ settings }) => settings.receiver);
    if (!receivers.some(isReceiver)) continue;
    const status = statusOf(alert, api.silences, live, nowMs);
    if (isWanted(status)) views.push(alertView(alert, receivers, status));
  }
  views.sort((a, b) => compareText(a.fingerprint, b.fingerprint));
  return answer(200, views);
}

/** The three switches: each, when false, leaves out what it names. */
export function statusTest(query: URLSearchParams): (status: AlertStatusView) => boolean {
  const active = flagOf(query, 'active');
  const silenced = flagOf(query, 'silenced');
  const inhibited = flagOf(query, 'inhibited');
  // Read for its check only: alerts are processed when they are received.
  flagOf(query, 'unprocessed');
  return (status) =>
    (active || status.state !== 'active') &&
    (silenced || status.silencedBy.length === 0) &&
    (inhibited || status.inhibitedBy.length === 0);
}
