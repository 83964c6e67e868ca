import type { Clock, Timer } from '@pollux/base';
import type { ClusterPort } from '../../cluster-port.ts';
import type { Stage } from '../batch.ts';

/**
 * Waits position × peer timeout, so that members before this one notify first and their log entries arrive in time. When a
 * member before this one is lost, its turn comes earlier, but only after the others were asked for what the lost one told
 * them: that may be the notification. A wait is never prolonged, since the time of the flush was measured by its beginning.
 */
export function waitStage(cluster: ClusterPort, clock: Clock, peerTimeoutMs: number): Stage {
  return async (batch) => {
    const { signal } = batch.flush;
    await turn({ cluster, clock, peerTimeoutMs, signal });
    await cluster.caughtUp(signal);
    return batch;
  };
}

type Wait = {
  readonly cluster: ClusterPort;
  readonly clock: Clock;
  readonly peerTimeoutMs: number;
  readonly signal: AbortSignal;
};

/** Resolves when this member's turn has come; rejects with the signal's reason. */
function turn({ cluster, clock, peerTimeoutMs, signal }: Wait): Promise<void> {
  signal.throwIfAborted();
  const startMs = clock.monotonic();
  let position = cluster.position();
  if (position === 0) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const timerFor = (waitMs: number): Timer => clock.after(waitMs, () => end(resolve));
    let timer = timerFor(position * peerTimeoutMs);
    const stop = cluster.onMembership(() => {
      if (cluster.position() >= position) return;
      position = cluster.position();
      timer.cancel();
      timer = timerFor(Math.max(0, position * peerTimeoutMs - (clock.monotonic() - startMs)));
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
