import { type HttpResponse, OperatingError, Slices, slicedSort } from '@pollux/base';
import type { Exchange } from '@pollux/http';
import { compareText, Labels, matchesAll } from '@pollux/model';
import { type Alert, isResolvedAt } from '../alert/alert.ts';
import type { AggregationGroup } from '../dispatch/aggregation-group.ts';
import { notificationOf } from '../notify/notification.ts';
import { routeLabels } from '../notify/route-labels.ts';
import { mutedBy } from '../time-interval/route-times.ts';
import { writeAlert, writePairs, writeReceiver } from './alert-json.ts';
import { statusOf } from './alert-status.ts';
import type { ApiOptions } from './api-options.ts';
import { byFingerprint } from './by-fingerprint.ts';
import { flagOf, matchersOf, receiverTest } from './filters.ts';
import { statusTest } from './get-alerts.ts';
import type { JsonWriter } from './json-writer.ts';
import { answerWritten, SEPARATOR } from './respond.ts';

export async function getGroups(api: ApiOptions, exchange: Exchange): Promise<HttpResponse> {
  const { query } = exchange;
  const live = api.live();
  const nowMs = api.clock.now();
  const isWanted = statusTest(query);
  const showsMuted = flagOf(query, 'muted');
  const matchers = matchersOf(query, 'filter', api.matcherMode);
  const isReceiver = receiverTest(query, api.matcherMode, (name) => live.receiverLabels(name));
  const groups: AggregationGroup[] = [];
  for (const group of live.dispatcher.groups()) {
    if (isReceiver(group.route.settings.receiver)) groups.push(group);
  }
  const slices = new Slices(api.clock);
  const found: Found[] = [];
  let looked = 0;
  for (const group of groups) {
    const muting = mutedBy(group.route.settings, live.timeIntervals, nowMs);
    if (muting.length > 0 && !showsMuted) continue;
    const alerts: Alert[] = [];
    for (const alert of group.alerts) {
      if (++looked % LOOKS_EVERY === 0 && slices.isOver) await slices.pause();
      if (!matchesAll(matchers, alert.identity) || isResolvedAt(alert, nowMs)) continue;
      if (isWanted(statusOf(alert, api.silences, live, nowMs, muting))) alerts.push(alert);
    }
    if (alerts.length === 0) continue;
    const order = alerts.length === 1 ? ONLY : await byFingerprint(alerts, slices);
    found.push({ group, muting, alerts, order });
  }
  const order = Uint32Array.from(found.keys());
  await slicedSort(order, (a, b) => compareGroups(found[a]!.group, found[b]!.group), slices);
  return answerWritten(api.clock, function* (json: JsonWriter) {
    for (const index of order) {
      const { group, muting, alerts, order: shown } = found[index]!;
      json.raw(SEPARATOR);
      json.raw(ALERTS);
      for (let i = 0; i < shown.length; i++) {
        const alert = alerts[shown[i]!]!;
        if (i > 0) json.raw(SEPARATOR);
        const status = statusOf(alert, api.silences, live, nowMs, muting);
        writeAlert(json, alert, live.dispatcher.receiversOf(alert.identity), status);
        yield;
      }
      json.raw(LABELS);
      writePairs(json, [...group.labels].flat());
      json.raw(RECEIVER);
      writeReceiver(json, group.route.settings.receiver);
      json.raw(ROUTE_LABELS);
      writePairs(json, [...labelsOfRoute(api, group, alerts, nowMs)].flat());
      json.raw(CLOSE_MAP);
      yield;
    }
  });
}

/** The clock is looked at after so many alerts. */
const LOOKS_EVERY = 16;
const ALERTS = Buffer.from('{"alerts":[');
const LABELS = Buffer.from('],"labels":');
const RECEIVER = Buffer.from(',"receiver":');
const ROUTE_LABELS = Buffer.from(',"routeLabels":');
const CLOSE_MAP = Buffer.from('}');
/** The order of a single alert. */
const ONLY = Uint32Array.of(0);

type Found = {
  readonly group: AggregationGroup;
  /** Names of time intervals. */
  readonly muting: readonly string[];
  readonly alerts: readonly Alert[];
  /** Of indexes in `alerts`. */
  readonly order: Uint32Array;
};

function compareGroups(a: AggregationGroup, b: AggregationGroup): number {
  return (
    a.labels.compare(b.labels) || compareText(a.route.settings.receiver, b.route.settings.receiver)
  );
}

/** Filled in from the alerts shown; a template that fails shows as it is written, since a list has no place for errors. */
function labelsOfRoute(
  api: ApiOptions,
  group: AggregationGroup,
  alerts: readonly Alert[],
  nowMs: number,
): Labels {
  const { settings } = group.route;
  if (Object.keys(settings.labels).length === 0) return Labels.EMPTY;
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
    return routeLabels(group.route, api.live().templates, notification);
  } catch (error) {
    if (OperatingError.is(error)) return Labels.from(settings.labels);
    throw error;
  }
}
