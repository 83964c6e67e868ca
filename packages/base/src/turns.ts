/** Lets one piece of work run after the other, in the order in which they were asked for. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();
  #count = 0;

  /** True while some work runs or waits for its turn. */
  get isBusy(): boolean {
    return this.#count > 0;
  }

  take<T>(work: () => Promise<T>): Promise<T> {
    this.#count++;
    const turn = this.#last.then(work).finally(() => {
      this.#count--;
    });
    // Its failure is the caller's, not the next one's.
    this.#last = turn.catch(() => {});
    return turn;
  }
}
