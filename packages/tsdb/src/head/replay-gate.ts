import type { Slot } from './series-table.ts';

/**
 * Between the replay of the log and the commits that come during it. Such a commit only writes to the log, behind what is
 * replayed; the replay follows it there and makes it visible, so that samples enter the head in the order of the log. It is
 * over in the turn in which it has read all of the log and no commit waits for its sync: what is visible was acknowledged.
 */
export class ReplayGate {
  #isOpen = false;
  #waiting = 0;
  /** Newest sample that each series, by slot, got through the gate. */
  #passedMs = new Float64Array(0);
  /**
   * Time of the newest sample of the log that was found: what is newer is in order, whatever its series has. +Infinity until
   * it is known.
   */
  logNewestMs = Number.POSITIVE_INFINITY;

  /** True while commits are made visible by the replay. */
  get isReplaying(): boolean {
    return !this.#isOpen;
  }

  /** Whether a commit is in the log and not acknowledged yet. */
  get isAwaited(): boolean {
    return this.#waiting > 0;
  }

  /** From now on commits are made visible by those who make them. */
  open(): void {
    this.#isOpen = true;
    this.#passedMs = new Float64Array(0);
  }

  /** Whether a sample is known to be newer than all that its series has in the log, before or behind its end. */
  isNewest(slot: Slot, timestampMs: number): boolean {
    return timestampMs > this.logNewestMs && timestampMs > (this.#passedMs[slot] ?? -Infinity);
  }

  /** A sample of the series goes into the log. */
  pass(slot: Slot, timestampMs: number): void {
    if (slot >= this.#passedMs.length) {
      const grown = new Float64Array(Math.max(1024, (slot + 1) * 2)).fill(-Infinity);
      grown.set(this.#passedMs);
      this.#passedMs = grown;
    }
    this.#passedMs[slot] = Math.max(this.#passedMs[slot]!, timestampMs);
  }

  /** To be called in the turn in which the commit wrote to the log. */
  async await(sync: Promise<void>): Promise<void> {
    this.#waiting++;
    try {
      await sync;
    } finally {
      this.#waiting--;
    }
  }
}
