import { DecodeError } from '@pollux/base';
import {
  bytesField,
  delimited,
  delimitedMessages,
  fieldsOf,
  integerField,
  joined,
  MessageWriter,
  textField,
  timeField,
  uint64Items,
} from '../wire/protobuf.ts';
import type { WireTime } from '../wire/timestamp.ts';
import type { LogEntry, LogReceiver } from './entry.ts';

/** An entry with its life on the wire, and the bytes it came in, which are what is sent on. */
export type LogRecord = {
  readonly entry: LogEntry;
  readonly expiresAt: WireTime;
  /** Delimited MeshEntry. */
  readonly bytes: Uint8Array;
};

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const ZERO: WireTime = { seconds: 0, nanos: 0 };

/** The data of an "nfl" Part or a snapshot file. All or nothing: a DecodeError leaves nothing. */
export function decodeLog(data: Uint8Array): LogRecord[] {
  const records: LogRecord[] = [];
  for (const message of delimitedMessages(data)) records.push(decodeMeshEntry(message));
  return records;
}

export function encodeLog(records: Iterable<LogRecord>): Uint8Array {
  return joined([...records].map((record) => record.bytes));
}

export function logRecord(entry: LogEntry, expiresAt: WireTime): LogRecord {
  const { groupName, integration, index } = entry.receiver;
  const receiver = new MessageWriter().text(1, groupName).text(2, integration).integer(3, index);
  const message = new MessageWriter()
    .bytes(1, encoder.encode(entry.groupKey))
    .message(2, receiver.take())
    .time(5, entry.timestamp)
    .packedUint64(6, entry.firing)
    .packedUint64(7, entry.resolved);
  for (const [name, value] of entry.memory) {
    const data = new MessageWriter().text(1, value).take();
    message.message(8, new MessageWriter().text(1, name).message(2, data).take());
  }
  const mesh = new MessageWriter().message(1, message.take()).time(2, expiresAt);
  return { entry, expiresAt, bytes: delimited(mesh.take()) };
}

function decodeMeshEntry(message: Uint8Array): LogRecord {
  let inner: Uint8Array | null = null;
  let expiresAt = ZERO;
  for (const field of fieldsOf(message)) {
    if (field.number === 1) inner = bytesField(field);
    else if (field.number === 2) expiresAt = timeField(field);
  }
  if (inner === null) throw new DecodeError('notification log entry is missing', 0);
  return { entry: decodeEntry(inner), expiresAt, bytes: delimited(message) };
}

function decodeEntry(message: Uint8Array): LogEntry {
  let groupKey = '';
  let receiver: LogReceiver | null = null;
  let timestamp = ZERO;
  const firing: bigint[] = [];
  const resolved: bigint[] = [];
  const memory = new Map<string, string>();
  for (const field of fieldsOf(message)) {
    switch (field.number) {
      case 1:
        groupKey = decoder.decode(bytesField(field));
        break;
      case 2:
        receiver = decodeReceiver(bytesField(field));
        break;
      case 5:
        timestamp = timeField(field);
        break;
      case 6:
        for (const hash of uint64Items(field)) firing.push(hash);
        break;
      case 7:
        for (const hash of uint64Items(field)) resolved.push(hash);
        break;
      case 8:
        decodeMemory(bytesField(field), memory);
        break;
      default:
        // Fields 3, 4 (deprecated) and newer ones live on in the record's bytes.
        break;
    }
  }
  if (receiver === null) throw new DecodeError('notification log entry without receiver', 0);
  return { groupKey, receiver, timestamp, firing, resolved, memory };
}

/** One entry of the map; numbers, which no receiver of today writes, are passed over. */
function decodeMemory(message: Uint8Array, memory: Map<string, string>): void {
  let name = '';
  let value: string | null = null;
  for (const field of fieldsOf(message)) {
    if (field.number === 1) name = textField(field);
    else if (field.number === 2) {
      for (const inner of fieldsOf(bytesField(field))) {
        if (inner.number === 1) value = textField(inner);
      }
    }
  }
  if (value !== null) memory.set(name, value);
}

function decodeReceiver(message: Uint8Array): LogReceiver {
  let groupName = '';
  let integration = '';
  let index = 0;
  for (const field of fieldsOf(message)) {
    if (field.number === 1) groupName = textField(field);
    else if (field.number === 2) integration = textField(field);
    else if (field.number === 3) index = integerField(field);
  }
  return { groupName, integration, index };
}
