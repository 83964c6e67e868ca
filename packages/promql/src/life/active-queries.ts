import { CanceledError, type Clock, type StopSignal, StopSource } from '@pollux/base';
import type {
  ActiveQuery,
  QueryAbout,
  QueryLife,
  QueryObserver,
  QueryOutcome,
} from './query-life.ts';

/**
 * All queries of a role that wait or run. Who runs queries begins a life for each before it waits for a slot and ends it
 * after the answer; who wants to see or end one finds it here. As many lives as the queue and the slots allow.
 */
export class ActiveQueries {
  readonly #clock: Clock;
  readonly #observers: readonly QueryObserver[];
  /**
   * In the order in which they arrived. No map: one to which entries come and go makes a new table again and again, and each old
   * table, once it is in the old generation, keeps the next alive with all it held, until the next whole collection.
   */
  readonly #lives: Life[] = [];
  /** Ids of one process are not those of the next, so that a late kill meets no stranger. */
  readonly #prefix: string;
  #nextNumber = 1;

  constructor(clock: Clock, observers: readonly QueryObserver[] = []) {
    this.#clock = clock;
    this.#observers = observers;
    this.#prefix = Math.max(0, clock.now()).toString(36);
  }

  begin(about: QueryAbout, signal: StopSignal | undefined): QueryLife {
    const id = `${this.#prefix}-${this.#nextNumber++}`;
    const life = new Life(id, about, this.#clock, {
      started: () => {
        if (this.#observers.length === 0) return;
        const view = life.view();
        for (const observer of this.#observers) observer.started?.(view);
      },
      ended: (outcome) => {
        this.#lives.splice(this.#lives.indexOf(life), 1);
        if (this.#observers.length === 0) return;
        const view = life.view();
        for (const observer of this.#observers) observer.ended?.(view, outcome);
      },
    });
    this.#lives.push(life);
    life.follow(signal);
    return life;
  }

  /** In the order in which they arrived. */
  list(): readonly ActiveQuery[] {
    return this.#lives.map((life) => life.view());
  }

  /** Ends a query that waits or runs as if its client had gone; false when there is none of this id. */
  kill(id: string): boolean {
    const life = this.#lives.find((other) => other.id === id);
    life?.kill();
    return life !== undefined;
  }
}

class Life implements QueryLife {
  readonly id: string;
  readonly #about: QueryAbout;
  readonly #clock: Clock;
  readonly #told: Required<{ started(): void; ended(outcome: QueryOutcome): void }>;
  readonly #arrivedMs: number;
  readonly #arrivedMonotonicMs: number;
  readonly #abort = new StopSource();
  #samples: (() => number) | null = null;
  #unfollow: () => void = () => {};
  #isEnded = false;

  constructor(
    id: string,
    about: QueryAbout,
    clock: Clock,
    told: { started(): void; ended(outcome: QueryOutcome): void },
  ) {
    this.id = id;
    this.#about = about;
    this.#clock = clock;
    this.#told = told;
    this.#arrivedMs = clock.now();
    this.#arrivedMonotonicMs = clock.monotonic();
  }

  get signal(): StopSignal {
    return this.#abort;
  }

  /** A listener of our own: signals made of others are remembered by a source that outlives them. */
  follow(signal: StopSignal | undefined): void {
    if (signal === undefined) return;
    const abort = (): void => this.#abort.abort(signal.reason);
    if (signal.aborted) {
      abort();
      return;
    }
    signal.addEventListener('abort', abort, { once: true });
    this.#unfollow = () => signal.removeEventListener('abort', abort);
  }

  running(samples: () => number): void {
    if (this.#isEnded || this.#samples !== null) return;
    this.#samples = samples;
    this.#told.started();
  }

  kill(): void {
    this.#abort.abort(new CanceledError('the query was killed'));
  }

  end(outcome: QueryOutcome): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#unfollow();
    this.#told.ended(outcome);
  }

  view(): ActiveQuery {
    // Written out: spreading took longer than all else that a life costs.
    const { query, startMs, endMs, stepMs, origin } = this.#about;
    return {
      query,
      startMs,
      endMs,
      stepMs,
      origin,
      id: this.id,
      phase: this.#samples === null ? 'queued' : 'running',
      arrivedMs: this.#arrivedMs,
      ageMs: this.#clock.monotonic() - this.#arrivedMonotonicMs,
      stepCount: stepMs > 0 ? Math.max(0, Math.floor((endMs - startMs) / stepMs)) + 1 : 1,
      samples: this.#samples?.() ?? 0,
    };
  }
}
