import { JsonWriter } from '../api/json-writer.ts';
import { finishRecord, JSON_OFFSET, MAX_FRAME_BYTES, type RecordHead } from './record-frames.ts';

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
  /** Searches look for texts as they are. */
  readonly #json = new JsonWriter({ isSafeInHtml: false });
  #count = 0;
  #firstId = 0;
  #lastId = 0;
  #minMs = Infinity;
  #maxMs = -Infinity;

  get count(): number {
    return this.#count;
  }

  get sizeBytes(): number {
    return this.#json.size;
  }

  /** Adds the record whose JSON `write` gives. False when it is too large, and left out. */
  add(head: RecordHead, write: (json: JsonWriter) => void): boolean {
    const json = this.#json;
    const start = json.size;
    json.skip(JSON_OFFSET);
    write(json);
    if (json.size - start > MAX_FRAME_BYTES) {
      json.truncate(start);
      return false;
    }
    finishRecord(json.data, start, json.size, head);
    if (this.#count === 0) this.#firstId = head.id;
    this.#count++;
    this.#lastId = head.id;
    this.#minMs = Math.min(this.#minMs, head.timeMs);
    this.#maxMs = Math.max(this.#maxMs, head.timeMs);
    return true;
  }

  /** What was added; the bytes are lent until something is added or this is cleared. */
  lend(): Frames {
    return {
      data: this.#json.data.subarray(0, this.#json.size),
      count: this.#count,
      firstId: this.#firstId,
      lastId: this.#lastId,
      minMs: this.#minMs,
      maxMs: this.#maxMs,
    };
  }

  clear(): void {
    this.#json.truncate(0);
    this.#count = 0;
    this.#minMs = Infinity;
    this.#maxMs = -Infinity;
  }
}
