import { type Clock, deadline, type StopSignal } from '@pollux/base';
import { QueryError } from './errors.ts';

type Waiter = { readonly start: () => void; readonly isUrgent: boolean };

/** Lets so many queries run at a time; the rest wait in a queue of bounded length, urgent ones (rules) before others. */
export class QueryGate {
  readonly #maxRunning: number;
  readonly #maxWaiting: number;
  readonly #clock: Clock;
  readonly #waiting: Waiter[] = [];
  #running = 0;

  constructor(clock: Clock, maxRunning: number, maxWaiting: number) {
    this.#clock = clock;
    this.#maxRunning = maxRunning;
    this.#maxWaiting = maxWaiting;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /**
   * Resolves when a slot is free; call the result to give it back. Rejects with QueryError when the queue is full, the
   * signal aborts, or `timeoutMs` pass.
   */
  async enter(signal: StopSignal, timeoutMs: number, isUrgent = false): Promise<() => void> {
    if (signal.aborted) throw queueCanceled(signal.reason);
    if (this.#running < this.#maxRunning) return this.#slot();
    if (this.#waiting.length >= this.#maxWaiting) {
      throw new QueryError(
        'execution',
        `too many queries are waiting (${this.#maxWaiting}); try again later or raise --query.max-concurrency`,
      );
    }
    await this.#wait(signal, timeoutMs, isUrgent);
    return this.#slot();
  }

  async #wait(signal: StopSignal, timeoutMs: number, isUrgent: boolean): Promise<void> {
    const limit = deadline(
      this.#clock,
      timeoutMs,
      () => new QueryError('timeout', 'query timed out in query queue'),
      signal,
    );
    try {
      await new Promise<void>((resolve, reject) => {
        const waiter: Waiter = { start: resolve, isUrgent };
        const firstPatient = isUrgent ? this.#waiting.findIndex((other) => !other.isUrgent) : -1;
        if (firstPatient < 0) this.#waiting.push(waiter);
        else this.#waiting.splice(firstPatient, 0, waiter);
        limit.signal.addEventListener(
          'abort',
          () => {
            const index = this.#waiting.indexOf(waiter);
            if (index >= 0) this.#waiting.splice(index, 1);
            reject(queueCanceled(limit.signal.reason));
          },
          { once: true },
        );
      });
    } finally {
      limit.release();
    }
  }

  #slot(): () => void {
    this.#running++;
    let isReleased = false;
    return () => {
      if (isReleased) return;
      isReleased = true;
      this.#running--;
      this.#waiting.shift()?.start();
    };
  }
}

function queueCanceled(reason: unknown): QueryError {
  if (reason instanceof QueryError) return reason;
  return new QueryError('canceled', 'query was canceled in query queue', { cause: reason });
}
