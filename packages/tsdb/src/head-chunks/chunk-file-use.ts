import type { HeadChunkFiles } from './head-chunk-files.ts';

/** Which head chunk files have chunks that are in use, in order or late: a file goes when it and all older ones have none. */
export class ChunkFileUse {
  readonly #files: HeadChunkFiles;
  /** Chunks in use by file number. */
  readonly #alive = new Map<number, number>();

  constructor(files: HeadChunkFiles) {
    this.#files = files;
  }

  take(file: number): void {
    this.#alive.set(file, (this.#alive.get(file) ?? 0) + 1);
  }

  give(file: number): void {
    const left = this.#alive.get(file)! - 1;
    if (left === 0) this.#alive.delete(file);
    else this.#alive.set(file, left);
  }

  /**
   * Removes the oldest files as far as no chunk of theirs is in use, and begins a new one, for the same reason later. Rejects
   * with the system's error.
   */
  async releaseFiles(): Promise<void> {
    let oldest = Number.POSITIVE_INFINITY;
    for (const file of this.#alive.keys()) oldest = Math.min(oldest, file);
    this.#files.cut();
    await this.#files.removeBefore(oldest);
  }
}
