import { crc32 } from 'node:zlib';

/** What a file is for: the letter in its head. */
export type FileKind = 'A' | 'H' | 'O';

const MAGIC = 'PLXD';
const VERSION = 1;
/** Begins each frame, so that what lies behind damaged bytes is found again. */
const MARKER = Buffer.of(0x9d, 0x50, 0x4c, 0x46);
const MARKER_NUMBER = MARKER.readUInt32LE();
/** Marker, length, checksum. */
export const FRAME_HEAD_BYTES = 12;
export const FILE_HEAD_BYTES = 8;

export function fileHead(kind: FileKind): Buffer {
  const head = Buffer.alloc(FILE_HEAD_BYTES);
  head.write(`${MAGIC}${kind}`, 'latin1');
  head.writeUInt8(VERSION, 5);
  return head;
}

export function hasFileHead(data: Uint8Array, kind: FileKind): boolean {
  return fileHead(kind).every((byte, index) => data[index] === byte);
}

/** A file that another version of this program wrote: all of them begin alike. */
export function isOfAnotherVersion(data: Uint8Array, kind: FileKind): boolean {
  const isOurs = Buffer.from('PLX').every((byte, index) => data[index] === byte);
  return isOurs && data.length >= FILE_HEAD_BYTES && !hasFileHead(data, kind);
}

/** A frame of its own around a payload. */
export function frameOf(payload: Uint8Array): Uint8Array {
  const frame = Buffer.allocUnsafe(FRAME_HEAD_BYTES + payload.length);
  frame.set(payload, FRAME_HEAD_BYTES);
  finishFrame(frame, 0, frame.length);
  return frame;
}

/** Writes the head of the frame `data[start, end)`, whose payload is in its place. */
export function finishFrame(data: Buffer, start: number, end: number): void {
  const payload = start + FRAME_HEAD_BYTES;
  data.writeUInt32LE(MARKER_NUMBER, start);
  data.writeUInt32LE(end - payload, start + 4);
  data.writeUInt32LE(crc32(data.subarray(payload, end)), start + 8);
}

/** Where the frame that begins at `start` ends; 0 when no whole one is there. Its checksum is not looked at. */
export function frameEnd(data: Buffer, start: number): number {
  if (start + FRAME_HEAD_BYTES > data.length) return 0;
  if (data.readUInt32LE(start) !== MARKER_NUMBER) return 0;
  const end = start + FRAME_HEAD_BYTES + data.readUInt32LE(start + 4);
  return end > data.length ? 0 : end;
}

/** Whether the payload of the whole frame `data[start, end)` is as it was written. */
export function isSound(data: Buffer, start: number, end: number): boolean {
  const expected = data.readUInt32LE(start + 8);
  return crc32(data.subarray(start + FRAME_HEAD_BYTES, end)) === expected;
}

/** Where the next frame may begin; the end of the data when there is none. */
export function nextMarker(data: Buffer, from: number): number {
  const found = data.indexOf(MARKER, from);
  return found < 0 ? data.length : found;
}

export type FrameScan = {
  readonly payloads: readonly Uint8Array[];
  /** Where the last sound frame ends: the file is continued from there. */
  readonly goodBytes: number;
  /** Bytes before that, which belong to no sound frame. What lies behind is the torn tail of the last write. */
  readonly damagedBytes: number;
};

/** Every sound frame of a file whose head was checked, in order; bytes that are none are passed over. */
export function scanFrames(bytes: Uint8Array): FrameScan {
  const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const payloads: Uint8Array[] = [];
  let damagedBytes = 0;
  let goodBytes = FILE_HEAD_BYTES;
  let at = FILE_HEAD_BYTES;
  while (at < data.length) {
    const end = frameEnd(data, at);
    if (end === 0 || !isSound(data, at, end)) {
      at = nextMarker(data, at + 1);
      continue;
    }
    damagedBytes += at - goodBytes;
    payloads.push(data.subarray(at + FRAME_HEAD_BYTES, end));
    at = end;
    goodBytes = at;
  }
  return { payloads, goodBytes, damagedBytes };
}
