import { ByteReader } from '@pollux/base';
import { FRAME_HEAD_BYTES, finishFrame, frameEnd, isSound, nextMarker } from '../frames/frames.ts';

/** Kind, number and time. */
const RECORD_HEAD_BYTES = 17;
/** Larger frames are not written; a larger one in a file is damage. */
export const MAX_FRAME_BYTES = 256 * 1024;
/** The kind of a frame that holds many alerts, of numbers one after the other and of one time. */
export const ALERTS_KIND = 5;

/** Where the body begins within a frame. */
export const BODY_OFFSET = FRAME_HEAD_BYTES + RECORD_HEAD_BYTES;

export type RecordHead = {
  readonly kindCode: number;
  readonly id: number;
  readonly timeMs: number;
};

/** Completes the frame `bytes[start, end)`, whose body is in its place; see history-log.md. */
export function finishRecord(
  bytes: Uint8Array,
  start: number,
  end: number,
  head: RecordHead,
): void {
  const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const payload = start + FRAME_HEAD_BYTES;
  data.writeUInt8(head.kindCode, payload);
  data.writeDoubleLE(head.id, payload + 1);
  data.writeDoubleLE(head.timeMs, payload + 9);
  finishFrame(data, start, end);
}

/** A frame within the bytes of a file, its body not yet read. */
export class FrameView {
  readonly #data: Buffer;
  #isSound: boolean | null = null;
  /** Of the frame within the file. */
  readonly offset: number;
  readonly sizeBytes: number;

  constructor(data: Buffer, offset: number, sizeBytes: number) {
    this.#data = data;
    this.offset = offset;
    this.sizeBytes = sizeBytes;
  }

  get kindCode(): number {
    return this.#data.readUInt8(this.offset + FRAME_HEAD_BYTES);
  }

  /** Of the first record in it. */
  get firstId(): number {
    return this.#data.readDoubleLE(this.offset + FRAME_HEAD_BYTES + 1);
  }

  get timeMs(): number {
    return this.#data.readDoubleLE(this.offset + FRAME_HEAD_BYTES + 9);
  }

  get isSound(): boolean {
    this.#isSound ??= isSound(this.#data, this.offset, this.offset + this.sizeBytes);
    return this.#isSound;
  }

  /** What it holds, oldest first; of a frame of many, none when it is damaged. */
  records(): RecordView[] {
    const { firstId } = this;
    const end = this.offset + this.sizeBytes;
    const start = this.offset + BODY_OFFSET;
    if (this.kindCode !== ALERTS_KIND) return [this.#record(firstId, '', start, end)];
    if (!this.isSound) return [];
    const found: RecordView[] = [];
    const reader = new ByteReader(this.#data, start, end);
    const member = reader.uvarintText();
    while (reader.remaining > 0) {
      const size = reader.u32();
      const from = reader.offset;
      reader.skip(size);
      found.push(this.#record(firstId + found.length, member, from, reader.offset));
    }
    return found;
  }

  #record(id: number, member: string, start: number, end: number): RecordView {
    return new RecordView(this, id, member, this.#data.subarray(start, end));
  }
}

/** One record of a frame. */
export class RecordView {
  readonly frame: FrameView;
  readonly id: number;
  /** Who wrote it, where that is not in the body. */
  readonly member: string;
  /** JSON, or an alert's change, fingerprint and bytes. */
  readonly body: Buffer;

  constructor(frame: FrameView, id: number, member: string, body: Buffer) {
    this.frame = frame;
    this.id = id;
    this.member = member;
    this.body = body;
  }
}

/** The whole frames of records in `data` from `start` on; bytes that are none are passed over. */
export function wholeFrames(data: Buffer, start: number): FrameView[] {
  const frames: FrameView[] = [];
  for (let offset = start; offset < data.length; ) {
    const sizeBytes = frameEnd(data, offset) - offset;
    if (sizeBytes < BODY_OFFSET || sizeBytes > MAX_FRAME_BYTES) {
      offset = nextMarker(data, offset + 1);
      continue;
    }
    frames.push(new FrameView(data, offset, sizeBytes));
    offset += sizeBytes;
  }
  return frames;
}
