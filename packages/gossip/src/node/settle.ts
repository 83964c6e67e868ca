import { type Clock, sleep } from '@pollux/base';
import type { Log } from '@pollux/telemetry';

/** Equal polls in a row after which the cluster counts as settled. */
const EQUAL_POLLS = 3;

export type SettleOptions = {
  readonly clock: Clock;
  readonly log: Log;
  readonly pollIntervalMs: number;
  readonly timeoutMs: number;
  readonly memberCount: () => number;
  readonly signal: AbortSignal;
};

/**
 * Waits until the number of members has stopped changing, or for the time-out: notifications wait for it, so that a member
 * that restarts does not send what the others have sent. Rejects with CanceledError when `signal` aborts.
 */
export async function settle(options: SettleOptions): Promise<void> {
  const { clock, log, signal } = options;
  const startMs = clock.monotonic();
  let equalPolls = 0;
  let previousCount = 0;
  for (let polls = 0; ; polls++) {
    const leftMs = startMs + options.timeoutMs - clock.monotonic();
    if (leftMs <= 0) {
      log.info('gossip not settled but continuing anyway', { polls });
      return;
    }
    await sleep(clock, Math.min(options.pollIntervalMs, leftMs), signal);
    if (equalPolls >= EQUAL_POLLS) {
      log.info('gossip settled; proceeding', {
        elapsed_ms: Math.round(clock.monotonic() - startMs),
      });
      return;
    }
    const count = options.memberCount();
    equalPolls = count === previousCount ? equalPolls + 1 : 0;
    if (count !== previousCount)
      log.info('gossip not settled', { polls, before: previousCount, now: count });
    previousCount = count;
  }
}
