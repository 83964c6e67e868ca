import { ByteReader, ByteWriter, DecodeError } from '@pollux/base';
import { WireError } from '../errors.ts';

/** One shared state under its key, `nfl` or `sil`, as Alertmanager's protobuf message Part. */
export type Part = { readonly key: string; readonly data: Uint8Array };

const MAX_PARTS = 1_024;

/** `Part { string key = 1; bytes data = 2; }`, empty data left out. */
export function encodePart(part: Part): Uint8Array {
  const key = new TextEncoder().encode(part.key);
  const writer = new ByteWriter(part.data.length + key.length + 16);
  writeBytes(writer, 1, key);
  if (part.data.length > 0) writeBytes(writer, 2, part.data);
  return writer.take();
}

export function decodePart(data: Uint8Array): Part {
  let key = '';
  let content: Uint8Array = new Uint8Array(0);
  eachField(data, (field, value) => {
    if (field === 1) key = new TextDecoder().decode(value);
    if (field === 2) content = value;
  });
  return { key, data: content };
}

/** `FullState { repeated Part parts = 1; }` */
export function encodeFullState(parts: readonly Part[]): Uint8Array {
  const writer = new ByteWriter(1024);
  for (const part of parts) writeBytes(writer, 1, encodePart(part));
  return writer.take();
}

export function decodeFullState(data: Uint8Array): Part[] {
  const parts: Part[] = [];
  eachField(data, (field, value) => {
    if (field !== 1) return;
    if (parts.length === MAX_PARTS) throw malformed(`more than ${MAX_PARTS} parts`);
    parts.push(decodePart(value));
  });
  return parts;
}

function writeBytes(writer: ByteWriter, field: number, data: Uint8Array): void {
  writer.u8((field << 3) | 2);
  writer.uvarint(data.length);
  writer.raw(data);
}

/** Calls back for each length-delimited field; others are skipped. */
function eachField(data: Uint8Array, onField: (field: number, value: Uint8Array) => void): void {
  const reader = new ByteReader(data);
  try {
    while (reader.remaining > 0) {
      const tag = reader.uvarint();
      switch (tag & 7) {
        case 0:
          reader.uvarint64();
          break;
        case 1:
          reader.skip(8);
          break;
        case 2:
          onField(Math.floor(tag / 8), reader.raw(reader.uvarint()));
          break;
        case 5:
          reader.skip(4);
          break;
        default:
          throw malformed(`wire type ${tag & 7}`);
      }
    }
  } catch (error) {
    if (error instanceof DecodeError) throw malformed(error.message);
    throw error;
  }
}

function malformed(what: string): WireError {
  return new WireError('GOSSIP.MALFORMED', `protobuf: ${what}`);
}
