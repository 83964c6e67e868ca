/** An answer as it was written, and what of it could change since. */
export type KeptBody = {
  readonly body: Uint8Array;
  /** The first step that could change; behind the end of the query when none could. */
  readonly tailStartMs: number;
  /** The answer to the steps from there on. */
  readonly tail: Uint8Array;
};

/** Kept answers by query and times, within a number of bytes; the least recently used go. */
export class KeptBodies {
  readonly #maxBytes: number;
  /** In the order of use, the latest last. */
  readonly #kept = new Map<string, KeptBody>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get sizeBytes(): number {
    return this.#bytes;
  }

  get(key: string): KeptBody | null {
    const found = this.#kept.get(key);
    if (found === undefined) return null;
    this.#kept.delete(key);
    this.#kept.set(key, found);
    return found;
  }

  set(key: string, kept: KeptBody): void {
    this.delete(key);
    if (sizeOf(key, kept) > this.#maxBytes / 4) return;
    this.#kept.set(key, kept);
    this.#bytes += sizeOf(key, kept);
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= this.#maxBytes) return;
      this.delete(oldest);
    }
  }

  delete(key: string): void {
    const kept = this.#kept.get(key);
    if (kept === undefined) return;
    this.#kept.delete(key);
    this.#bytes -= sizeOf(key, kept);
  }
}

function sizeOf(key: string, { body, tail }: KeptBody): number {
  return key.length * 2 + body.length + tail.length + 200;
}
