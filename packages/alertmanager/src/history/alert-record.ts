import { ByteReader, type ByteWriter, DecodeError } from '@pollux/base';
import type { Alert } from '../alert/alert.ts';
import { readAlert } from '../alert/alert-codec.ts';
import { formatDateTime } from '../api/time.ts';
import type { AlertRecord } from './record.ts';

/** In the order of their codes. */
const CHANGES: readonly AlertRecord['change'][] = ['fired', 'resolved', 'timed out'];

/** What history shows of an alert. */
export function alertRecordOf(
  change: AlertRecord['change'],
  fingerprint: string,
  alert: Alert,
): AlertRecord {
  const { identity, annotations, startsAtMs, endsAtMs, generatorUrl } = alert;
  return {
    change,
    fingerprint,
    labels: identity.labels.toObject(),
    annotations: Object.fromEntries(annotations),
    startsAt: formatDateTime(startsAtMs),
    endsAt: formatDateTime(endsAtMs),
    generatorURL: generatorUrl,
  };
}

/** The same as bytes: the alert's own are those of the file `alerts`; see history-log.md. */
export function writeAlertRecord(
  writer: ByteWriter,
  change: AlertRecord['change'],
  fingerprint: string,
  bytes: Uint8Array,
): void {
  writer.u8(CHANGES.indexOf(change));
  writer.uvarintText(fingerprint);
  writer.raw(bytes);
}

export function readAlertRecord(body: Uint8Array): AlertRecord {
  const reader = new ByteReader(body);
  const change = CHANGES[reader.u8()];
  if (change === undefined) throw new DecodeError('no known change of an alert', 0);
  const fingerprint = reader.uvarintText();
  return alertRecordOf(change, fingerprint, readAlert(reader));
}
