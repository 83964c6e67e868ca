import { ByteReader, ByteWriter, DecodeError } from '@pollux/base';
import type { WireTime } from './timestamp.ts';

/** One delimited message larger than this is refused, as members from 0.32 on do. */
export const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;

/** One field of a message. For length-delimited fields `data` is a view of the content. */
export type Field = {
  readonly number: number;
  readonly wire: 0 | 1 | 2 | 5;
  readonly varint: bigint;
  readonly data: Uint8Array;
  /** Tag and content as they came, to keep what is not understood. */
  readonly raw: Uint8Array;
};

const NOTHING = new Uint8Array(0);

/** Walks over the fields of one message. Groups and reserved wire types are refused, as proto3 has none. */
export function* fieldsOf(message: Uint8Array): IterableIterator<Field> {
  const reader = new ByteReader(message);
  while (reader.remaining > 0) {
    const start = reader.offset;
    const tag = reader.uvarint();
    const number = Math.floor(tag / 8);
    const wire = tag % 8;
    if (number === 0 || number > 536_870_911) throw new DecodeError('bad field number', start);
    let varint = 0n;
    let data: Uint8Array = NOTHING;
    switch (wire) {
      case 0:
        varint = reader.uvarint64();
        break;
      case 1:
        data = reader.raw(8);
        break;
      case 2:
        data = reader.raw(reader.uvarint());
        break;
      case 5:
        data = reader.raw(4);
        break;
      default:
        throw new DecodeError(`wire type ${wire} is not used`, start);
    }
    yield { number, wire, varint, data, raw: message.subarray(start, reader.offset) };
  }
}

/** The messages of a varint-delimited sequence. A cut tail or an oversized message is a DecodeError. */
export function* delimitedMessages(data: Uint8Array): IterableIterator<Uint8Array> {
  const reader = new ByteReader(data);
  while (reader.remaining > 0) {
    const at = reader.offset;
    const size = reader.uvarint();
    if (size > MAX_MESSAGE_BYTES) throw new DecodeError(`message of ${size} bytes`, at);
    yield reader.raw(size);
  }
}

export function delimited(message: Uint8Array): Uint8Array {
  const writer = new ByteWriter(message.length + 5);
  writer.uvarint(message.length);
  writer.raw(message);
  return writer.take();
}

const strictText = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** A string field; proto3 demands valid UTF-8. */
export function textField(field: Field): string {
  needWire(field, 2);
  try {
    return strictText.decode(field.data);
  } catch {
    throw new DecodeError(`field ${field.number} is no UTF-8`, 0);
  }
}

export function bytesField(field: Field): Uint8Array {
  needWire(field, 2);
  return field.data;
}

/** A signed 32 or 64-bit varint that fits a JavaScript integer. */
export function integerField(field: Field): number {
  needWire(field, 0);
  const value = Number(BigInt.asIntN(64, field.varint));
  if (!Number.isSafeInteger(value)) throw new DecodeError('integer out of range', 0);
  return value;
}

/** A `repeated uint64`, packed or not. */
export function uint64Items(field: Field): bigint[] {
  if (field.wire === 0) return [field.varint];
  needWire(field, 2);
  const reader = new ByteReader(field.data);
  const items: bigint[] = [];
  while (reader.remaining > 0) items.push(reader.uvarint64());
  return items;
}

export function timeField(field: Field): WireTime {
  needWire(field, 2);
  let seconds = 0;
  let nanos = 0;
  for (const part of fieldsOf(field.data)) {
    if (part.number === 1) seconds = integerField(part);
    if (part.number === 2) nanos = integerField(part);
  }
  if (nanos < 0 || nanos > 999_999_999) throw new DecodeError('nanoseconds out of range', 0);
  return { seconds, nanos };
}

function needWire(field: Field, wire: number): void {
  if (field.wire !== wire) {
    throw new DecodeError(`field ${field.number} has wire type ${field.wire}`, 0);
  }
}

/** Writes fields the way Go's generated code does: ascending, zero values left out. */
export class MessageWriter {
  readonly #out = new ByteWriter(128);

  text(number: number, value: string): this {
    if (value === '') return this;
    this.#out.uvarint(number * 8 + 2);
    this.#out.uvarintText(value);
    return this;
  }

  bytes(number: number, value: Uint8Array): this {
    return value.length === 0 ? this : this.message(number, value);
  }

  /** As {@link bytes}, also when empty. */
  message(number: number, value: Uint8Array): this {
    this.#out.uvarint(number * 8 + 2);
    this.#out.uvarint(value.length);
    this.#out.raw(value);
    return this;
  }

  /** Signed; negative values take ten bytes, as protobuf's int32 and int64 do. */
  integer(number: number, value: number): this {
    if (value === 0) return this;
    this.#out.uvarint(number * 8);
    if (value < 0) this.#out.uvarint64(BigInt.asUintN(64, BigInt(value)));
    else this.#out.uvarint(value);
    return this;
  }

  /** Left out when zero. */
  uint64(number: number, value: bigint): this {
    if (value === 0n) return this;
    this.#out.uvarint(number * 8);
    this.#out.uvarint64(value);
    return this;
  }

  time(number: number, time: WireTime): this {
    const inner = new MessageWriter().integer(1, time.seconds).integer(2, time.nanos);
    return this.message(number, inner.take());
  }

  packedUint64(number: number, values: readonly bigint[]): this {
    if (values.length === 0) return this;
    const inner = new ByteWriter(values.length * 10);
    for (const value of values) inner.uvarint64(value);
    return this.message(number, inner.bytes());
  }

  /** Fields kept as they came. */
  raw(data: Uint8Array): this {
    this.#out.raw(data);
    return this;
  }

  take(): Uint8Array {
    return this.#out.take();
  }
}

export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const out = new ByteWriter(parts.reduce((sum, part) => sum + part.length, 0) + 1);
  for (const part of parts) out.raw(part);
  return out.take();
}
