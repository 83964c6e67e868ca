import type { ByteReader, ByteWriter } from '@pollux/base';
import { Labels } from '@pollux/model';
import { type Alert, AlertIdentity } from './alert.ts';
import { Annotations } from './annotations.ts';
import { NOT_PLAIN, writeObject } from './plain-object.ts';

/** The part of an alert that changes each time its sender repeats it. */
export type AlertTimes = Pick<Alert, 'startsAtMs' | 'endsAtMs' | 'updatedAtMs' | 'isTimeout'>;

/** labels, annotations, source, times; see alerts.md. */
export function writeAlert(writer: ByteWriter, alert: Alert): void {
  const { identity, annotations } = alert;
  if (identity.object === NOT_PLAIN) writeLabels(writer, identity.labels);
  else writeObject(writer, identity.object);
  if (annotations.object === NOT_PLAIN) writeTexts(writer, annotations.flat);
  else writeObject(writer, annotations.object);
  writer.uvarintText(alert.generatorUrl);
  writeTimes(writer, alert);
}

/** The identity is a new one; whoever knows the labels already replaces it. */
export function readAlert(reader: ByteReader): Alert {
  const identity = new AlertIdentity(readLabels(reader));
  const annotations = Annotations.from(readPairs(reader));
  const generatorUrl = reader.uvarintText();
  return { identity, annotations, generatorUrl, ...readTimes(reader) };
}

export function writeTimes(writer: ByteWriter, times: AlertTimes): void {
  writer.varint(times.startsAtMs);
  writer.varint(times.endsAtMs);
  writer.varint(times.updatedAtMs);
  writer.u8(times.isTimeout ? 1 : 0);
}

export function readTimes(reader: ByteReader): AlertTimes {
  return {
    startsAtMs: reader.varint(),
    endsAtMs: reader.varint(),
    updatedAtMs: reader.varint(),
    isTimeout: (reader.u8() & 1) === 1,
  };
}

/** All but the times. */
export function isSameContent(a: Alert, b: Alert): boolean {
  return a.generatorUrl === b.generatorUrl && a.annotations.equals(b.annotations);
}

export function writeLabels(writer: ByteWriter, labels: Labels): void {
  writeTexts(writer, [...labels].flat());
}

export function readLabels(reader: ByteReader): Labels {
  return Labels.from(readPairs(reader));
}

function writeTexts(writer: ByteWriter, flat: readonly string[]): void {
  writer.uvarint(flat.length / 2);
  for (const text of flat) writer.uvarintText(text);
}

function readPairs(reader: ByteReader): (readonly [string, string])[] {
  const pairs: (readonly [string, string])[] = [];
  for (let left = reader.uvarint(); left > 0; left--) {
    pairs.push([reader.uvarintText(), reader.uvarintText()]);
  }
  return pairs;
}
