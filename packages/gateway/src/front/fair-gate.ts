import { CanceledError, type Clock, LimitError, type StopSignal, stopAfter } from '@pollux/base';

/** A query that is not let in: too many of the same user wait, or it has waited too long. */
export class TooManyQueriesError extends LimitError {
  constructor(limit: string, message: string) {
    super('GATEWAY.TOO_MANY_QUERIES', limit, message);
  }
}

export type FairGateOptions = {
  readonly clock: Clock;
  readonly maxRunning: number;
  readonly maxRunningPerUser: number;
  readonly maxWaitingPerUser: number;
  readonly timeoutMs: number;
};

type User = { running: number; readonly waiting: (() => void)[] };

/**
 * Lets so many queries in at once, and of one user no more than their share; others wait. A free place goes to the users who wait
 * in turn, whatever the length of their queues, so that one with a thousand queries holds nobody else up.
 */
export class FairGate {
  readonly #options: FairGateOptions;
  readonly #users = new Map<string, User>();
  /** Users with waiting queries, the next to be served first. */
  readonly #turn = new Set<string>();
  #running = 0;
  #waiting = 0;

  constructor(options: FairGateOptions) {
    this.#options = options;
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#waiting;
  }

  /** Resolves when the query may run; call the result, once, when it has. Rejects with TooManyQueriesError or CanceledError. */
  async enter(name: string, signal: StopSignal): Promise<() => void> {
    const { maxWaitingPerUser } = this.#options;
    const user = this.#users.get(name) ?? { running: 0, waiting: [] };
    this.#users.set(name, user);
    if (user.waiting.length > 0 || !this.#hasRoom(user)) {
      if (user.waiting.length >= maxWaitingPerUser) {
        const text = `${user.waiting.length} queries of ${name} are waiting (queries.max_queued_per_user); try again later`;
        throw new TooManyQueriesError('queries.max_queued_per_user', text);
      }
      await this.#wait(name, user, signal);
    } else {
      user.running++;
      this.#running++;
    }
    return () => this.#leave(name, user);
  }

  #hasRoom(user: User): boolean {
    const { maxRunning, maxRunningPerUser } = this.#options;
    return this.#running < maxRunning && user.running < maxRunningPerUser;
  }

  async #wait(name: string, user: User, signal: StopSignal): Promise<void> {
    const { clock, timeoutMs } = this.#options;
    const late = (): Error =>
      new TooManyQueriesError(
        'queries.queue_timeout',
        `the query has waited ${timeoutMs} ms for its turn (queries.queue_timeout); try again later`,
      );
    const limit = stopAfter(clock, timeoutMs, late, signal);
    this.#waiting++;
    try {
      await new Promise<void>((resolve, reject) => {
        user.waiting.push(resolve);
        this.#turn.add(name);
        const onStop = (): void => {
          const at = user.waiting.indexOf(resolve);
          if (at >= 0) user.waiting.splice(at, 1);
          if (user.waiting.length === 0) this.#turn.delete(name);
          this.#forget(name, user);
          const { reason } = limit.signal;
          const isLate = reason instanceof TooManyQueriesError;
          reject(isLate ? reason : new CanceledError('query canceled', { cause: reason }));
        };
        if (limit.signal.aborted) onStop();
        else limit.signal.addEventListener('abort', onStop, { once: true });
      });
    } finally {
      this.#waiting--;
      limit.release();
    }
  }

  #leave(name: string, user: User): void {
    user.running--;
    this.#running--;
    this.#forget(name, user);
    for (const next of this.#turn) {
      const other = this.#users.get(next);
      if (other === undefined || !this.#hasRoom(other)) continue;
      this.#turn.delete(next);
      const start = other.waiting.shift();
      // To the end of the turn.
      if (other.waiting.length > 0) this.#turn.add(next);
      if (start === undefined) continue;
      other.running++;
      this.#running++;
      start();
      if (this.#running >= this.#options.maxRunning) return;
    }
  }

  #forget(name: string, user: User): void {
    if (user.running === 0 && user.waiting.length === 0) this.#users.delete(name);
  }
}
