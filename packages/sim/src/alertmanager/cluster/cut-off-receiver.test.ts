import { expect, test } from 'vitest';
import { onlyOwnEnds } from './bugs-of-telling.ts';
import { type ClusterPlan, planOf } from './cluster-plan.ts';
import { ClusterWorld } from './cluster-world.ts';
import { TooFew } from './too-few.ts';

const TIMEOUT_MS = 300_000;
const LOOK_MS = 1_000;

/** Of two members the first is cut off from the receiver before the end of what it told. */
const CUT: ClusterPlan = {
  ...planOf(1),
  kind: 'cut',
  members: 2,
  servers: 1,
  groups: 1,
  alertsPerGroup: 1,
  groupWaitMs: 1_000,
  groupIntervalMs: 5_000,
  peerTimeoutMs: 2_500,
  link: { minDelayMs: 0.2, maxDelayMs: 20, loss: 0, duplication: 0 },
  answerMs: 5,
  slowAnswerMs: 1_000,
  sendResolved: [true],
  aheadMs: [0, 0],
  steps: [
    { atMs: 0, event: { kind: 'fire', alert: { group: 0, index: 0 } } },
    { atMs: 15_000, event: { kind: 'cut', from: ['m000'], to: ['sink'] } },
    { atMs: 15_000, event: { kind: 'cut', from: ['sink'], to: ['m000'] } },
    { atMs: 16_000, event: { kind: 'resolve', alert: { group: 0, index: 0 } } },
    { atMs: 40_000, event: { kind: 'heal' } },
  ],
  calmFromMs: 70_000,
};

// Drawn runs of this kind hardly show it: who told the beginning tells the end itself once it hears of it, or the alert begins anew first.
test.each([
  { what: 'nothing when another tells the end', sabotage: {}, says: [] },
  {
    what: 'that nobody takes over the end of what another told',
    sabotage: { env: onlyOwnEnds },
    says: [expect.stringMatching(/^too few: nobody told r0 that g0\/0 is resolved: m001 /)],
  },
])(
  'where members are cut off from receivers, a run tells $what',
  async ({ sabotage, says }) => {
    const cluster = new ClusterWorld(CUT, sabotage);
    await cluster.start();
    const tooFew = new TooFew(cluster);
    for (let atMs = 0; atMs <= CUT.calmFromMs; atMs += LOOK_MS) {
      for (const step of CUT.steps) if (step.atMs === atMs) cluster.apply(step.event);
      await cluster.world.advance(LOOK_MS);
      tooFew.look();
    }
    expect(tooFew.problems).toEqual(says);
    const told = cluster.receivers.accepted(0, 0).map(({ member }) => member);
    expect(told).toEqual(says.length === 0 ? ['m000', 'm001'] : ['m000']);
    await cluster.end();
  },
  TIMEOUT_MS,
);
