import { performance } from 'node:perf_hooks';
import type { Clock, Timer } from '../clock.ts';

const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

/** The machine's clock. */
export class NodeClock implements Clock {
  now(): number {
    return Date.now();
  }

  monotonic(): number {
    return performance.now();
  }

  after(delayMs: number, callback: () => void): Timer {
    const endMs = performance.now() + delayMs;
    let handle: NodeJS.Timeout;
    const arm = (): void => {
      const leftMs = endMs - performance.now();
      // setTimeout takes 31 bits; a longer wait is cut into legs.
      handle =
        leftMs > LONGEST_TIMEOUT_MS
          ? setTimeout(arm, LONGEST_TIMEOUT_MS)
          : // Rounded up: setTimeout cuts fractions, and a timer must never fire before its time.
            setTimeout(callback, Math.max(0, Math.ceil(leftMs)));
    };
    arm();
    return { cancel: () => clearTimeout(handle) };
  }
}
