import type { Clock } from './clock.ts';
import type { Files } from './files.ts';
import type { Random } from './random.ts';
import type { StopSignal } from './stop-signal.ts';

/**
 * Threads as the program sees them. A worker runs an entry: a function that a module exports, which talks with who started
 * it by messages and has a clock, randomness and files of its own, nothing else. `InlineWorkers` runs the same entry in the
 * caller's thread and world, so tests and simulation start no thread.
 */
export interface Workers {
  /** Processors this process may use. */
  readonly parallelism: number;
  /** Throws nothing: what goes wrong, also with the start itself, is told by {@link WorkerHandle.ended}. */
  start<Data, In, Out>(
    entry: WorkerEntry<Data, In, Out>,
    options: WorkerOptions<Data, Out>,
  ): WorkerHandle<In>;
}

/** What a worker has of the machine. */
export type WorkerWorld = {
  readonly clock: Clock;
  readonly random: Random;
  readonly files: Files;
};

/**
 * `In` are the messages to the worker, `Out` those from it: what structured cloning takes, best numbers, texts, typed arrays
 * and SharedArrayBuffers.
 */
export type WorkerEntry<Data, In, Out> = {
  /** Under which `module` exports this entry. */
  readonly name: string;
  /** `import.meta.url` of the module: a thread loads it, from sources as from the built program. */
  readonly module: string;
  /** Ends when the work is done; rejects soon after the port's signal has aborted. */
  readonly run: (port: WorkerPort<In, Out>, data: Data, world: WorkerWorld) => Promise<void>;
};

export type WorkerOptions<Data, Out> = {
  readonly data: Data;
  /** Called in order, in a turn of the event loop of its own. What it throws stops the worker and is the reason. */
  readonly onMessage: (message: Out) => void;
  /** Stops the worker. */
  readonly signal: StopSignal;
  /** A worker that says nothing for so long, and is told nothing, is stopped. */
  readonly maxSilenceMs: number;
  /** Of JavaScript objects; typed arrays do not count. A worker that needs more ends with a LimitError. */
  readonly maxHeapMegabytes: number;
  /** Of young objects, within that; more for a worker that makes many. 4 unless set. */
  readonly maxYoungMegabytes?: number;
};

/** A worker as who started it sees it. */
export interface WorkerHandle<In> {
  /** To a worker that has ended nothing is sent. */
  post(message: In, transfer?: readonly ArrayBuffer[]): void;
  /**
   * Resolves when the entry has ended. Rejects with the entry's error as `unpackError` brings it back, with CanceledError when
   * it was stopped, TimeoutError when it fell silent, LimitError when it ran out of memory, and WorkerExitError when it
   * went otherwise.
   */
  readonly ended: Promise<void>;
  /** Asks it to end, ends it by force when it does not within seconds, and resolves when it is over. Never rejects. */
  stop(): Promise<void>;
}

/** The entry's side. */
export interface WorkerPort<In, Out> {
  post(message: Out, transfer?: readonly ArrayBuffer[]): void;
  /** The next message in the order in which they were sent. Rejects with CanceledError when the worker is to stop. */
  receive(): Promise<In>;
  /** Aborts when the worker is to stop. */
  readonly signal: AbortSignal;
}
