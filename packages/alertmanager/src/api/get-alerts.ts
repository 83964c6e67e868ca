import type { HttpResponse } from '@pollux/base';
import type { Exchange } from '@pollux/http';
import { compareText, matchesAll } from '@pollux/model';
import { type Alert, isResolvedAt } from '../alert/alert.ts';
import { type AlertStatusView, alertView, statusOf } from './alert-view.ts';
import type { ApiOptions } from './api-options.ts';
import { flagOf, matchersOf, receiverTest } from './filters.ts';
import { Pacer } from './pacer.ts';
import { answerList } from './respond.ts';

export async function getAlerts(api: ApiOptions, exchange: Exchange): Promise<HttpResponse> {
  const { query } = exchange;
  const live = api.live();
  const nowMs = api.clock.now();
  const isWanted = statusTest(query);
  const matchers = matchersOf(query, 'filter', api.matcherMode);
  const isReceiver = receiverTest(query, api.matcherMode, (name) => live.receiverLabels(name));
  const pacer = new Pacer(api.clock);
  const found: Found[] = [];
  // A copy: alerts may arrive and leave between turns.
  for (const alert of [...api.provider.all()]) {
    const pause = pacer.step();
    if (pause !== null) await pause;
    const { labels } = alert.identity;
    if (isResolvedAt(alert, nowMs) || !matchesAll(matchers, labels)) continue;
    const receivers = live.route.match(labels).map(({ settings }) => settings.receiver);
    if (!receivers.some(isReceiver)) continue;
    const status = statusOf(alert, api.silences, live, nowMs);
    if (isWanted(status)) found.push({ alert, receivers, status });
  }
  found.sort((a, b) => compareText(a.alert.identity.fingerprint, b.alert.identity.fingerprint));
  return answerList(api.clock, found, ({ alert, receivers, status }) =>
    alertView(alert, receivers, status),
  );
}

type Found = {
  readonly alert: Alert;
  readonly receivers: readonly string[];
  readonly status: AlertStatusView;
};

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
