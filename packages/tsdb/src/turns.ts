/** Lets one piece of work run after the other, in the order in which they were asked for. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  take<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work);
    // Its failure is the caller's, not the next one's.
    this.#last = turn.catch(() => {});
    return turn;
  }
}
