import { ByteReader } from '@pollux/base';

/** How two members' silences differ; empty when they agree. */
export function sameSilences(a: readonly string[], b: readonly string[]): string[] {
  return difference('silence', a, b);
}

/**
 * How two snapshots of the notification log differ; empty when they hold the same entries. A snapshot is a row of
 * length-prefixed records in no order, so they are compared as sets of bytes.
 */
export function sameNotificationLog(a: Uint8Array, b: Uint8Array): string[] {
  return difference('log entry', recordsOf(a), recordsOf(b));
}

function difference(what: string, a: readonly string[], b: readonly string[]): string[] {
  return [
    ...a.filter((item) => !b.includes(item)).map((item) => `only a has the ${what} ${item}`),
    ...b.filter((item) => !a.includes(item)).map((item) => `only b has the ${what} ${item}`),
  ];
}

function recordsOf(snapshot: Uint8Array): string[] {
  const reader = new ByteReader(snapshot);
  const records: string[] = [];
  while (reader.remaining > 0) {
    records.push(Buffer.from(reader.raw(reader.uvarint())).toString('hex'));
  }
  return records;
}
