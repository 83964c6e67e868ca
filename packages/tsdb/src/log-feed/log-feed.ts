import type { WorkerHandle, Workers } from '@pollux/base';
import type { LogSource } from '../wal/log-sources.ts';
import {
  createSlot,
  type FeedSlot,
  type FilledSlot,
  type FreeSlot,
  SLOT_COUNT,
} from './feed.protocol.ts';
import { LOG_FEED } from './log-feed.worker.ts';

/** A disk that does not answer for so long is not waited for; reading a page takes milliseconds. */
const MAX_SILENCE_MS = 10 * 60_000;
/** The reader of a log keeps next to nothing; a single record of 128 MB lies outside of the heap. */
const MAX_HEAP_MEGABYTES = 64;

/** The records of a log, read and decoded by a worker a few slots ahead. Close it. */
export class LogFeed {
  readonly slots: readonly FeedSlot[] = Array.from({ length: SLOT_COUNT }, createSlot);
  readonly #worker: WorkerHandle<FreeSlot>;
  readonly #filled: FilledSlot[] = [];
  #wake: (() => void) | null = null;
  #end: { readonly failure: { readonly error: unknown } | null } | null = null;

  constructor(workers: Workers, sources: readonly LogSource[], signal: AbortSignal) {
    this.#worker = workers.start(LOG_FEED, {
      data: { sources, slots: this.slots },
      onMessage: (filled) => {
        this.#filled.push(filled);
        this.#wake?.();
      },
      signal,
      maxSilenceMs: MAX_SILENCE_MS,
      maxHeapMegabytes: MAX_HEAP_MEGABYTES,
    });
    const end = (failure: { readonly error: unknown } | null): void => {
      this.#end = { failure };
      this.#wake?.();
    };
    this.#worker.ended.then(
      () => end(null),
      (error: unknown) => end({ error }),
    );
  }

  /** The next slot, to be given back by {@link release}; null behind the last record. Rejects with the worker's error. */
  async next(): Promise<FilledSlot | null> {
    for (;;) {
      const filled = this.#filled.shift();
      if (filled !== undefined) return filled;
      if (this.#end !== null) {
        if (this.#end.failure !== null) throw this.#end.failure.error;
        return null;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = null;
    }
  }

  release({ slot }: FilledSlot): void {
    this.#worker.post({ slot });
  }

  close(): Promise<void> {
    return this.#worker.stop();
  }
}
