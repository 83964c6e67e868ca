import type { ByteReader, ByteWriter } from '@pollux/base';
import { Labels } from '@pollux/model';
import { type Alert, AlertIdentity } from './alert.ts';
import { Annotations } from './annotations.ts';

/** The part of an alert that changes each time its sender repeats it. */
export type AlertTimes = Pick<Alert, 'startsAtMs' | 'endsAtMs' | 'updatedAtMs' | 'isTimeout'>;

/** labels, annotations, source, times; see alerts.md. */
export function writeAlert(writer: ByteWriter, alert: Alert): void {
  writeLabels(writer, alert.identity.labels);
  writePairs(writer, alert.annotations);
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
  return a.generatorUrl === b.generatorUrl && isSame(a.annotations, b.annotations);
}

function isSame(a: Annotations, b: Annotations): boolean {
  if (a === b) return true;
  if (a.size !== b.size) return false;
  for (let index = 0; index < a.size; index++) {
    if (a.nameAt(index) !== b.nameAt(index) || a.valueAt(index) !== b.valueAt(index)) return false;
  }
  return true;
}

export function writeLabels(writer: ByteWriter, labels: Labels): void {
  writePairs(writer, labels);
}

export function readLabels(reader: ByteReader): Labels {
  return Labels.from(readPairs(reader));
}

type Pairs = Pick<Labels, 'size' | 'nameAt' | 'valueAt'>;

function writePairs(writer: ByteWriter, pairs: Pairs): void {
  writer.uvarint(pairs.size);
  for (let index = 0; index < pairs.size; index++) {
    writer.uvarintText(pairs.nameAt(index));
    writer.uvarintText(pairs.valueAt(index));
  }
}

function readPairs(reader: ByteReader): (readonly [string, string])[] {
  const pairs: (readonly [string, string])[] = [];
  for (let left = reader.uvarint(); left > 0; left--) {
    pairs.push([reader.uvarintText(), reader.uvarintText()]);
  }
  return pairs;
}
