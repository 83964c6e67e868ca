import { EntryPort } from './entry-port.ts';
import { CanceledError } from './errors.ts';
import { packError, unpackError } from './worker-errors.ts';
import type { WorkerEntry, WorkerHandle, WorkerOptions, Workers, WorkerWorld } from './workers.ts';

/**
 * Workers without threads: entries run in the caller's thread between its other work, on the caller's clock and disk, and
 * talk as over threads: messages and errors are copied, come in order and later. An entry that hangs cannot be ended by
 * force, and memory and silence have no limit.
 */
export class InlineWorkers implements Workers {
  readonly parallelism = 1;
  readonly #world: WorkerWorld;

  constructor(world: WorkerWorld) {
    this.#world = world;
  }

  start<Data, In, Out>(
    entry: WorkerEntry<Data, In, Out>,
    { data, onMessage, signal }: WorkerOptions<Data, Out>,
  ): WorkerHandle<In> {
    let isOver = false;
    let isStopped = false;
    let failure: { readonly error: unknown } | null = null;
    const port = new EntryPort<In, Out>((message, transfer = []) => {
      const copy = structuredClone(message, { transfer: [...transfer] });
      setImmediate(() => {
        if (failure !== null) return;
        try {
          onMessage(copy);
        } catch (error) {
          failure = { error };
          port.stop();
        }
      });
    });
    const stop = (): void => {
      if (isOver) return;
      isStopped = true;
      port.stop();
    };
    const run = async (): Promise<void> => {
      const { clock, random, files } = this.#world;
      const given = structuredClone(data);
      await turn();
      try {
        await entry.run(port, given, { clock, random, files });
      } catch (error) {
        if (failure !== null) throw failure.error;
        if (isStopped) throw new CanceledError('the worker was stopped', { cause: signal.reason });
        throw unpackError(packError(error));
      } finally {
        // What it has posted last comes before its end.
        await turn();
        isOver = true;
        signal.removeEventListener('abort', stop);
      }
      if (failure !== null) throw failure.error;
    };
    signal.addEventListener('abort', stop, { once: true });
    const ended = run();
    // Who waits for the end hears of it; nobody has to.
    ended.catch(() => {});
    if (signal.aborted) stop();
    return {
      post: (message, transfer = []) => {
        if (isOver) return;
        const copy = structuredClone(message, { transfer: [...transfer] });
        setImmediate(() => port.deliver(copy));
      },
      ended,
      stop: async () => {
        stop();
        await ended.catch(() => {});
      },
    };
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
