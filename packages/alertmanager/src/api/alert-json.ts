import type { Alert } from '../alert/alert.ts';
import { ACTIVE, type AlertStatus } from './alert-status.ts';
import type { JsonWriter } from './json-writer.ts';

const ANNOTATIONS = Buffer.from('{"annotations":');
const ENDS_AT = Buffer.from(',"endsAt":');
const FINGERPRINT = Buffer.from(',"fingerprint":');
const RECEIVERS = Buffer.from(',"receivers":[');
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
  const { labels, fingerprint } = alert.identity;
  json.raw(ANNOTATIONS);
  writePairs(json, alert.annotations);
  json.raw(ENDS_AT);
  json.dateTime(alert.endsAtMs);
  json.raw(FINGERPRINT);
  json.text(fingerprint);
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
    writeTexts(json, status.inhibitedBy);
    json.raw(MUTED_BY);
    writeTexts(json, status.mutedBy);
    json.raw(SILENCED_BY);
    writeTexts(json, status.silencedBy);
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
  writePairs(json, labels);
  json.raw(CLOSE_MAP);
}

export function writeReceiver(json: JsonWriter, name: string): void {
  json.raw(NAME);
  json.text(name);
  json.raw(CLOSE_MAP);
}

type Pairs = {
  readonly size: number;
  nameAt(index: number): string;
  valueAt(index: number): string;
};

/** As an object. */
export function writePairs(json: JsonWriter, pairs: Pairs): void {
  json.raw(OPEN_MAP);
  for (let i = 0; i < pairs.size; i++) {
    if (i > 0) json.raw(COMMA);
    json.text(pairs.nameAt(i));
    json.raw(COLON);
    json.text(pairs.valueAt(i));
  }
  json.raw(CLOSE_MAP);
}

function writeTexts(json: JsonWriter, texts: readonly string[]): void {
  json.raw(OPEN_LIST);
  texts.forEach((text, i) => {
    if (i > 0) json.raw(COMMA);
    json.text(text);
  });
  json.raw(CLOSE_LIST);
}
