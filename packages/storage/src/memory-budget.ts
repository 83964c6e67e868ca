import { LimitError } from '@pollux/base';

/** Bytes that one query may hold at a time. Take before allocating; give back what is released before the end. */
export class MemoryBudget {
  readonly limitBytes: number;
  readonly #name: string;
  #usedBytes = 0;
  #peakBytes = 0;

  constructor(limitBytes: number, name = 'query.max-memory') {
    this.limitBytes = limitBytes;
    this.#name = name;
  }

  static unlimited(): MemoryBudget {
    return new MemoryBudget(Number.POSITIVE_INFINITY);
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  get peakBytes(): number {
    return this.#peakBytes;
  }

  /** Throws LimitError when the limit would be passed. */
  take(bytes: number): void {
    this.#usedBytes += bytes;
    if (this.#usedBytes > this.limitBytes) {
      throw new LimitError(
        'STORAGE.MEMORY_LIMIT',
        this.#name,
        `query needs more than the ${this.limitBytes} bytes that --${this.#name} allows; narrow the selector or the time range, or raise the limit`,
      );
    }
    if (this.#usedBytes > this.#peakBytes) this.#peakBytes = this.#usedBytes;
  }

  give(bytes: number): void {
    this.#usedBytes -= bytes;
  }
}
