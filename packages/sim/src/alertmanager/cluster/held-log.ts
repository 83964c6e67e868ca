import { alertHash, decodeLog, type LogRecord } from '@pollux/alertmanager';
import { ByteReader } from '@pollux/base';
import { Labels } from '@pollux/model';
import { type AlertName, alertText } from './cluster-plan.ts';

/** What a member's own notification log says of one group at one receiver. */
export type HeldEntry = {
  /** Alerts by their text, as `g0/1`, in order. */
  readonly firing: readonly string[];
  readonly resolved: readonly string[];
  /** By the wall clock of who noted it, ms. */
  readonly stampMs: number;
  readonly expiresMs: number;
};

/** A member's files at one moment: the snapshot of its log, and all that it has noted or heard since. */
export type LogFiles = { readonly snapshot: Uint8Array; readonly journal: Uint8Array };

const FILE_HEAD_BYTES = 8;
const MARKER_BYTES = 4;
const CHECKSUM_BYTES = 4;
const KIND = {
  alert: 1,
  again: 2,
  alertGone: 3,
  group: 4,
  groupGone: 5,
  told: 6,
  alive: 7,
  shared: 8,
};

export function labelsOf({ group, index }: AlertName) {
  return { alertname: 'Sim', group: `g${group}`, index: String(index) };
}

/**
 * Reads what the notification log of a member holds from the member's disk, where every change is written before anything
 * that was decided after it is sent. The newest record of a group and receiver counts, as in the merging of logs; whether it
 * has expired is the caller's to say.
 */
export class HeldLogs {
  readonly #names = new Map<bigint, string>();

  constructor(alerts: Iterable<AlertName>) {
    for (const name of alerts) {
      this.#names.set(alertHash(Labels.from(Object.entries(labelsOf(name)))), alertText(name));
    }
  }

  /** Null when the member never noted or heard of a notification. */
  entryOf({ snapshot, journal }: LogFiles, group: number, receiver: number): HeldEntry | null {
    let newest: LogRecord | null = null;
    for (const data of [snapshot, ...journaledLogs(journal)]) {
      for (const record of decodeLog(data)) {
        const { groupKey, receiver: of } = record.entry;
        if (!groupKey.includes(`group="g${group}"`) || of.groupName !== `r${receiver}`) continue;
        if (newest === null || isNewer(record, newest)) newest = record;
      }
    }
    if (newest === null) return null;
    const texts = (hashes: readonly bigint[]): string[] =>
      hashes.map((hash) => this.#names.get(hash) ?? `unknown ${hash}`).sort();
    const { firing, resolved, timestamp } = newest.entry;
    return {
      firing: texts(firing),
      resolved: texts(resolved),
      stampMs: millisecondsOf(timestamp),
      expiresMs: millisecondsOf(newest.expiresAt),
    };
  }
}

type Time = LogRecord['expiresAt'];

function isNewer({ entry: a }: LogRecord, { entry: b }: LogRecord): boolean {
  const seconds = a.timestamp.seconds - b.timestamp.seconds;
  return seconds > 0 || (seconds === 0 && a.timestamp.nanos > b.timestamp.nanos);
}

function millisecondsOf({ seconds, nanos }: Time): number {
  return seconds * 1_000 + nanos / 1_000_000;
}

/** The pieces of the notification log in a member's file `alerts`, by the description of its format (alerts.md). */
function* journaledLogs(file: Uint8Array): Generator<Uint8Array> {
  if (file.length < FILE_HEAD_BYTES) return;
  const frames = new ByteReader(file, FILE_HEAD_BYTES);
  while (frames.remaining > MARKER_BYTES + CHECKSUM_BYTES + 4) {
    frames.skip(MARKER_BYTES);
    const length = frames.u32le();
    frames.skip(CHECKSUM_BYTES);
    if (frames.remaining < length) return;
    const records = new ByteReader(frames.raw(length));
    while (records.remaining > 0) {
      const data = notificationLogOf(records);
      if (data !== null) yield data;
    }
  }
}

/** The data of one record when it is of the log; null of any other, which is passed over. */
function notificationLogOf(reader: ByteReader): Uint8Array | null {
  const kind = reader.u8();
  switch (kind) {
    case KIND.alert:
      reader.uvarint();
      skipPairs(reader);
      skipPairs(reader);
      reader.uvarintText();
      skipTimes(reader);
      return null;
    case KIND.again:
      reader.uvarint();
      skipTimes(reader);
      return null;
    case KIND.group:
      reader.uvarint();
      reader.uvarintText();
      reader.uvarint();
      reader.u8();
      return null;
    case KIND.told:
      reader.uvarint();
      reader.uvarint();
      return null;
    case KIND.shared: {
      const name = reader.uvarintText();
      const data = reader.raw(reader.uvarint());
      return name === 'nflog' ? data : null;
    }
    case KIND.alertGone:
    case KIND.groupGone:
    case KIND.alive:
      reader.uvarint();
      return null;
    default:
      throw new RangeError(`the file alerts has a record of kind ${kind}`);
  }
}

function skipPairs(reader: ByteReader): void {
  for (let left = reader.uvarint(); left > 0; left--) {
    reader.uvarintText();
    reader.uvarintText();
  }
}

function skipTimes(reader: ByteReader): void {
  for (let left = 3; left > 0; left--) reader.varint();
  reader.u8();
}
