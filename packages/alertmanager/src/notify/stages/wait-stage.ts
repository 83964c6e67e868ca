import { type Clock, Slices, type StopSignal, sleep, type Timer } from '@pollux/base';
import type { ClusterPort } from '../../cluster-port.ts';
import type { Stage } from '../batch.ts';

/**
 * Waits position × peer timeout, so that members before this one notify first and their log entries arrive in time. When a
 * member before this one is lost, its turn comes earlier, but only after the others were asked for what the lost one told
 * them: that may be the notification. From then on it is as many peer timeouts away as there are members before this one:
 * counted from the beginning of the wait, the turns of all survivors could have come at that moment. A wait is never
 * prolonged, since the time of the flush was measured by its beginning.
 *
 * A member that got no processor time finds its timer due and the news of the others still unread behind it: what has come
 * is read before it speaks.
 */
export function waitStage(cluster: ClusterPort, clock: Clock, peerTimeoutMs: number): Stage {
  return async (batch) => {
    const { signal } = batch.flush;
    const lateMs = await turn({ cluster, clock, peerTimeoutMs, signal });
    if (lateMs !== null) {
      if (lateMs >= LATE_MS) await sleep(clock, Math.min(lateMs, MAX_READING_MS), signal);
      // A timer may be in time by chance, right behind a time without the processor.
      await new Slices(clock, signal).pause();
    }
    await cluster.caughtUp(signal);
    return batch;
  };
}

/** Timers of a process that runs are not so late. */
const LATE_MS = 5;
/** Of what has come while a member stood still, the most is read within this time. */
const MAX_READING_MS = 500;

type Wait = {
  readonly cluster: ClusterPort;
  readonly clock: Clock;
  readonly peerTimeoutMs: number;
  readonly signal: StopSignal;
};

/**
 * Resolves when this member's turn has come, with how late its timer was, ms; null when it need not wait. Rejects with the
 * signal's reason.
 */
function turn({ cluster, clock, peerTimeoutMs, signal }: Wait): Promise<number | null> {
  signal.throwIfAborted();
  let position = cluster.position();
  if (position === 0) return Promise.resolve(null);
  return new Promise((resolve, reject) => {
    const timerFor = (waitMs: number): Timer =>
      clock.after(waitMs, () => end(() => resolve(Math.max(0, clock.monotonic() - dueMs))));
    let dueMs = clock.monotonic() + position * peerTimeoutMs;
    let timer = timerFor(position * peerTimeoutMs);
    const stop = cluster.onMembership(() => {
      if (cluster.position() >= position) return;
      position = cluster.position();
      timer.cancel();
      const nowMs = clock.monotonic();
      dueMs = Math.min(dueMs, nowMs + position * peerTimeoutMs);
      timer = timerFor(Math.max(0, dueMs - nowMs));
    });
    const onAbort = (): void => end(() => reject(signal.reason));
    const end = (settle: () => void): void => {
      timer.cancel();
      stop();
      signal.removeEventListener('abort', onAbort);
      settle();
    };
    signal.addEventListener('abort', onAbort, { once: true });
  });
}
