import { assert } from './assert.ts';
import { BoundedQueue } from './bounded-queue.ts';
import { CanceledError } from './errors.ts';
import type { WorkerPort } from './workers.ts';

/** Messages that an entry has not asked for yet. Protocols count what is under way; more is a mistake in one. */
const MAX_WAITING = 1024;

type Waiting<In> = {
  readonly resolve: (message: In) => void;
  readonly reject: (reason: Error) => void;
};

/** The entry's end of a line, whatever carries the messages. */
export class EntryPort<In, Out> implements WorkerPort<In, Out> {
  readonly post: WorkerPort<In, Out>['post'];
  readonly #stop = new AbortController();
  readonly #queue = new BoundedQueue<{ readonly message: In }>(MAX_WAITING);
  #waiting: Waiting<In> | null = null;

  constructor(post: WorkerPort<In, Out>['post']) {
    this.post = post;
  }

  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  receive(): Promise<In> {
    if (this.signal.aborted) return Promise.reject(stopped());
    const next = this.#queue.shift();
    if (next !== undefined) return Promise.resolve(next.message);
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }

  deliver(message: In): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    if (waiting !== null) waiting.resolve(message);
    else assert(this.#queue.push({ message }), 'BUG: more messages than a worker takes');
  }

  stop(): void {
    this.#stop.abort(stopped());
    this.#waiting?.reject(stopped());
    this.#waiting = null;
  }
}

function stopped(): CanceledError {
  return new CanceledError('the worker is to stop');
}
