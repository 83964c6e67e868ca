/** A query that reads out-of-order samples; they are not dropped under it. */
export type OooReader = {
  /** Readers are numbered as they begin, from 1 on. */
  readonly number: number;
  /** Set when the reader held them too long: its next step must fail. */
  isExpired: boolean;
};

/** The queries that read out-of-order samples now. */
export class OooReaders {
  /** In the order in which they began. */
  readonly #live = new Set<OooReader>();
  #newest = 0;

  begin(): OooReader {
    const reader = { number: ++this.#newest, isExpired: false };
    this.#live.add(reader);
    return reader;
  }

  end(reader: OooReader): void {
    this.#live.delete(reader);
  }

  isLive(reader: OooReader): boolean {
    return this.#live.has(reader);
  }

  live(): readonly OooReader[] {
    return [...this.#live];
  }

  /** The number of the last that began. */
  get newest(): number {
    return this.#newest;
  }

  /** The number of the first of those that are there, +Infinity when there is none. */
  get oldest(): number {
    for (const { number } of this.#live) return number;
    return Number.POSITIVE_INFINITY;
  }
}
