/**
 * Threads as the program sees them. Only bytes and numbers cross; a worker's entry decodes, calls a pure function and
 * posts back. The inline implementation runs the same entry in the caller's thread, so tests and simulation start none.
 */
export interface Workers {
  /** Processors this process may use. */
  readonly parallelism: number;
  /** Starts the module at `entry` (a file URL) with `data`. */
  spawn(entry: URL, data: unknown): WorkerHandle;
}

export interface WorkerHandle {
  post(message: unknown, transfer?: readonly ArrayBuffer[]): void;
  onMessage(listener: (message: unknown) => void): void;
  onError(listener: (error: Error) => void): void;
  terminate(): Promise<void>;
}
