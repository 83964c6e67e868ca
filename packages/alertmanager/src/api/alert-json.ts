import type { Alert } from '../alert/alert.ts';
import { NOT_PLAIN, type PlainObject } from '../alert/plain-object.ts';
import { ACTIVE, type AlertStatus } from './alert-status.ts';
import type { JsonWriter } from './json-writer.ts';

const ANNOTATIONS = Buffer.from('{"annotations":');
const ENDS_AT = Buffer.from(',"endsAt":');
const FINGERPRINT = Buffer.from(',"fingerprint":"');
const RECEIVERS = Buffer.from('","receivers":[');
const NAME = Buffer.from('{"name":');
const STARTS_AT = Buffer.from('],"startsAt":');
const ACTIVE_UPDATED_AT = Buffer.from(
  ',"status":{"inhibitedBy":[],"mutedBy":[],"silencedBy":[],"state":"active"},"updatedAt":',
);
const INHIBITED_BY = Buffer.from(',"status":{"inhibitedBy":');
const MUTED_BY = Buffer.from(',"mutedBy":');
const SILENCED_BY = Buffer.from(',"silencedBy":');
const STATE = Buffer.from(',"state":');
const UPDATED_AT = Buffer.from('},"updatedAt":');
const GENERATOR_URL = Buffer.from(',"generatorURL":');
const LABELS = Buffer.from(',"labels":');
const OPEN_MAP = Buffer.from('{');
const CLOSE_MAP = Buffer.from('}');
const OPEN_LIST = Buffer.from('[');
const CLOSE_LIST = Buffer.from(']');
const COLON = Buffer.from(':');
const COMMA = Buffer.from(',');

/** An alert as `/api/v2/alerts` shows it, keys in upstream's order. */
export function writeAlert(
  json: JsonWriter,
  alert: Alert,
  receivers: readonly string[],
  status: AlertStatus,
): void {
  const { identity, annotations } = alert;
  json.raw(ANNOTATIONS);
  writeTexts(json, annotations);
  json.raw(ENDS_AT);
  json.dateTime(alert.endsAtMs);
  json.raw(FINGERPRINT);
  json.hex32(identity.fingerprintHigh);
  json.hex32(identity.fingerprintLow);
  json.raw(RECEIVERS);
  for (let i = 0; i < receivers.length; i++) {
    if (i > 0) json.raw(COMMA);
    writeReceiver(json, receivers[i]!);
  }
  json.raw(STARTS_AT);
  json.dateTime(alert.startsAtMs);
  if (status === ACTIVE) json.raw(ACTIVE_UPDATED_AT);
  else {
    json.raw(INHIBITED_BY);
    writeList(json, status.inhibitedBy);
    json.raw(MUTED_BY);
    writeList(json, status.mutedBy);
    json.raw(SILENCED_BY);
    writeList(json, status.silencedBy);
    json.raw(STATE);
    json.text(status.state);
    json.raw(UPDATED_AT);
  }
  json.dateTime(alert.updatedAtMs);
  if (alert.generatorUrl !== '') {
    json.raw(GENERATOR_URL);
    json.text(alert.generatorUrl);
  }
  json.raw(LABELS);
  writeTexts(json, identity);
  json.raw(CLOSE_MAP);
}

export function writeReceiver(json: JsonWriter, name: string): void {
  json.raw(NAME);
  json.text(name);
  json.raw(CLOSE_MAP);
}

type Texts = { readonly object: PlainObject; readonly flat: readonly string[] };

function writeTexts(json: JsonWriter, texts: Texts): void {
  if (texts.object === NOT_PLAIN) writePairs(json, texts.flat);
  else json.ascii(texts.object);
}

/** Names and values in turn, as an object. */
export function writePairs(json: JsonWriter, flat: readonly string[]): void {
  json.raw(OPEN_MAP);
  for (let i = 0; i < flat.length; i += 2) {
    if (i > 0) json.raw(COMMA);
    json.text(flat[i]!);
    json.raw(COLON);
    json.text(flat[i + 1]!);
  }
  json.raw(CLOSE_MAP);
}

function writeList(json: JsonWriter, texts: readonly string[]): void {
  json.raw(OPEN_LIST);
  texts.forEach((text, i) => {
    if (i > 0) json.raw(COMMA);
    json.text(text);
  });
  json.raw(CLOSE_LIST);
}
