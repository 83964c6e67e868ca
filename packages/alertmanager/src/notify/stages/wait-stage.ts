import { type Clock, sleep } from '@pollux/base';
import type { ClusterPort } from '../../cluster-port.ts';
import type { Stage } from '../batch.ts';

/** How often the position is read while waiting, ms. */
const REREAD_MS = 100;

/**
 * Waits position × peer timeout, so that members before this one notify first and their log entries arrive in time. The
 * position is read again while waiting: when a member before this one dies, its turn comes at once. A wait is never
 * prolonged, since the time of the flush was measured by its beginning.
 */
export function waitStage(cluster: ClusterPort, clock: Clock, peerTimeoutMs: number): Stage {
  return async (batch) => {
    const startMs = clock.monotonic();
    for (;;) {
      const leftMs = cluster.position() * peerTimeoutMs - (clock.monotonic() - startMs);
      if (leftMs <= 0) return batch;
      await sleep(clock, Math.min(leftMs, REREAD_MS), batch.flush.signal);
    }
  };
}
