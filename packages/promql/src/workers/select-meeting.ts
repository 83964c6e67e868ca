/**
 * Has the selections of the shares of one query begin in one turn of the event loop, so that all see the same commits: the n-th of
 * each when all have asked for their n-th, or have ended. All shares run the same plan and so ask in the same order; one that has to
 * begin anew may ask more often, and then goes with a later one of the others.
 */
export class SelectMeeting {
  /** How many selections each share has asked for. */
  readonly #asked: number[];
  #waiting: { readonly turn: number; readonly resolve: () => void }[] = [];

  constructor(shares: number) {
    this.#asked = new Array<number>(shares).fill(0);
  }

  /** Resolves when the share's next selection is to begin, which it must without waiting for anything more. */
  reach(share: number): Promise<void> {
    const turn = this.#asked[share]! + 1;
    this.#asked[share] = turn;
    const reached = new Promise<void>((resolve) => {
      this.#waiting.push({ turn, resolve });
    });
    this.#release();
    return reached;
  }

  /** The share asks no more. */
  leave(share: number): void {
    this.#asked[share] = Number.POSITIVE_INFINITY;
    this.#release();
  }

  #release(): void {
    const least = Math.min(...this.#asked);
    const ready = this.#waiting.filter(({ turn }) => turn <= least);
    this.#waiting = this.#waiting.filter(({ turn }) => turn > least);
    for (const { resolve } of ready) resolve();
  }
}
