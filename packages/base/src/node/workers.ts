import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { WorkerHandle, Workers } from '../workers.ts';

/** Real threads. */
export class NodeWorkers implements Workers {
  readonly parallelism = availableParallelism();

  spawn(entry: URL, data: unknown): WorkerHandle {
    const worker = new Worker(entry, { workerData: data });
    return {
      post: (message, transfer = []) => worker.postMessage(message, [...transfer]),
      onMessage: (listener) => worker.on('message', listener),
      onError: (listener) => worker.on('error', listener),
      terminate: async () => {
        await worker.terminate();
      },
    };
  }
}
