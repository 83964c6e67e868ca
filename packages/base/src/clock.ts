import { CanceledError } from './errors.ts';
import { type StopSignal, StopSource } from './stop-signal.ts';

/** A timer that can be taken back. */
export interface Timer {
  cancel(): void;
}

/**
 * Time as the program sees it. Nothing outside the adapters reads the machine's clock, so whole roles run under a virtual
 * one in tests and in the simulator.
 */
export interface Clock {
  /** Wall clock, whole milliseconds since 1970. May jump either way. */
  now(): number;
  /** Milliseconds with fractions from an arbitrary start; never goes back. For durations. */
  monotonic(): number;
  /** Runs `callback` once after `delayMs` (≥ 0; longer than 24 days is allowed). */
  after(delayMs: number, callback: () => void): Timer;
}

/** Waits `delayMs`; rejects with {@link CanceledError} as soon as `signal` aborts. */
export function sleep(clock: Clock, delayMs: number, signal?: StopSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(new CanceledError('sleep canceled', { cause: signal.reason }));
      return;
    }
    const onAbort = (): void => {
      timer.cancel();
      reject(new CanceledError('sleep canceled', { cause: signal?.reason }));
    };
    const timer = clock.after(delayMs, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/**
 * An AbortSignal that aborts after `delayMs` of this clock or with `parent`. Call `release` when the work is done, else
 * the timer and the listener stay until they fire.
 */
export function deadline(
  clock: Clock,
  delayMs: number,
  reason: () => Error,
  parent?: StopSignal,
): { readonly signal: AbortSignal; release(): void } {
  const controller = new AbortController();
  const onParent = (): void => {
    timer.cancel();
    controller.abort(parent?.reason);
  };
  const timer = clock.after(delayMs, () => {
    parent?.removeEventListener('abort', onParent);
    controller.abort(reason());
  });
  if (parent?.aborted) onParent();
  else parent?.addEventListener('abort', onParent, { once: true });
  return {
    signal: controller.signal,
    release: () => {
      timer.cancel();
      parent?.removeEventListener('abort', onParent);
    },
  };
}

/** A signal that aborts after `delayMs` of this clock, with `reason()`, or with `parent`. As of a deadline, `release` it. */
export function stopAfter(
  clock: Clock,
  delayMs: number,
  reason: () => Error,
  parent: StopSignal,
): { readonly signal: StopSignal; release(): void } {
  const stop = new StopSource();
  const onParent = (): void => {
    timer?.cancel();
    stop.abort(parent.reason);
  };
  const timer: Timer | null = parent.aborted
    ? null
    : clock.after(delayMs, () => {
        parent.removeEventListener('abort', onParent);
        stop.abort(reason());
      });
  if (timer === null) onParent();
  else parent.addEventListener('abort', onParent, { once: true });
  return {
    signal: stop,
    release: () => {
      timer?.cancel();
      parent.removeEventListener('abort', onParent);
    },
  };
}
