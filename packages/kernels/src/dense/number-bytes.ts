import { EXACT_LIMIT } from './dense-format.ts';

/** A place in foreign bytes. `isBad` is set by a read that cannot be done, which then gives 0, and stays set. */
export type Cursor = {
  readonly bytes: Uint8Array;
  at: number;
  /** Bytes from here on are not the cursor's. */
  readonly end: number;
  isBad: boolean;
};

export function readByte(cursor: Cursor): number {
  if (cursor.at >= cursor.end || cursor.isBad) {
    cursor.isBad = true;
    return 0;
  }
  return cursor.bytes[cursor.at++]!;
}

/** LEB128, at most 2^53. */
export function readUvarint(cursor: Cursor): number {
  let value = 0;
  let scale = 1;
  for (let i = 0; i < 8; i++) {
    const byte = readByte(cursor);
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) {
      if (value > EXACT_LIMIT) cursor.isBad = true;
      return value;
    }
    scale *= 128;
  }
  cursor.isBad = true;
  return 0;
}

export function readVarint(cursor: Cursor): number {
  const raw = readUvarint(cursor);
  return raw % 2 === 0 ? raw / 2 : -(raw + 1) / 2;
}

/** Four bytes, low first. */
export function readWord(cursor: Cursor): number {
  const { bytes, at, end } = cursor;
  if (at + 4 > end || cursor.isBad) {
    cursor.isBad = true;
    return 0;
  }
  cursor.at = at + 4;
  return (
    (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
  );
}

/** Writers return the place behind what they wrote. */
export function writeUvarint(bytes: Uint8Array, at: number, value: number): number {
  let rest = value;
  let next = at;
  while (rest >= 0x80) {
    bytes[next++] = (rest % 128) + 128;
    rest = Math.floor(rest / 128);
  }
  bytes[next++] = rest;
  return next;
}

export function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  return writeUvarint(bytes, at, value < 0 ? -value * 2 - 1 : value * 2);
}

export function writeWord(bytes: Uint8Array, at: number, word: number): number {
  bytes[at] = word;
  bytes[at + 1] = word >>> 8;
  bytes[at + 2] = word >>> 16;
  bytes[at + 3] = word >>> 24;
  return at + 4;
}

/** Bytes that {@link writeVarint} takes. */
export function varintBytes(value: number): number {
  let size = 1;
  for (let rest = Math.abs(value) * 2; rest >= 0x80; rest /= 128) size++;
  return size;
}
