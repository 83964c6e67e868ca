import { SeededRandom } from '@pollux/base';
import { expect, test } from 'vitest';
import type { ClusterPlan } from './cluster-plan.ts';
import { ClusterWorld } from './cluster-world.ts';

const GROUPS = 120;
/** As 200 groups a second. */
const BETWEEN_MS = 5;
const GROUP_WAIT_MS = 1_000;
const PEER_TIMEOUT_MS = 15_000;
/** Of every three seconds a member has so many without the processor, all through the flood and its notifications. */
const PERIOD_MS = 3_000;
const STALL_MS = 2_400;
const STARVED_MS = 20_000;

const PLAN: ClusterPlan = {
  seed: 1,
  kind: 'calm',
  members: 3,
  servers: 1,
  groups: GROUPS,
  alertsPerGroup: 1,
  groupWaitMs: GROUP_WAIT_MS,
  groupIntervalMs: 300_000,
  repeatIntervalMs: 3_600_000,
  peerTimeoutMs: PEER_TIMEOUT_MS,
  link: { minDelayMs: 0.2, maxDelayMs: 2, loss: 0, duplication: 0 },
  answerMs: 5,
  slowAnswerMs: 1_000,
  sendResolved: [false],
  aheadMs: [0, 0, 0],
  steps: Array.from({ length: GROUPS }, (_, group) => ({
    atMs: group * BETWEEN_MS,
    event: { kind: 'fire' as const, alert: { group, index: 0 } },
  })),
  calmFromMs: 60_000,
};

test('a flood at members that are starved of the processor is told late, but whole, and once', async () => {
  const cluster = new ClusterWorld(PLAN);
  await cluster.start();
  const random = new SeededRandom(PLAN.seed);
  const stalls = cluster.memberNames.flatMap((_, member) =>
    Array.from({ length: STARVED_MS / PERIOD_MS }, (_unused, period) => ({
      atMs: period * PERIOD_MS + random.below(PERIOD_MS - STALL_MS),
      event: { kind: 'stall' as const, member, forMs: STALL_MS },
    })),
  );
  const steps = [...PLAN.steps, ...stalls].sort((a, b) => a.atMs - b.atMs);
  for (const { atMs, event } of steps) {
    await cluster.world.advance(Math.max(0, cluster.startMs + atMs - cluster.now()));
    cluster.apply(event);
  }
  await cluster.world.advance(STARVED_MS + 3 * PEER_TIMEOUT_MS);
  const told = Array.from({ length: GROUPS }, (_, group) => cluster.receivers.accepted(group, 0));
  expect(told.filter((messages) => messages.length !== 1)).toEqual([]);
  const lateMs = told.map(([message], group) => {
    const dueMs = cluster.startMs + group * BETWEEN_MS + GROUP_WAIT_MS;
    return (message?.acceptedMs ?? Infinity) - dueMs;
  });
  // Servers take a second to tell, the first takes the alert and its timer fires behind one time without the processor each.
  expect(Math.max(...lateMs)).toBeLessThan(1_000 + 2 * PERIOD_MS);
  expect(Math.max(...lateMs)).toBeGreaterThan(STALL_MS / 2);
  await cluster.end();
}, 120_000);
