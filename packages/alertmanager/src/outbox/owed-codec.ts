import { type ByteReader, ByteWriter } from '@pollux/base';
import type { Alert } from '../alert/alert.ts';
import { readAlert, readLabels, writeAlert, writeLabels } from '../alert/alert-codec.ts';
import type { NotificationReason } from '../notify/notification.ts';
import type { DeadLetter, DeathCause, Owed } from './owed.ts';

/** See outbox.md. */
export function encodeOwed(owed: Owed): Uint8Array {
  const writer = new ByteWriter(1024);
  writer.uvarintText(owed.receiverName);
  writer.uvarintText(owed.receiver.groupName);
  writer.uvarintText(owed.receiver.integration);
  writer.uvarint(owed.receiver.index);
  writer.uvarintText(owed.routeKey);
  writer.uvarintText(owed.groupKey);
  writeLabels(writer, owed.groupLabels);
  writer.uvarintText(owed.reason);
  writer.varint(owed.flushMs);
  writer.varint(owed.sinceMs);
  writer.u8(owed.isFallback ? 1 : 0);
  writer.uvarint(owed.alerts.length);
  for (const alert of owed.alerts) writeAlert(writer, alert);
  return writer.take();
}

export function readOwed(reader: ByteReader): Owed {
  const receiverName = reader.uvarintText();
  const groupName = reader.uvarintText();
  const integration = reader.uvarintText();
  const receiver = { groupName, integration, index: reader.uvarint() };
  const routeKey = reader.uvarintText();
  const groupKey = reader.uvarintText();
  const groupLabels = readLabels(reader);
  // Only texts of this type were written.
  const reason = reader.uvarintText() as NotificationReason;
  const flushMs = reader.varint();
  const sinceMs = reader.varint();
  const isFallback = reader.u8() === 1;
  const alerts: Alert[] = [];
  for (let left = reader.uvarint(); left > 0; left--) alerts.push(readAlert(reader));
  return {
    receiverName,
    receiver,
    routeKey,
    groupKey,
    groupLabels,
    reason,
    alerts,
    flushMs,
    sinceMs,
    isFallback,
  };
}

/** The order is the codes' in the file. */
const CAUSES: readonly DeathCause[] = ['refused', 'expired', 'overflow', 'unknown receiver'];

export function writeLetter(writer: ByteWriter, letter: DeadLetter, owed: Uint8Array): void {
  writer.u8(CAUSES.indexOf(letter.cause));
  writer.uvarintText(letter.error);
  writer.uvarint(letter.attempts);
  writer.varint(letter.diedMs);
  writer.uvarint(letter.deaths);
  writer.raw(owed);
}

export function readLetter(id: number, reader: ByteReader): DeadLetter {
  const cause = CAUSES[reader.u8()] ?? 'refused';
  const error = reader.uvarintText();
  const attempts = reader.uvarint();
  const diedMs = reader.varint();
  const deaths = reader.uvarint();
  return { id, owed: readOwed(reader), cause, error, attempts, diedMs, deaths, replay: null };
}
