import { performance } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';

/** A flood of alerts lasts a second: most of it is to come after the look that sees it. */
const LOOK_MS = 100;
/** Both the main thread and the processor time of all threads are this share of the time when a process has all the work it can do. */
const BUSY_SHARE = 0.8;

/**
 * Code is optimised after less work than the engine asks for (67,584 bytes of bytecode): the first thousand requests of a dashboard
 * run in code that has only begun to run. Queries of 1 to 64 series took 0.9 of the main thread's time with it in their first 900
 * requests, all of 24 queries 0.95; new series as much as before.
 */
export const EARLY_OPTIMISATION = '--interrupt-budget=20000';
/** After twice as much work. */
export const LATE_OPTIMISATION = '--interrupt-budget=135000';

export type Look = {
  /** Share of the time that the main thread's loop was not idle. */
  readonly utilization: number;
  /** Processor time of all threads. */
  readonly usedMs: number;
  readonly wholeMs: number;
};

/** Waiting for a processor is no work: a loop that waits is not idle, but uses none. */
export function hasAllItCanDo({ utilization, usedMs, wholeMs }: Look): boolean {
  return utilization >= BUSY_SHARE && usedMs >= BUSY_SHARE * wholeMs;
}

/**
 * Lets the engine optimise early while the main thread is all that holds a process up, and late otherwise. Early, the first hundred
 * thousand alerts of a flood take 0.87 of the thread's time. But the compiler's threads take as much of the processors as the thread
 * they work for, and where that is idle for most of the time, as in three members of a cluster on two processors, they only keep others from
 * running.
 */
export function optimiseEarlyWhenBusy(): void {
  let before = performance.eventLoopUtilization();
  let beforeUsage = process.cpuUsage();
  let isEarly = false;
  setInterval(() => {
    const { utilization, active, idle } = performance.eventLoopUtilization(before);
    const { user, system } = process.cpuUsage(beforeUsage);
    before = performance.eventLoopUtilization();
    beforeUsage = process.cpuUsage();
    const usedMs = (user + system) / 1_000;
    const isFull = hasAllItCanDo({ utilization, usedMs, wholeMs: active + idle });
    if (isFull === isEarly) return;
    isEarly = isFull;
    setFlagsFromString(isEarly ? EARLY_OPTIMISATION : LATE_OPTIMISATION);
  }, LOOK_MS).unref();
}
