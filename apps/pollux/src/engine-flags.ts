import { setFlagsFromString } from 'node:v8';
import type { Worker } from 'node:worker_threads';

/** While a thread starts, in milliseconds. */
const AGAIN_MS = 1;

/**
 * Sets flags of the engine for this process, and keeps them set. The engine takes some back when it makes the heap of a thread,
 * also from the heaps that are there: a growth factor of 1 for young objects becomes 2, and those of the main thread then grow from 1
 * MB per half to 16 (Node 20.20; it cost a server 28 MB, and as much again in buffers whose owners were collected later). So they
 * are set again while a thread starts.
 */
export function setEngineFlags(flags: readonly string[]): void {
  if (flags.length === 0) return;
  const set = (): void => {
    for (const flag of flags) setFlagsFromString(flag);
  };
  set();
  process.on('worker', (thread: Worker) => {
    const again = setInterval(set, AGAIN_MS);
    const stop = (): void => {
      clearInterval(again);
      set();
    };
    thread.once('online', stop).once('exit', stop);
  });
}
