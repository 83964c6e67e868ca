import { FRAME_HEAD_BYTES, finishFrame, frameEnd, isSound, nextMarker } from '../frames/frames.ts';

/** Kind, number and time. */
const RECORD_HEAD_BYTES = 17;
/** Larger frames are not written; a larger one in a file is damage. */
export const MAX_FRAME_BYTES = 256 * 1024;

/** Where the JSON begins within a frame. */
export const JSON_OFFSET = FRAME_HEAD_BYTES + RECORD_HEAD_BYTES;

export type RecordHead = {
  readonly kindCode: number;
  readonly id: number;
  readonly timeMs: number;
};

/** Completes the frame `data[start, end)`, whose JSON is in its place; see history-log.md. */
export function finishRecord(data: Buffer, start: number, end: number, head: RecordHead): void {
  const payload = start + FRAME_HEAD_BYTES;
  data.writeUInt8(head.kindCode, payload);
  data.writeDoubleLE(head.id, payload + 1);
  data.writeDoubleLE(head.timeMs, payload + 9);
  finishFrame(data, start, end);
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
    return this.#data.readUInt8(this.offset + FRAME_HEAD_BYTES);
  }

  get id(): number {
    return this.#data.readDoubleLE(this.offset + FRAME_HEAD_BYTES + 1);
  }

  get timeMs(): number {
    return this.#data.readDoubleLE(this.offset + FRAME_HEAD_BYTES + 9);
  }

  /** The JSON text as bytes. */
  get body(): Buffer {
    const start = this.offset + JSON_OFFSET;
    return this.#data.subarray(start, this.offset + this.sizeBytes);
  }

  get isSound(): boolean {
    return isSound(this.#data, this.offset, this.offset + this.sizeBytes);
  }
}

/** The whole frames of records in `data` from `start` on; bytes that are none are passed over. */
export function wholeFrames(data: Buffer, start: number): FrameView[] {
  const frames: FrameView[] = [];
  for (let offset = start; offset < data.length; ) {
    const sizeBytes = frameEnd(data, offset) - offset;
    if (sizeBytes < JSON_OFFSET || sizeBytes > MAX_FRAME_BYTES) {
      offset = nextMarker(data, offset + 1);
      continue;
    }
    frames.push(new FrameView(data, offset, sizeBytes));
    offset += sizeBytes;
  }
  return frames;
}
