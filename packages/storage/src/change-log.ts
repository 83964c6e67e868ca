/** Tells who keeps answers which of them may have changed. */
export interface ChangeWatch {
  /** Now, before an answer is read. */
  mark(): number;
  /**
   * The least time, ms, of a sample that came, or went, or may have become another, since the mark: answers that rest on
   * older samples alone are as they were. +Infinity when nothing has changed, −Infinity when anything may have.
   */
  changedSinceMs(mark: number): number;
}

/** Periods between marks that are told apart; older ones are put together. */
const MAX_PERIODS = 1_024;

type Period = { readonly first: number; minMs: number };

/**
 * What an engine notes for {@link ChangeWatch}: a number for each batch. A mark ends a period, and of each period the least
 * time is kept. Where periods were put together, a mark gets what came since the first of them, which is only too much.
 */
export class ChangeLog implements ChangeWatch {
  #periods: Period[] = [{ first: 0, minMs: Number.POSITIVE_INFINITY }];

  /** Samples from this time on changed, or came; in the same turn in which readers begin to see it. */
  note(minMs: number): void {
    const last = this.#periods[this.#periods.length - 1]!;
    if (minMs < last.minMs) last.minMs = minMs;
  }

  /** Anything may have changed. */
  noteAll(): void {
    this.note(Number.NEGATIVE_INFINITY);
  }

  mark(): number {
    const last = this.#periods[this.#periods.length - 1]!;
    // Nothing came since the last mark: this one is as good.
    if (last.minMs === Number.POSITIVE_INFINITY) return last.first;
    const first = last.first + 1;
    this.#periods.push({ first, minMs: Number.POSITIVE_INFINITY });
    if (this.#periods.length > MAX_PERIODS) this.#periods = halved(this.#periods);
    return first;
  }

  changedSinceMs(mark: number): number {
    let minMs = Number.POSITIVE_INFINITY;
    for (let i = this.#periods.length - 1; i >= 0; i--) {
      const period = this.#periods[i]!;
      minMs = Math.min(minMs, period.minMs);
      if (period.first <= mark) break;
    }
    return minMs;
  }
}

/** Each two neighbours as one; the last, which goes on, alone. */
function halved(periods: readonly Period[]): Period[] {
  const result: Period[] = [];
  for (let i = 0; i < periods.length - 1; i += 2) {
    const { first, minMs } = periods[i]!;
    const next = i + 1 < periods.length - 1 ? periods[i + 1]!.minMs : Number.POSITIVE_INFINITY;
    result.push({ first, minMs: Math.min(minMs, next) });
  }
  result.push(periods[periods.length - 1]!);
  return result;
}
