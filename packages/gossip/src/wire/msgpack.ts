import { type ByteReader, ByteWriter, DecodeError } from '@pollux/base';
import { ShortInputError, WireError } from '../errors.ts';

/** What the fields of memberlist's messages hold. Strings travel as bytes; null is Go's nil slice. */
export type Field = number | boolean | string | Uint8Array | null;
export type DecodedFields = ReadonlyMap<string, number | boolean | Uint8Array | null>;

const MAX_DEPTH = 16;
const MAX_MAP_ENTRIES = 1_024;
const decoder = new TextDecoder();
const encoder = new TextEncoder();

/**
 * Writes one map in the profile that every go-msgpack reads: raw strings and byte strings (no str8, no bin), unsigned
 * integers in their shortest form. The caller gives the keys in ascending order, as Go's encoder does.
 */
export function encodeFields(
  writer: ByteWriter,
  fields: readonly (readonly [name: string, value: Field])[],
): void {
  writer.u8(0x80 | fields.length);
  for (const [name, value] of fields) {
    writeRaw(writer, encoder.encode(name));
    writeField(writer, value);
  }
}

function writeField(writer: ByteWriter, value: Field): void {
  if (value === null) writer.u8(0xc0);
  else if (typeof value === 'boolean') writer.u8(value ? 0xc3 : 0xc2);
  else if (typeof value === 'number') writeUnsigned(writer, value);
  else writeRaw(writer, typeof value === 'string' ? encoder.encode(value) : value);
}

function writeUnsigned(writer: ByteWriter, value: number): void {
  if (value < 0x80) {
    writer.u8(value);
  } else if (value < 0x100) {
    writer.u8(0xcc);
    writer.u8(value);
  } else if (value < 0x10000) {
    writer.u8(0xcd);
    writer.u16(value);
  } else {
    writer.u8(0xce);
    writer.u32(value);
  }
}

function writeRaw(writer: ByteWriter, data: Uint8Array): void {
  if (data.length < 32) {
    writer.u8(0xa0 | data.length);
  } else if (data.length < 0x10000) {
    writer.u8(0xda);
    writer.u16(data.length);
  } else {
    writer.u8(0xdb);
    writer.u32(data.length);
  }
  writer.raw(data);
}

/**
 * Reads one map. Unknown keys and values of other kinds are skipped. Both signed and unsigned integers, raw strings, str8
 * and bin are understood. Byte strings longer than `maxBytes` are refused before they are there. Throws ShortInputError
 * when the reader ends first, WireError when the bytes are no such map.
 */
export function decodeFields(reader: ByteReader, maxBytes: number): DecodedFields {
  try {
    return readMap(reader, maxBytes);
  } catch (error) {
    // Every bound of the reader is an end of input here: lengths are checked before they are used.
    if (error instanceof DecodeError) throw new ShortInputError();
    throw error;
  }
}

function readMap(reader: ByteReader, maxBytes: number): DecodedFields {
  const count = mapSize(reader);
  if (count > MAX_MAP_ENTRIES) throw malformed(`a map of ${count} entries`);
  const fields = new Map<string, number | boolean | Uint8Array | null>();
  for (let i = 0; i < count; i++) {
    const key = readValue(reader, maxBytes, 1);
    const value = readValue(reader, maxBytes, 1);
    if (key instanceof Uint8Array && value !== undefined) fields.set(decoder.decode(key), value);
  }
  return fields;
}

function mapSize(reader: ByteReader): number {
  const tag = reader.u8();
  if (tag >= 0x80 && tag <= 0x8f) return tag & 0x0f;
  if (tag === 0xde) return reader.u16();
  if (tag === 0xdf) return reader.u32();
  throw malformed(`tag 0x${tag.toString(16)} where a map should be`);
}

/** One value; undefined for kinds that no field has (floats, arrays, maps, extensions), which are skipped whole. */
function readValue(
  reader: ByteReader,
  maxBytes: number,
  depth: number,
): number | boolean | Uint8Array | null | undefined {
  if (depth > MAX_DEPTH) throw malformed('values nested too deep');
  const tag = reader.u8();
  if (tag < 0x80) return tag;
  if (tag >= 0xe0) return tag - 0x100;
  if (tag >= 0xa0 && tag < 0xc0) return reader.raw(tag & 0x1f);
  if (tag < 0x90) return skipMany(reader, maxBytes, depth, 2 * (tag & 0x0f));
  if (tag < 0xa0) return skipMany(reader, maxBytes, depth, tag & 0x0f);
  switch (tag) {
    case 0xc0:
      return null;
    case 0xc2:
    case 0xc3:
      return tag === 0xc3;
    case 0xc4:
    case 0xd9:
      return readBytes(reader, reader.u8(), maxBytes);
    case 0xc5:
    case 0xda:
      return readBytes(reader, reader.u16(), maxBytes);
    case 0xc6:
    case 0xdb:
      return readBytes(reader, reader.u32(), maxBytes);
    case 0xdc:
      return skipMany(reader, maxBytes, depth, reader.u16());
    case 0xdd:
      return skipMany(reader, maxBytes, depth, reader.u32());
    case 0xde:
      return skipMany(reader, maxBytes, depth, 2 * reader.u16());
    case 0xdf:
      return skipMany(reader, maxBytes, depth, 2 * reader.u32());
    default:
      return readNumber(reader, tag);
  }
}

function readNumber(reader: ByteReader, tag: number): number | undefined {
  switch (tag) {
    case 0xcc:
      return reader.u8();
    case 0xcd:
      return reader.u16();
    case 0xce:
      return reader.u32();
    case 0xcf:
      return safe(reader.u64());
    case 0xd0:
      return (reader.u8() << 24) >> 24;
    case 0xd1:
      return (reader.u16() << 16) >> 16;
    case 0xd2:
      return reader.u32() | 0;
    case 0xd3:
      return safe(BigInt.asIntN(64, reader.u64()));
    case 0xca:
      reader.skip(4);
      return undefined;
    case 0xcb:
      reader.skip(8);
      return undefined;
    default:
      throw malformed(`tag 0x${tag.toString(16)}`);
  }
}

function skipMany(reader: ByteReader, maxBytes: number, depth: number, count: number): undefined {
  if (count > MAX_MAP_ENTRIES) throw malformed(`${count} nested values`);
  for (let i = 0; i < count; i++) readValue(reader, maxBytes, depth + 1);
  return undefined;
}

function readBytes(reader: ByteReader, count: number, maxBytes: number): Uint8Array {
  if (count > maxBytes) {
    throw new WireError('GOSSIP.TOO_LARGE', `a byte string of ${count} bytes; limit ${maxBytes}`);
  }
  return reader.raw(count);
}

function safe(value: bigint): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw malformed('an integer beyond 2^53');
  return number;
}

function malformed(what: string): WireError {
  return new WireError('GOSSIP.MALFORMED', `msgpack: ${what}`);
}

/** A new writer with the message's type byte in place. */
export function messageWriter(type: number): ByteWriter {
  const writer = new ByteWriter(128);
  writer.u8(type);
  return writer;
}
