import { InputError } from '@pollux/base';
import { FunctionError, GoTime, parseTime, type Value, ZERO_TIME_NANOS } from '@pollux/gotemplate';
import { type AlertParts, dataValue } from './data.ts';

const RFC3339 = '2006-01-02T15:04:05Z07:00';

type Json = Readonly<Record<string, unknown>>;

/** The data of a notification from a file in the form of upstream's `template.Data`. Throws InputError as Go words it. */
export function templateDataFromJson(text: string): Value {
  const data = objectIn(parsed(text), 'Go value', 'template.Data');
  return dataValue(
    {
      receiver: textIn(data, 'receiver', 'Data'),
      status: textIn(data, 'status', 'Data'),
      alerts: alertsIn(data),
      reason: textIn(data, 'notification_reason', 'Data'),
      groupLabels: pairsIn(data, 'groupLabels', 'Data'),
      commonLabels: pairsIn(data, 'commonLabels', 'Data'),
      commonAnnotations: pairsIn(data, 'commonAnnotations', 'Data'),
      routeLabels: pairsIn(data, 'routeLabels', 'Data'),
      externalUrl: textIn(data, 'externalURL', 'Data'),
    },
    { isPointer: false },
  );
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new InputError('ALERTMANAGER.TEMPLATE_DATA', '', `no JSON: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function alertsIn(data: Json): AlertParts[] {
  const alerts = member(data, 'alerts') ?? [];
  if (!Array.isArray(alerts)) throw mismatch(alerts, 'struct field Data.alerts', 'template.Alerts');
  return alerts.map((item: unknown) => {
    const alert = objectIn(item, 'struct field Data.alerts', 'template.Alert');
    return {
      status: textIn(alert, 'status', 'Alert'),
      labels: pairsIn(alert, 'labels', 'Alert'),
      annotations: pairsIn(alert, 'annotations', 'Alert'),
      startsAt: timeIn(alert, 'startsAt'),
      endsAt: timeIn(alert, 'endsAt'),
      generatorUrl: textIn(alert, 'generatorURL', 'Alert'),
      fingerprint: textIn(alert, 'fingerprint', 'Alert'),
    };
  });
}

/** Go finds members by name without regard to case, the exact one first. */
function member(object: Json, name: string): unknown {
  if (Object.hasOwn(object, name)) return object[name];
  const key = Object.keys(object).find((known) => known.toLowerCase() === name.toLowerCase());
  return key === undefined ? undefined : object[key];
}

function objectIn(value: unknown, place: string, type: string): Json {
  if (value === null) return {};
  if (typeof value !== 'object' || Array.isArray(value)) throw mismatch(value, place, type);
  return value as Json;
}

function textIn(object: Json, name: string, type: string): string {
  const value = member(object, name) ?? '';
  if (typeof value !== 'string') throw mismatch(value, `struct field ${type}.${name}`, 'string');
  return value;
}

function pairsIn(object: Json, name: string, type: string): [string, string][] {
  const map = objectIn(member(object, name) ?? {}, `struct field ${type}.${name}`, 'template.KV');
  return Object.entries(map).map(([key, value]) => {
    if (value === null) return [key, ''];
    if (typeof value !== 'string') throw mismatch(value, `struct field ${type}.${name}`, 'string');
    return [key, value];
  });
}

function timeIn(alert: Json, name: string): GoTime {
  const value = member(alert, name) ?? null;
  if (value === null) return new GoTime(ZERO_TIME_NANOS);
  if (typeof value !== 'string') {
    throw new InputError(
      'ALERTMANAGER.TEMPLATE_DATA',
      '',
      'Time.UnmarshalJSON: input is not a JSON string',
    );
  }
  try {
    return parseTime(RFC3339, value);
  } catch (error) {
    if (!(error instanceof FunctionError)) throw error;
    throw new InputError('ALERTMANAGER.TEMPLATE_DATA', '', error.message, { cause: error });
  }
}

function mismatch(value: unknown, place: string, type: string): InputError {
  const what = Array.isArray(value)
    ? 'array'
    : typeof value === 'boolean'
      ? 'bool'
      : String(typeof value);
  return new InputError(
    'ALERTMANAGER.TEMPLATE_DATA',
    '',
    `json: cannot unmarshal ${what} into Go ${place} of type ${type}`,
  );
}
