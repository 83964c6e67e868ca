import { performance } from 'node:perf_hooks';
import type { Clock, Timer } from '../clock.ts';

const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;
/** A timer that is so late fires behind what has arrived. */
const LATE_MS = 20;

/**
 * The machine's clock. After a time without the processor an event loop has timers that are due and sockets that are full,
 * and runs the timers first: an answer that came in time would count as none, a member that refuted as dead. So a timer that
 * is late lets the loop read once before it fires.
 */
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
    let behindInput: NodeJS.Immediate | undefined;
    const fire = (): void => {
      const lateMs = performance.now() - endMs;
      // The loop reckons in whole milliseconds since it last looked, and may be ahead by one.
      if (lateMs < 0) arm(-lateMs);
      else if (lateMs < LATE_MS) callback();
      else behindInput = setImmediate(callback);
    };
    const arm = (leftMs: number): void => {
      // setTimeout takes 31 bits; a longer wait is cut into legs.
      handle =
        leftMs > LONGEST_TIMEOUT_MS
          ? setTimeout(() => arm(endMs - performance.now()), LONGEST_TIMEOUT_MS)
          : // Rounded up: setTimeout cuts fractions, and a timer must never fire before its time.
            setTimeout(fire, Math.max(0, Math.ceil(leftMs)));
    };
    arm(delayMs);
    return {
      cancel: () => {
        clearTimeout(handle);
        clearImmediate(behindInput);
      },
    };
  }
}
