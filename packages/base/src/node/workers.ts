import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { CanceledError, systemCode, TimeoutError } from '../errors.ts';
import type { StopSignal } from '../stop-signal.ts';
import { unpackError, WorkerExitError, WorkerMemoryError } from '../worker-errors.ts';
import type { WorkerEntry, WorkerHandle, WorkerOptions, Workers } from '../workers.ts';
import type { FromThread, ThreadStart, ToThread } from './worker-line.ts';

/** A thread that was asked to stop is ended by force after this. */
const STOP_GRACE_MS = 3_000;
/** Young objects of a worker; the engine's own choice would let each take 32 MB and more. */
const YOUNG_MEGABYTES = 4;

const isSource = import.meta.url.endsWith('.ts');
const THREAD_MAIN = new URL(
  isSource ? './thread-from-source.mjs' : './thread-main.js',
  import.meta.url,
);
/** Node's own flags for threads: those of the process, but sources are not found by all that runs them. */
const THREAD_FLAGS = isSource ? { execArgv: ['--conditions=@pollux/source'] } : {};

/** Real threads. Each is started for its work and gives its memory back when that has ended. */
export class NodeWorkers implements Workers {
  readonly parallelism = availableParallelism();

  start<Data, In, Out>(
    { name, module }: WorkerEntry<Data, In, Out>,
    options: WorkerOptions<Data, Out>,
  ): WorkerHandle<In> {
    const start: ThreadStart = { module, name, data: options.data };
    const thread = new Worker(THREAD_MAIN, {
      workerData: start,
      name,
      resourceLimits: {
        maxOldGenerationSizeMb: options.maxHeapMegabytes,
        maxYoungGenerationSizeMb: options.maxYoungMegabytes ?? YOUNG_MEGABYTES,
      },
      ...THREAD_FLAGS,
    });
    return new Thread<In, Out>(name, thread, options);
  }
}

class Thread<In, Out> implements WorkerHandle<In> {
  readonly ended: Promise<void>;
  readonly #thread: Worker;
  readonly #signal: StopSignal;
  readonly #exited: Promise<void>;
  #lastWordMs = performance.now();
  /** Why it ends; the first reason counts. `undefined` until there is one, `null` when the work is done. */
  #reason: { readonly error: unknown } | null | undefined;
  #force: NodeJS.Timeout | null = null;

  constructor(name: string, thread: Worker, options: WorkerOptions<unknown, Out>) {
    const { onMessage, signal, maxSilenceMs, maxHeapMegabytes } = options;
    this.#thread = thread;
    this.#signal = signal;
    thread.on('message', (message: FromThread) => {
      this.#lastWordMs = performance.now();
      if (message.kind === 'done') this.#end(null);
      else if (message.kind === 'failed') this.#end({ error: unpackError(message.error) });
      else if (this.#reason === undefined) this.#tell(() => onMessage(message.body as Out));
    });
    thread.on('error', (error) => {
      const isMemory = systemCode(error) === 'ERR_WORKER_OUT_OF_MEMORY';
      this.#end({
        error: isMemory
          ? new WorkerMemoryError(name, maxHeapMegabytes)
          : new WorkerExitError(name, 'it failed', { cause: error }),
      });
    });
    const watch = setInterval(() => {
      if (performance.now() - this.#lastWordMs < maxSilenceMs) return;
      this.#stop(new TimeoutError(`the worker ${name} has said nothing for ${maxSilenceMs} ms`));
    }, maxSilenceMs / 4);
    watch.unref();
    signal.addEventListener('abort', this.#onAbort, { once: true });
    this.#exited = new Promise((resolve) => {
      thread.once('exit', (code) => {
        clearInterval(watch);
        if (this.#force !== null) clearTimeout(this.#force);
        signal.removeEventListener('abort', this.#onAbort);
        if (this.#reason === undefined) {
          this.#reason = { error: new WorkerExitError(name, `exit status ${code}`) };
        }
        resolve();
      });
    });
    this.ended = this.#exited.then(() => {
      if (this.#reason) throw this.#reason.error;
    });
    // Who waits for the end hears of it; nobody has to.
    this.ended.catch(() => {});
    if (signal.aborted) this.#onAbort();
  }

  post(message: In, transfer: readonly ArrayBuffer[] = []): void {
    this.#lastWordMs = performance.now();
    this.#send({ kind: 'message', body: message }, transfer);
  }

  async stop(): Promise<void> {
    this.#onAbort();
    await this.#exited;
  }

  readonly #onAbort = (): void => {
    this.#stop(new CanceledError('the worker was stopped', { cause: this.#signal.reason }));
  };

  #stop(why: Error): void {
    if (this.#reason !== undefined) return;
    this.#end({ error: why });
    this.#send({ kind: 'stop' }, []);
  }

  /** It must be gone within the grace. */
  #end(reason: { readonly error: unknown } | null): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    this.#force = setTimeout(() => void this.#thread.terminate(), STOP_GRACE_MS);
  }

  #tell(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#stop(error as Error);
    }
  }

  #send(message: ToThread, transfer: readonly ArrayBuffer[]): void {
    this.#thread.postMessage(message, [...transfer]);
  }
}
