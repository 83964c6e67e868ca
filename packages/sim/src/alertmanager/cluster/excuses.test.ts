import { beforeEach, describe, expect, test, vi } from 'vitest';
import type { Attempt } from './attempts.ts';
import { type ClusterPlan, planOf } from './cluster-plan.ts';
import { ClusterWorld } from './cluster-world.ts';
import { excuseOf, excuseOfCalm } from './excuses.ts';
import type { Accepted } from './receiver-double.ts';
import { tooMany } from './too-many.ts';

// Each excuse that a run was found to need, and beside it what must not pass with it.

const PLAN: ClusterPlan = {
  ...planOf(1),
  kind: 'storm',
  members: 3,
  groups: 1,
  alertsPerGroup: 3,
  groupIntervalMs: 5_000,
  repeatIntervalMs: 49_000,
  peerTimeoutMs: 4_000,
  link: { minDelayMs: 0.2, maxDelayMs: 20, loss: 0, duplication: 0 },
  sendResolved: [true],
  aheadMs: [0, 0, 0],
  steps: [],
};
/** Sent at a time, by a right clock, answered with acceptance after this. */
const ANSWER_MS = 800;

let cluster: ClusterWorld;
let zeroMs: number;

beforeEach(() => begin(PLAN));

describe('what another noted behind a message that it heard of while its own request was under way', () => {
  const TOLD = { sentMs: 67_500, endedMs: 68_300, endedWallMs: 71_200, firing: ['g0/1'] };
  const OTHER = { sentMs: 66_500, endedMs: 69_800, firing: ['g0/1', 'g0/2'] };

  test('overwrites that message where its clock is behind', () => {
    expect(excuseWith({})).toBe('overwritten');
  });

  test.each([
    { than: 'a request that was sent when the message was known', other: { sentMs: 68_400 } },
    { than: 'an answer that came before the message was noted', other: { endedMs: 68_200 } },
    { than: 'a request that was not accepted', other: { isTaken: false } },
    { than: 'one that told something else than what the log has', other: { firing: ['g0/0'] } },
    { than: 'one for another group', other: { group: 1 } },
    { than: 'one of the same member', other: { member: 'm000' } },
  ])('nothing else than that: $than', ({ other }) => {
    expect(excuseWith(other)).toBeNull();
  });

  function excuseWith(other: Partial<Attempt>) {
    const earlier = sent({ member: 'm000', ...TOLD });
    sent({ member: 'm001', ...OTHER, ...other });
    const held = heldOf(OTHER.firing, TOLD.endedWallMs + 0.000_001);
    const double = sent({ member: 'm000', sentMs: 72_600, firing: TOLD.firing, held });
    return excuseOf(cluster, double, earlier);
  }
});

describe('a message taken behind its repetition', () => {
  test('is unheard of when its sender had given it up', () => {
    expect(excuseWith({})).toBe('unheard');
  });

  test.each([
    { than: 'one that its sender saw accepted', first: { isTaken: true } },
    { than: 'one under way still when it was repeated', first: { endedMs: 21_000 } },
  ])('nothing else than that: $than', ({ first }) => {
    expect(excuseWith(first)).toBeNull();
  });

  function excuseWith(first: Partial<Attempt>) {
    const late = { member: 'm000', sentMs: 10_000, endedMs: 19_000, isTaken: false, ...first };
    const repeated = sent({ member: 'm000', sentMs: 20_000 });
    return excuseOf(cluster, sent(late), repeated);
  }
});

describe('a repetition that a clock ahead called for', () => {
  const SENT_MS = 40_000;

  test('is called for when the clock was set back while the flush was under way', () => {
    expect(problemsWith({ backMs: SENT_MS - 2_000 })).toEqual([]);
  });

  test('is one too many when the clock was right before the flush can have begun', () => {
    expect(problemsWith({ backMs: SENT_MS - 30_000 })).toEqual([
      expect.stringContaining('too many: m000 to r0 of g0 firing[g0/1]'),
    ]);
  });

  function problemsWith({ backMs }: { backMs: number }): string[] {
    cluster.clocks.push({ member: 'm000', fromMs: zeroMs, aheadMs: 100_000 });
    cluster.clocks.push({ member: 'm000', fromMs: zeroMs + backMs, aheadMs: 0 });
    sent({ member: 'm000', sentMs: SENT_MS, held: heldOf(['g0/1'], SENT_MS - 15_000) });
    return tooMany(cluster).problems;
  }
});

describe('an end that reaches the first behind its flush', () => {
  const DUE_MS = 20_000;
  const STALL = { member: 'm001', fromMs: DUE_MS, toMs: DUE_MS + 3_800 };

  beforeEach(() => begin({ ...PLAN, kind: 'calm' }));

  test('brings others out of turn when who is next stands still past its turn', () => {
    expect(excuseWith({})).toBe('out of turn');
  });

  test.each([
    { than: 'nobody stands still', stalls: [] },
    { than: 'a short stall', stalls: [{ ...STALL, toMs: DUE_MS + 500 }] },
    { than: 'a stall of one who did not tell', stalls: [{ ...STALL, member: 'm000' }] },
    { than: 'an end that the first knew of', endMs: DUE_MS - 10_000 },
    { than: 'a first that told nothing lately', firstMs: DUE_MS - 6_000 },
    { than: 'the first itself twice', by: 'm000' },
  ])('nothing else than that: $than', (given) => {
    expect(excuseWith(given)).toBeNull();
  });

  function excuseWith({
    stalls = [STALL],
    endMs = DUE_MS - 1_100,
    firstMs = DUE_MS - 1_000,
    by = 'm001',
  }) {
    const lastEndMs = vi.spyOn(cluster.senders, 'lastEndMs');
    lastEndMs.mockReturnValue(zeroMs + endMs);
    sent({ member: 'm000', sentMs: firstMs });
    for (const { member, fromMs, toMs } of stalls) {
      cluster.stalls.push({ member, fromMs: zeroMs + fromMs, toMs: zeroMs + toMs });
    }
    const double = sent({ member: by, sentMs: DUE_MS + 8_100 });
    return excuseOfCalm(cluster, double, sent({ member: 'm002', sentMs: DUE_MS + 8_000 }));
  }
});

function begin(plan: ClusterPlan): void {
  cluster = new ClusterWorld(plan);
  zeroMs = cluster.now();
  for (const member of cluster.memberNames) {
    cluster.lives.push({ member, fromMs: zeroMs - 100_000, toMs: null, goneMs: null });
  }
}

function heldOf(firing: readonly string[], stampMs: number): NonNullable<Attempt['held']> {
  return { firing, resolved: [], stampMs: zeroMs + stampMs, expiresMs: zeroMs + 500_000 };
}

/** A request that the receiver accepted, told by times that count from the beginning. */
function sent(given: Partial<Attempt> & Pick<Attempt, 'member' | 'sentMs'>): Accepted {
  const endedMs = given.endedMs ?? given.sentMs + ANSWER_MS;
  const attempt: Attempt = {
    group: 0,
    receiver: 0,
    firing: ['g0/1'],
    resolved: [],
    held: null,
    isTaken: true,
    ...given,
    sentMs: zeroMs + given.sentMs,
    sentWallMs: zeroMs + given.sentMs,
    endedMs: zeroMs + endedMs,
    endedWallMs: zeroMs + (given.endedWallMs ?? endedMs),
  };
  cluster.attempts.all.push(attempt);
  const { member, group, receiver, firing, resolved, sentMs } = attempt;
  const acceptedMs = zeroMs + endedMs;
  return { member, group, receiver, firing, resolved, beganMs: sentMs, acceptedMs, attempt };
}
