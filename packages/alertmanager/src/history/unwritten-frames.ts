import type { Frames } from './frame-batch.ts';
import { type FrameView, wholeFrames } from './record-frames.ts';

/** Over one of these the oldest go, until half is left. */
const MAX_RECORDS = 100_000;
const MAX_BYTES = 64 * 1024 * 1024;

/** What a disk that takes nothing owes, oldest first, bounded. */
export class UnwrittenFrames {
  #all: Frames[] = [];
  #count = 0;
  #bytes = 0;

  /** Records in it. */
  get count(): number {
    return this.#count;
  }

  get oldest(): Frames | undefined {
    return this.#all[0];
  }

  /** Takes a copy; returns how many records were dropped for it. */
  add(frames: Frames): number {
    this.#all.push({ ...frames, data: Buffer.from(frames.data) });
    this.#count += frames.count;
    this.#bytes += frames.data.length;
    if (this.#count <= MAX_RECORDS && this.#bytes <= MAX_BYTES) return 0;
    const before = this.#count;
    while (this.#count > MAX_RECORDS / 2 || this.#bytes > MAX_BYTES / 2) this.dropOldest();
    return before - this.#count;
  }

  dropOldest(): void {
    const oldest = this.#all.shift();
    if (oldest === undefined) return;
    this.#count -= oldest.count;
    this.#bytes -= oldest.data.length;
  }

  frames(): FrameView[] {
    return this.#all.flatMap(({ data }) =>
      wholeFrames(Buffer.from(data.buffer, data.byteOffset, data.length), 0),
    );
  }
}
