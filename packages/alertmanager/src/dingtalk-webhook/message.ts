import { InputError } from '@pollux/base';
import { Labels } from '@pollux/model';
import type { Notification, NotifiedAlert } from '../notify/notification.ts';

class MessageError extends InputError {
  constructor(place: string, message: string) {
    super('ALERTMANAGER.BAD_WEBHOOK', place, message);
  }
}

const MAX_ALERTS = 100_000;

/** Reads a webhook message of an Alertmanager, version 4; fields that are missing are empty, as Go's decoder has it. */
export function notificationFrom(text: string): Notification {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new MessageError('', 'the body is no JSON');
  }
  const fields = mapOf(value, 'body');
  const alerts = Array.isArray(fields.alerts) ? fields.alerts : [];
  if (alerts.length > MAX_ALERTS) throw new MessageError('alerts', `more than ${MAX_ALERTS}`);
  return {
    receiver: textOf(fields.receiver, 'receiver'),
    status: textOf(fields.status, 'status') === 'resolved' ? 'resolved' : 'firing',
    alerts: alerts.map(alertFrom),
    reason: 'unknown',
    groupLabels: labelsOf(fields.groupLabels, 'groupLabels'),
    commonLabels: labelsOf(fields.commonLabels, 'commonLabels'),
    commonAnnotations: new Map(pairsOf(fields.commonAnnotations, 'commonAnnotations')),
    routeLabels: labelsOf(fields.routeLabels, 'routeLabels'),
    externalUrl: textOf(fields.externalURL, 'externalURL'),
    groupKey: textOf(fields.groupKey, 'groupKey'),
  };
}

function alertFrom(value: unknown, index: number): NotifiedAlert {
  const place = `alerts[${index}]`;
  const fields = mapOf(value, place);
  const endsAtMs = timeOf(fields.endsAt, `${place}.endsAt`);
  return {
    status: textOf(fields.status, `${place}.status`) === 'resolved' ? 'resolved' : 'firing',
    labels: labelsOf(fields.labels, `${place}.labels`),
    annotations: new Map(pairsOf(fields.annotations, `${place}.annotations`)),
    startsAtMs: timeOf(fields.startsAt, `${place}.startsAt`),
    // Go's zero time: the alert has not ended.
    endsAtMs: Math.max(endsAtMs, 0),
    generatorUrl: textOf(fields.generatorURL, `${place}.generatorURL`),
    fingerprint: textOf(fields.fingerprint, `${place}.fingerprint`),
    acknowledgedBy: [],
  };
}

function mapOf(value: unknown, place: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Readonly<Record<string, unknown>>;
  }
  throw new MessageError(place, 'must be an object');
}

function textOf(value: unknown, place: string): string {
  if (value === undefined || value === null) return '';
  if (typeof value !== 'string') throw new MessageError(place, 'must be a string');
  return value;
}

function timeOf(value: unknown, place: string): number {
  const text = textOf(value, place);
  if (text === '') return 0;
  const timeMs = Date.parse(text);
  if (Number.isNaN(timeMs)) throw new MessageError(place, 'must be a time of RFC 3339');
  return timeMs;
}

function pairsOf(value: unknown, place: string): [string, string][] {
  if (value === undefined || value === null) return [];
  return Object.entries(mapOf(value, place)).map(([name, text]) => [
    name,
    textOf(text, `${place}.${name}`),
  ]);
}

function labelsOf(value: unknown, place: string): Labels {
  return Labels.from(pairsOf(value, place));
}
