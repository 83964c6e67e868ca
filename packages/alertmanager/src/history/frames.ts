import { crc32c } from '@pollux/base';

export const FILE_HEADER = new Uint8Array([0x50, 0x4c, 0x58, 0x48, 1, 0, 0, 0]);
/** Length and checksum. */
const FRAME_HEAD_BYTES = 8;
/** Kind, number and time. */
const RECORD_HEAD_BYTES = 17;
/** Larger records are not written; a larger length in a file is damage. */
export const MAX_FRAME_BYTES = 256 * 1024;

/** One record in the file; see history-log.md. */
export function encodeFrame(
  head: { readonly kindCode: number; readonly id: number; readonly timeMs: number },
  json: Uint8Array,
): Uint8Array {
  const payloadBytes = RECORD_HEAD_BYTES + json.length;
  const frame = Buffer.allocUnsafe(FRAME_HEAD_BYTES + payloadBytes);
  frame.writeUInt32LE(payloadBytes, 0);
  frame.writeUInt8(head.kindCode, 8);
  frame.writeDoubleLE(head.id, 9);
  frame.writeDoubleLE(head.timeMs, 17);
  frame.set(json, FRAME_HEAD_BYTES + RECORD_HEAD_BYTES);
  frame.writeUInt32LE(crc32c(frame, FRAME_HEAD_BYTES, frame.length), 4);
  return frame;
}

/** A frame within the bytes of a file, its body not yet read. */
export class FrameView {
  readonly #data: Buffer;
  /** Of the frame within the file. */
  readonly offset: number;
  readonly sizeBytes: number;

  constructor(data: Buffer, offset: number, sizeBytes: number) {
    this.#data = data;
    this.offset = offset;
    this.sizeBytes = sizeBytes;
  }

  get kindCode(): number {
    return this.#data.readUInt8(this.offset + 8);
  }

  get id(): number {
    return this.#data.readDoubleLE(this.offset + 9);
  }

  get timeMs(): number {
    return this.#data.readDoubleLE(this.offset + 17);
  }

  /** The JSON text as bytes. */
  get body(): Buffer {
    const start = this.offset + FRAME_HEAD_BYTES + RECORD_HEAD_BYTES;
    return this.#data.subarray(start, this.offset + this.sizeBytes);
  }

  get isSound(): boolean {
    const end = this.offset + this.sizeBytes;
    const expected = this.#data.readUInt32LE(this.offset + 4);
    return crc32c(this.#data, this.offset + FRAME_HEAD_BYTES, end) === expected;
  }
}

export function hasFileHeader(data: Uint8Array): boolean {
  return FILE_HEADER.every((byte, index) => data[index] === byte);
}

const MAGIC_BYTES = 4;

/** A history file, but not of this version. */
export function isOfAnotherVersion(data: Uint8Array): boolean {
  const isHistory = FILE_HEADER.subarray(0, MAGIC_BYTES).every((byte, at) => data[at] === byte);
  return isHistory && data.length >= FILE_HEADER.length && !hasFileHeader(data);
}

/** The frame at `offset`, or null when no whole frame is there. */
export function frameAt(data: Buffer, offset: number): FrameView | null {
  if (offset + FRAME_HEAD_BYTES + RECORD_HEAD_BYTES > data.length) return null;
  const payloadBytes = data.readUInt32LE(offset);
  if (payloadBytes < RECORD_HEAD_BYTES || payloadBytes > MAX_FRAME_BYTES) return null;
  const sizeBytes = FRAME_HEAD_BYTES + payloadBytes;
  return offset + sizeBytes > data.length ? null : new FrameView(data, offset, sizeBytes);
}
