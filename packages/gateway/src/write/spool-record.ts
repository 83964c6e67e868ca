import { ByteReader, ByteWriter, DecodeError } from '@pollux/base';

const VERSION = 1;
const MAX_HEADERS = 64;

export const WRITE_KINDS = ['remote-write', 'lines', 'alerts'] as const;
export type WriteKind = (typeof WRITE_KINDS)[number];

/** A request as a member shall get it. */
export type SpooledWrite = {
  readonly kind: WriteKind;
  /** When the gateway took it, wall clock. */
  readonly arrivedMs: number;
  /** Path and query. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
};

/** The layout is in spool.md. */
export function encodeWrite({ kind, arrivedMs, target, headers, body }: SpooledWrite): Uint8Array {
  const entries = Object.entries(headers);
  const writer = new ByteWriter(body.length + 512);
  writer.u8(VERSION);
  writer.u8(WRITE_KINDS.indexOf(kind));
  writer.varint(arrivedMs);
  writer.uvarintText(target);
  writer.uvarint(entries.length);
  for (const [name, value] of entries) {
    writer.uvarintText(name);
    writer.uvarintText(value);
  }
  writer.raw(body);
  return writer.take();
}

/** The body is a view into `record`. Throws DecodeError. */
export function decodeWrite(record: Uint8Array): SpooledWrite {
  const reader = new ByteReader(record);
  const version = reader.u8();
  if (version !== VERSION) throw new DecodeError(`spooled request of version ${version}`, 0);
  const kind = WRITE_KINDS[reader.u8()];
  if (kind === undefined) throw new DecodeError('spooled request of an unknown kind', 1);
  const arrivedMs = reader.varint();
  const target = reader.uvarintText();
  const count = reader.uvarint();
  if (count > MAX_HEADERS) throw new DecodeError(`spooled request with ${count} headers`, 2);
  const headers: Record<string, string> = {};
  for (let left = count; left > 0; left--) {
    const name = reader.uvarintText();
    headers[name] = reader.uvarintText();
  }
  return { kind, arrivedMs, target, headers, body: reader.raw(reader.remaining) };
}
