type Entry = { readonly segment: number; readonly maxMs: number; readonly standsFor: number };

/**
 * References without a series of their own in the head that records of the log still use: removed series, and second
 * references of one series. Their series records are kept while a checkpoint or a later segment may hold such records.
 */
export class Expiries {
  readonly #entries = new Map<number, Entry>();

  /**
   * Records of `ref` lie in segments up to `segment`, with times up to `maxMs`; they are of the series that has `standsFor`
   * (0: of none that is left).
   */
  note(ref: number, segment: number, maxMs: number, standsFor = 0): void {
    this.#entries.set(ref, { segment, maxMs, standsFor });
  }

  *entries(): Generator<Entry & { readonly ref: number }> {
    for (const [ref, entry] of this.#entries) yield { ref, ...entry };
  }

  /** Whether a checkpoint of the segments up to `last`, without samples before `minMs`, needs the series record. */
  isNeeded(ref: number, last: number, minMs: number): boolean {
    const entry = this.#entries.get(ref);
    return entry !== undefined && (entry.segment > last || entry.maxMs >= minMs);
  }

  /** Forgets what that checkpoint has left out. */
  prune(last: number, minMs: number): void {
    for (const ref of this.#entries.keys()) {
      if (!this.isNeeded(ref, last, minMs)) this.#entries.delete(ref);
    }
  }
}
