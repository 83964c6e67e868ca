import {
  type WorkerEntry,
  WorkerExitError,
  type WorkerHandle,
  type WorkerOptions,
  type Workers,
} from '@pollux/base';

/** Workers that die when they have said so much, with nothing tidied up. */
export class MortalWorkers implements Workers {
  readonly parallelism = 1;
  started = 0;
  readonly #workers: Workers;
  readonly #words: number;

  constructor(workers: Workers, words: number) {
    this.#workers = workers;
    this.#words = words;
  }

  start<Data, In, Out>(
    entry: WorkerEntry<Data, In, Out>,
    options: WorkerOptions<Data, Out>,
  ): WorkerHandle<In> {
    this.started++;
    let said = 0;
    let die: (reason: Error) => void = () => {};
    const death = new Promise<never>((_, reject) => {
      die = reject;
    });
    const worker = this.#workers.start(entry, {
      ...options,
      onMessage: (message) => {
        if (said++ < this.#words) options.onMessage(message);
        if (said >= this.#words) die(new WorkerExitError(entry.name, 'exit status 137'));
      },
    });
    return {
      post: (message) => worker.post(message),
      ended: Promise.race([death, worker.ended]),
      stop: () => worker.stop(),
    };
  }
}
