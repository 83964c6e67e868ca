import { crc32 } from 'node:zlib';
import { ByteReader, ByteWriter } from '@pollux/base';

/** What a file is for: the letter in its head. */
export type DurableKind = 'A' | 'O';

const MAGIC = 'PLXD';
const VERSION = 1;
/** Begins each frame, so that what lies behind damaged bytes is found again. */
const MARKER = Uint8Array.of(0x9d, 0x50, 0x4c, 0x46);
const FRAME_HEAD_BYTES = 12;
export const FILE_HEAD_BYTES = 8;

export function fileHead(kind: DurableKind): Uint8Array {
  const writer = new ByteWriter(FILE_HEAD_BYTES);
  writer.text(MAGIC);
  writer.text(kind);
  writer.u8(VERSION);
  writer.zeros(2);
  return writer.take();
}

export function hasFileHead(data: Uint8Array, kind: DurableKind): boolean {
  const head = fileHead(kind);
  return data.length >= head.length && head.every((byte, index) => data[index] === byte);
}

/** One frame: marker, length and checksum of the payload (little endian), payload. */
export function frameOf(payload: Uint8Array): Uint8Array {
  const writer = new ByteWriter(FRAME_HEAD_BYTES + payload.length);
  writer.raw(MARKER);
  writer.u32le(payload.length);
  writer.u32le(crc32(payload));
  writer.raw(payload);
  return writer.bytes();
}

export type FrameScan = {
  readonly payloads: readonly Uint8Array[];
  /** Where the last whole frame ends: the file is continued from there. */
  readonly goodBytes: number;
  /** Bytes before that, which belong to no whole frame. What lies behind is the torn tail of the last write. */
  readonly damagedBytes: number;
};

/** Every whole frame of a file whose head was checked, in order; bytes that are none are passed over. */
export function scanFrames(data: Uint8Array): FrameScan {
  const payloads: Uint8Array[] = [];
  let damagedBytes = 0;
  let goodBytes = FILE_HEAD_BYTES;
  let at = FILE_HEAD_BYTES;
  while (at < data.length) {
    const payload = payloadAt(data, at);
    if (payload === null) {
      at = nextMarker(data, at + 1);
      continue;
    }
    damagedBytes += at - goodBytes;
    payloads.push(payload);
    at += FRAME_HEAD_BYTES + payload.length;
    goodBytes = at;
  }
  return { payloads, goodBytes, damagedBytes };
}

function payloadAt(data: Uint8Array, at: number): Uint8Array | null {
  if (at + FRAME_HEAD_BYTES > data.length) return null;
  if (!MARKER.every((byte, index) => data[at + index] === byte)) return null;
  const head = new ByteReader(data, at + MARKER.length, at + FRAME_HEAD_BYTES);
  const length = head.u32le();
  const checksum = head.u32le();
  const start = at + FRAME_HEAD_BYTES;
  if (start + length > data.length) return null;
  const payload = data.subarray(start, start + length);
  return crc32(payload) === checksum ? payload : null;
}

/** The end of the data when there is none. */
function nextMarker(data: Uint8Array, from: number): number {
  const view = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const found = view.indexOf(MARKER, from);
  return found < 0 ? data.length : found;
}
