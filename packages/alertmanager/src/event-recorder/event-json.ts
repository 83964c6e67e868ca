import { type Labels, type Matcher, type MatchOperator, quoteText } from '@pollux/model';
import { type Alert, isResolvedAt } from '../alert/alert.ts';
import type { DeliveryEvent } from '../events/notify-event.ts';
import type { Inhibition } from '../inhibit/inhibitor.ts';
import { formatMatcher } from '../matcher/format.ts';
import type { Flush } from '../notify/batch.ts';
import type { NotificationReason } from '../notify/notification.ts';
import { groupHash } from '../notify/receivers/group-hash.ts';
import type { Silence } from '../silence/silence.ts';
import { toMs } from '../wire/timestamp.ts';

/**
 * The event recorder's messages as upstream's are in JSON: fields that are empty are left out, numbers of 64 bits are texts. `groupUuid`,
 * which names the object of a group in one process, is not told.
 */
export type RecordedEvent = {
  /** As metrics have it. */
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
};

const MATCHER_TYPES: Readonly<Record<MatchOperator, string>> = {
  '=': 'TYPE_EQUAL',
  '=~': 'TYPE_REGEXP',
  '!=': 'TYPE_NOT_EQUAL',
  '!~': 'TYPE_NOT_REGEXP',
};

/** Others are upstream's default, which is not written. */
const REASONS: Readonly<Partial<Record<NotificationReason, string>>> = {
  'first notification': 'NOTIFY_REASON_FIRST_NOTIFICATION',
  'new alerts added': 'NOTIFY_REASON_NEW_ALERTS_IN_GROUP',
  'some alerts resolved': 'NOTIFY_REASON_NEW_RESOLVED_ALERTS',
  'all alerts resolved': 'NOTIFY_REASON_ALL_ALERTS_RESOLVED',
  'repeat interval elapsed': 'NOTIFY_REASON_REPEAT_INTERVAL_ELAPSED',
};

export type GroupName = {
  readonly key: string;
  readonly labels: Labels;
  readonly receiver: string;
};

export function startupEvent(version: string, buildContext: string): RecordedEvent {
  const name = 'alertmanagerStartupEvent';
  return { type: 'alertmanager_startup_event', data: { [name]: { version, buildContext } } };
}

export function shutdownEvent(): RecordedEvent {
  return { type: 'alertmanager_shutdown_event', data: { alertmanagerShutdownEvent: {} } };
}

export function alertCreatedEvent(alert: Alert, nowMs: number): RecordedEvent {
  return { type: 'alert_created', data: { alertCreated: { alert: alertJson(alert, nowMs) } } };
}

export function alertGroupedEvent(alert: Alert, group: GroupName, nowMs: number): RecordedEvent {
  const content = { alert: groupedJson(alert, nowMs), groupInfo: groupJson(group) };
  return { type: 'alert_grouped', data: { alertGrouped: content } };
}

export function alertResolvedEvent(alert: Alert, group: GroupName, nowMs: number): RecordedEvent {
  const content = { alert: groupedJson(alert, nowMs), groupInfo: groupJson(group) };
  return { type: 'alert_resolved', data: { alertResolved: content } };
}

export function silenceEvent(change: 'created' | 'edited', silence: Silence): RecordedEvent {
  const content = { silence: silenceJson(silence) };
  return change === 'created'
    ? { type: 'silence_created', data: { silenceCreated: content } }
    : { type: 'silence_updated', data: { silenceUpdated: content } };
}

export function silenceMutedEvent(alert: Alert, silence: Silence): RecordedEvent {
  const content = { silence: silenceJson(silence), mutedAlert: mutedJson(alert) };
  return { type: 'silence_muted_alert', data: { silenceMutedAlert: content } };
}

export function inhibitionMutedEvent(alert: Alert, { rule, source }: Inhibition): RecordedEvent {
  const content = {
    inhibitRules: [
      filled({
        sourceMatchers: rule.source.map(matcherJson),
        targetMatchers: rule.target.map(matcherJson),
        equalLabels: [...rule.equal].sort(),
        name: rule.name,
      }),
    ],
    mutedAlert: mutedJson(alert),
    inhibitingFingerprints: [uint64(source.identity.fingerprint)],
  };
  return { type: 'inhibition_muted_alert', data: { inhibitionMutedAlert: content } };
}

export function notificationEvent(
  { flush, receiver, alerts, outcome }: DeliveryEvent,
  muted: readonly bigint[],
): RecordedEvent {
  const isResolved = (alert: Alert): boolean => isResolvedAt(alert, flush.nowMs);
  const hashes = (of: readonly Alert[]): object[] =>
    of.map(({ identity }) => ({ hash: String(identity.hash) }));
  const { settings, matchers } = flush.route;
  const content = filled({
    alerts: alerts.map((alert) => groupedJson(alert, flush.nowMs)),
    firingAlerts: hashes(alerts.filter((alert) => !isResolved(alert))),
    resolvedAlerts: hashes(alerts.filter(isResolved)),
    mutedAlerts: muted.map((hash) => ({ hash: String(hash) })),
    groupInfo: {
      ...groupJson({
        key: flush.groupKey,
        labels: flush.groupLabels,
        receiver: receiver.groupName,
      }),
      ...filled({ matchers: matchers.map(matcherJson) }),
    },
    repeatInterval: `${settings.repeatIntervalMs / 1_000}s`,
    reason: REASONS[outcome.reason] ?? '',
    flushId: flush.number === 0 ? '' : String(flush.number),
    integration: filled({
      name: receiver.integration,
      index: receiver.index === 0 ? '' : String(receiver.index),
    }),
  });
  return { type: 'notification', data: { notification: content } };
}

/** One for a flush and its copies, which are made on its way. */
export function flushKey({ signal }: Flush): object {
  return signal;
}

function alertJson(alert: Alert, nowMs: number): object {
  const { labels, fingerprint } = alert.identity;
  return filled({
    fingerprint: uint64(fingerprint),
    name: labels.get('alertname'),
    labels: labelsJson(labels),
    annotations: pairsJson(alert.annotations),
    startsAt: timeJson(alert.startsAtMs),
    endsAt: alert.endsAtMs === 0 ? '0001-01-01T00:00:00Z' : timeJson(alert.endsAtMs),
    resolved: isResolvedAt(alert, nowMs) ? true : '',
  });
}

function groupedJson(alert: Alert, nowMs: number): object {
  return { hash: String(alert.identity.hash), details: alertJson(alert, nowMs) };
}

function mutedJson({ identity }: Alert): object {
  return { labels: labelsJson(identity.labels), fingerprint: uint64(identity.fingerprint) };
}

function groupJson({ key, labels, receiver }: GroupName): object {
  return filled({
    groupKey: key,
    groupLabels: labelsJson(labels),
    groupId: groupHash(key),
    receiverName: receiver,
  });
}

function silenceJson(silence: Silence): object {
  const matchers = silence.matchers.map(({ name, operator, pattern }) => ({
    type: MATCHER_TYPES[operator],
    name,
    pattern,
    rendered: `${name}${operator}${quoteText(pattern)}`,
  }));
  return filled({
    id: silence.id,
    matchers,
    annotations: silence.annotations.size === 0 ? '' : pairsJson(silence.annotations.entries()),
    startsAt: timeJson(toMs(silence.startsAt)),
    endsAt: timeJson(toMs(silence.endsAt)),
    updatedAt: timeJson(toMs(silence.updatedAt)),
    createdBy: silence.createdBy,
    comment: silence.comment,
    matcherSets: [{ matchers }],
  });
}

function matcherJson(matcher: Matcher): object {
  const { name, operator, value } = matcher;
  const rendered = formatMatcher(matcher);
  return filled({ type: MATCHER_TYPES[operator], name, pattern: value, rendered });
}

function labelsJson(labels: Labels): object {
  return pairsJson(labels);
}

function pairsJson(pairs: Iterable<readonly [string, string]>): object {
  const labels = [...pairs].map(([key, value]) => filled({ key, value }));
  return filled({ labels });
}

function uint64(hexadecimal: string): string {
  return String(BigInt(`0x${hexadecimal}`));
}

/** Whole seconds have no fraction. */
function timeJson(ms: number): string {
  return new Date(ms).toISOString().replace('.000Z', 'Z');
}

/** Without what is empty, as protobuf's JSON has it. */
function filled(fields: Readonly<Record<string, unknown>>): object {
  const isEmpty = (value: unknown): boolean =>
    value === '' || (Array.isArray(value) && value.length === 0);
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => !isEmpty(value)));
}
