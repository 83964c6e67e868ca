import type { HeadChunkPlace } from './place.ts';

/** A file has fewer bytes. */
const FILE_SPAN = 2 ** 32;

/**
 * Entries that were found in the head chunk files, by their checksums, so that one which is about to be written can be told
 * to be there already. Of several with one checksum the newest is known; whether it is the same its bytes tell.
 */
export class FoundEntries {
  /** File number × {@link FILE_SPAN} + offset. */
  readonly #places = new Map<number, number>();

  get count(): number {
    return this.#places.size;
  }

  add(checksum: number, { file, offset }: HeadChunkPlace): void {
    this.#places.set(checksum, file * FILE_SPAN + offset);
  }

  /** Gives each only once: a place must not be used by two chunks. */
  take(checksum: number): HeadChunkPlace | null {
    const place = this.#places.get(checksum);
    if (place === undefined) return null;
    this.#places.delete(checksum);
    return { file: Math.floor(place / FILE_SPAN), offset: place % FILE_SPAN };
  }
}
