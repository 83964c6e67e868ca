import { ByteWriter } from '@pollux/base';
import {
  ALERTS_KIND,
  BODY_OFFSET,
  finishRecord,
  MAX_FRAME_BYTES,
  type RecordHead,
} from './record-frames.ts';

/** An alert joins those of the frame before it while they take less: what one damaged byte may cost, and a checksum for each would. */
const FULL_BYTES = 16 * 1024;

/** Frames that are written to the file together. */
export type Frames = {
  readonly data: Uint8Array;
  readonly count: number;
  readonly firstId: number;
  readonly lastId: number;
  /** Of the records, ms. */
  readonly minMs: number;
  readonly maxMs: number;
};

/** Records made into frames one behind the other, in a buffer that is used again and again. */
export class FrameBatch {
  readonly #writer = new ByteWriter(64 * 1024);
  /** The last frame, while alerts may join it. */
  #open: OpenFrame | null = null;
  #count = 0;
  #firstId = 0;
  #lastId = 0;
  #minMs = Infinity;
  #maxMs = -Infinity;

  get count(): number {
    return this.#count;
  }

  get sizeBytes(): number {
    return this.#writer.size;
  }

  /** Adds a record, as a frame of its own. False when it is too large, and left out. */
  add(head: RecordHead, json: string): boolean {
    this.#close();
    const writer = this.#writer;
    const start = writer.size;
    writer.zeros(BODY_OFFSET);
    writer.text(json);
    if (writer.size - start > MAX_FRAME_BYTES) {
      writer.truncate(start);
      return false;
    }
    finishRecord(writer.bytes(), start, writer.size, head);
    this.#note(head.id, head.timeMs);
    return true;
  }

  /** Adds an alert that `write` gives, to those before it where it can. False when it is too large, and left out. */
  addAlert(
    id: number,
    timeMs: number,
    member: string,
    write: (writer: ByteWriter) => void,
  ): boolean {
    const writer = this.#writer;
    const open = this.#frameFor(id, timeMs, member);
    const start = writer.size;
    writer.u32(0);
    write(writer);
    if (writer.size - open.start > MAX_FRAME_BYTES) {
      const isAlone = open.nextId === open.firstId;
      writer.truncate(isAlone ? open.start : start);
      if (isAlone) this.#open = null;
      else this.#close();
      return isAlone ? false : this.addAlert(id, timeMs, member, write);
    }
    writer.patchU32(start, writer.size - start - 4);
    open.nextId++;
    this.#note(id, timeMs);
    return true;
  }

  /** What was added; the bytes are lent until something is added or this is cleared. */
  lend(): Frames {
    this.#close();
    return {
      data: this.#writer.bytes(),
      count: this.#count,
      firstId: this.#firstId,
      lastId: this.#lastId,
      minMs: this.#minMs,
      maxMs: this.#maxMs,
    };
  }

  clear(): void {
    this.#open = null;
    this.#writer.reset();
    this.#count = 0;
    this.#minMs = Infinity;
    this.#maxMs = -Infinity;
  }

  #frameFor(id: number, timeMs: number, member: string): OpenFrame {
    const open = this.#open;
    const joins =
      open !== null &&
      open.nextId === id &&
      open.timeMs === timeMs &&
      open.member === member &&
      this.#writer.size - open.start < FULL_BYTES;
    if (joins) return open;
    this.#close();
    const begun = { start: this.#writer.size, firstId: id, nextId: id, timeMs, member };
    this.#writer.zeros(BODY_OFFSET);
    this.#writer.uvarintText(member);
    this.#open = begun;
    return begun;
  }

  #close(): void {
    const open = this.#open;
    if (open === null) return;
    this.#open = null;
    const head = { kindCode: ALERTS_KIND, id: open.firstId, timeMs: open.timeMs };
    finishRecord(this.#writer.bytes(), open.start, this.#writer.size, head);
  }

  #note(id: number, timeMs: number): void {
    if (this.#count === 0) this.#firstId = id;
    this.#count++;
    this.#lastId = id;
    this.#minMs = Math.min(this.#minMs, timeMs);
    this.#maxMs = Math.max(this.#maxMs, timeMs);
  }
}

type OpenFrame = {
  readonly start: number;
  readonly firstId: number;
  nextId: number;
  readonly timeMs: number;
  readonly member: string;
};
