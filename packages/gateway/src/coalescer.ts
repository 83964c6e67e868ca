import { CanceledError, type StopSignal, StopSource } from '@pollux/base';

type Work<T> = {
  readonly result: Promise<T>;
  readonly stop: StopSource;
  /** Of those who asked for it and have not left. */
  waiting: number;
};

/** Lets equal work that is asked for while it is under way be done once. It ends early only when all who asked have left. */
export class Coalescer<T> {
  readonly #underWay = new Map<string, Work<T>>();

  get size(): number {
    return this.#underWay.size;
  }

  /** Calls `onShared` when somebody else's work is waited for. */
  run(
    key: string,
    signal: StopSignal,
    work: (signal: StopSignal) => Promise<T>,
    onShared: () => void,
  ): Promise<T> {
    const known = this.#underWay.get(key);
    if (known === undefined) return this.#wait(key, this.#begin(key, work), signal);
    onShared();
    return this.#wait(key, known, signal);
  }

  #begin(key: string, work: (signal: StopSignal) => Promise<T>): Work<T> {
    const stop = new StopSource();
    const begun: Work<T> = { result: work(stop), stop, waiting: 0 };
    this.#underWay.set(key, begun);
    const forget = (): void => this.#forget(key, begun);
    begun.result.then(forget, forget);
    return begun;
  }

  #wait(key: string, work: Work<T>, signal: StopSignal): Promise<T> {
    work.waiting++;
    return new Promise((resolve, reject) => {
      const onLeave = (): void => {
        reject(new CanceledError('request canceled', { cause: signal.reason }));
        if (--work.waiting > 0) return;
        // Whoever asks from now on begins anew.
        this.#forget(key, work);
        work.stop.abort(signal.reason);
      };
      if (signal.aborted) {
        onLeave();
        return;
      }
      signal.addEventListener('abort', onLeave, { once: true });
      const stay = (): void => signal.removeEventListener('abort', onLeave);
      work.result.then(
        (value) => {
          stay();
          resolve(value);
        },
        (error: unknown) => {
          stay();
          reject(error);
        },
      );
    });
  }

  #forget(key: string, work: Work<T>): void {
    if (this.#underWay.get(key) === work) this.#underWay.delete(key);
  }
}
