import { type HttpResponse, Slices } from '@pollux/base';
import type { Exchange } from '@pollux/http';
import { matchesAll } from '@pollux/model';
import { type Alert, isResolvedAt } from '../alert/alert.ts';
import { goJsonText } from '../wire/go-json.ts';
import { writeAlert } from './alert-json.ts';
import { type AlertStatus, statusOf } from './alert-status.ts';
import type { ApiOptions } from './api-options.ts';
import { byFingerprint } from './by-fingerprint.ts';
import { flagOf, matchersOf, receiverTest } from './filters.ts';
import type { JsonWriter } from './json-writer.ts';
import { answerWritten, SEPARATOR } from './respond.ts';

/** The clock is looked at after so many alerts. */
const LOOKS_EVERY = 16;

export async function getAlerts(api: ApiOptions, exchange: Exchange): Promise<HttpResponse> {
  return listAlerts(api, exchange.query, null);
}

/** `more`, when given, returns further fields of an alert. */
export async function listAlerts(
  api: Pick<ApiOptions, 'live' | 'clock' | 'matcherMode' | 'provider' | 'silences'>,
  query: URLSearchParams,
  more: ((alert: Alert) => object) | null,
): Promise<HttpResponse> {
  const live = api.live();
  const nowMs = api.clock.now();
  const isWanted = statusTest(query);
  const matchers = matchersOf(query, 'filter', api.matcherMode);
  const isReceiver = receiverTest(query, api.matcherMode, (name) => live.receiverLabels(name));
  const slices = new Slices(api.clock);
  const found: Alert[] = [];
  let looked = 0;
  for (const alert of api.provider.list()) {
    if (++looked % LOOKS_EVERY === 0 && slices.isOver) await slices.pause();
    if (!matchesAll(matchers, alert.identity) || isResolvedAt(alert, nowMs)) continue;
    if (live.dispatcher.receiversOf(alert.identity).some(isReceiver)) found.push(alert);
  }
  const order = await byFingerprint(found, slices);
  return answerWritten(api.clock, function* (json: JsonWriter) {
    for (const index of order) {
      const alert = found[index]!;
      const status = statusOf(alert, api.silences, live, nowMs);
      if (isWanted(status)) {
        json.raw(SEPARATOR);
        writeAlert(json, alert, live.dispatcher.receiversOf(alert.identity), status);
        if (more !== null) {
          // In place of the closing brace.
          json.truncate(json.size - 1);
          json.raw(Buffer.from(`,${goJsonText(more(alert)).slice(1)}`));
        }
      }
      yield;
    }
  });
}

/** The three switches: each, when false, leaves out what it names. */
export function statusTest(query: URLSearchParams): (status: AlertStatus) => boolean {
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
