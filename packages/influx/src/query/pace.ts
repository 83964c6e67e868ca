import { CanceledError, type Clock, OperatingError, Slices, type StopSignal } from '@pollux/base';

/** What the user is told: the limit that stopped the query, or that somebody did. */
function stopReason({ reason }: StopSignal): OperatingError {
  return OperatingError.is(reason) ? reason : new CanceledError('query interrupted');
}

type Paced = { readonly clock: Clock; readonly signal: StopSignal };

/** Gives the thread away every few milliseconds, and ends a query that was stopped. */
export class Pace {
  readonly #scope: Paced;
  readonly #slices: Slices;

  constructor(scope: Paced) {
    this.#scope = scope;
    this.#slices = new Slices(scope.clock);
  }

  /** True when it is time to call {@link pause}; cheaper than awaiting each time. */
  get isOver(): boolean {
    return this.#slices.isOver;
  }

  /** Rejects with what stopped the query. */
  async pause(): Promise<void> {
    await this.#slices.pause();
    this.check();
  }

  check(): void {
    if (this.#scope.signal.aborted) throw stopReason(this.#scope.signal);
  }
}
