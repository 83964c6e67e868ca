/**
 * Between the replay of the log and the commits that come during it. Such a commit only writes to the log, behind what is
 * replayed; the replay follows it there and makes it visible, so that samples enter the head in the order of the log. It is
 * over in the turn in which it has read all of the log and no commit waits for its sync: what is visible was acknowledged.
 */
export class ReplayGate {
  #isOpen = false;
  #waiting = 0;

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
