import type { SealedRef } from '../head/sealed-chunks.ts';
import type { OooReaders } from './ooo-readers.ts';

type Held = {
  /** The newest reader when the chunk was sealed: later ones see all of the chunk. */
  readonly until: number;
  readonly after: Uint8Array;
};

/**
 * In what order the samples of a chunk arrived, of chunks that were sealed while a query was reading: it sees those that were
 * there when it began. Nothing else tells samples of one chunk apart, so the files have no place for it, and it is forgotten
 * when these queries have ended.
 */
export class HeldArrivals {
  readonly #readers: OooReaders;
  /** In the order in which they were sealed, so that `until` rises. */
  readonly #held = new Map<SealedRef, Held>();

  constructor(readers: OooReaders) {
    this.#readers = readers;
  }

  get count(): number {
    return this.#held.size;
  }

  /** `after`: how many samples of the same open chunk arrived after each of the chunk's; copied. */
  add(ref: SealedRef, after: Uint8Array): void {
    const { oldest, newest } = this.#readers;
    for (const [old, { until }] of this.#held) {
      if (until >= oldest) break;
      this.#held.delete(old);
    }
    if (oldest <= newest) this.#held.set(ref, { until: newest, after: after.slice() });
  }

  /** Undefined for a chunk of which every reader sees all or nothing. */
  of(ref: SealedRef): Uint8Array | undefined {
    return this.#held.get(ref)?.after;
  }

  drop(ref: SealedRef): void {
    this.#held.delete(ref);
  }
}
