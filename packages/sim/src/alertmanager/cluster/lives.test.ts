import { expect, test } from 'vitest';
import { planOf } from './cluster-plan.ts';
import { ClusterWorld } from './cluster-world.ts';

const TIMEOUT_MS = 120_000;
/** A member that ends gives what it sends so long. */
const CLOSE_GRACE_MS = 2_000;

/** Nothing happens in it by itself. */
const STILL = { ...planOf(1), members: 1, groups: 1, sendResolved: [true], steps: [] };

test(
  'a member that is stopped lives until it has ended, and its next life begins after that',
  async () => {
    const cluster = new ClusterWorld(STILL);
    await cluster.start();
    cluster.apply({ kind: 'receiver', receiver: 0, mode: 'hangs' });
    cluster.apply({ kind: 'fire', alert: { group: 0, index: 0 } });
    await cluster.world.advance(15_000);
    expect(cluster.receivers.deliveries).toHaveLength(1);

    const stoppedMs = cluster.now();
    cluster.apply({ kind: 'stop', member: 0 });
    cluster.apply({ kind: 'start', member: 0 });
    await cluster.world.advance(CLOSE_GRACE_MS - 100);
    expect(cluster.isUp('m000')).toBe(false);
    expect(cluster.lives).toHaveLength(1);
    await cluster.world.advance(5_000);
    expect(cluster.isUp('m000')).toBe(true);

    const [before, after] = cluster.lives;
    expect(before?.toMs).toBe(stoppedMs);
    expect(before?.goneMs).toBeGreaterThanOrEqual(stoppedMs + CLOSE_GRACE_MS);
    expect(after?.fromMs).toBeGreaterThanOrEqual(before?.goneMs ?? Infinity);
    await cluster.end();
  },
  TIMEOUT_MS,
);
