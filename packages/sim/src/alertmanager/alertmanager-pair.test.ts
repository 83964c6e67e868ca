import { describe, expect, test } from 'vitest';
import { sameNotificationLog, sameSilences } from './agreement-checks.ts';
import {
  AlertWorld,
  GROUP_INTERVAL_MS,
  GROUP_WAIT_MS,
  MEMBERS,
  PEER_TIMEOUT_MS,
} from './alert-world.ts';
import { atLeastOnce, exactly, nothingSince } from './notification-checks.ts';

/** More seeds for long runs: POLLUX_SIM_SEEDS=2000; one seed again: POLLUX_SIM_FIRST=17 POLLUX_SIM_SEEDS=1. */
const SEEDS = Number(process.env.POLLUX_SIM_SEEDS ?? 20);
const FIRST_SEED = Number(process.env.POLLUX_SIM_FIRST ?? 1);
const STORY_TIMEOUT_MS = 20_000 + SEEDS * 2_000;

/** After a message nothing further may come for so long. */
const QUIET_MS = GROUP_WAIT_MS + 2 * PEER_TIMEOUT_MS + GROUP_INTERVAL_MS;
/** A member that was cut off is tried again every 10 s and exchanges whole states every 15 s. */
const AGREEMENT_MS = 30_000;
const DOWN = { alertname: 'InstanceDown', instance: 'node' };
const FIRING = { status: 'firing', alerts: ['InstanceDown/node=firing'] } as const;
const RESOLVED = { status: 'resolved', alerts: ['InstanceDown/node=resolved'] } as const;

function linkOf(seed: number): { maxDelayMs: number; loss: number } {
  return { maxDelayMs: 1 + (seed % 40), loss: 0.02 };
}

/** Runs the story once a seed; `story` gives what was wrong. */
function story(name: string, run: (world: AlertWorld) => Promise<string[]>): void {
  test(
    name,
    async () => {
      for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
        const world = await AlertWorld.start({ seed, link: linkOf(seed) });
        const wrong = await run(world);
        await world.end();
        const log = wrong.length > 0 ? world.logs.slice(-40) : [];
        expect([...wrong, ...log], `POLLUX_SIM_FIRST=${seed} POLLUX_SIM_SEEDS=1`).toEqual([]);
      }
    },
    STORY_TIMEOUT_MS,
  );
}

/** Both servers see the alert, one a little after the other. */
async function fireOnBoth(world: AlertWorld): Promise<void> {
  const [first, second] = world.random.below(2) === 0 ? MEMBERS : [...MEMBERS].reverse();
  if (first !== undefined) world.fire(first, DOWN);
  await world.advance(world.random.below(1_000));
  if (second !== undefined) world.fire(second, DOWN);
}

/** Moves on in small steps until the robot has a message; false when none came in time. */
async function untilMessage(world: AlertWorld, timeoutMs: number): Promise<boolean> {
  const endMs = world.now() + timeoutMs;
  while (world.now() < endMs) {
    if ((await world.notifications()).length > 0) return true;
    await world.advance(50);
  }
  return false;
}

function disagreements(world: AlertWorld, silences: readonly (readonly string[])[]): string[] {
  const [ofA = [], ofB = []] = silences;
  return [
    ...sameSilences(ofA, ofB),
    ...sameNotificationLog(world.notificationLog('a'), world.notificationLog('b')),
  ];
}

describe('two whole alertmanagers', () => {
  story('tell once of an alert that both servers send, and once of its end', async (world) => {
    await world.advance(world.random.below(5_000));
    await fireOnBoth(world);
    await world.advance(QUIET_MS);
    const wrong = exactly(await world.notifications(), [FIRING]);
    for (const name of MEMBERS) world.resolve(name);
    await world.advance(QUIET_MS);
    wrong.push(...exactly(await world.notifications(), [FIRING, RESOLVED]));
    const silences = [await world.silences('a'), await world.silences('b')];
    return [...wrong, ...disagreements(world, silences)];
  });

  story(
    'both tell while they are apart, and agree without a further word when they meet again',
    async (world) => {
      world.partition();
      // Long enough for some seeds to have declared each other dead, too short for others.
      await world.advance(world.random.below(25_000));
      await fireOnBoth(world);
      const [side, other] =
        world.random.below(2) === 0 ? (['a', 'b'] as const) : (['b', 'a'] as const);
      const silence = await world.createSilence(side, 'Noise');
      await world.advance(QUIET_MS);
      const wrong = atLeastOnce(await world.notifications(), ['InstanceDown/node=firing']);
      if ((await world.silences(other)).length > 0) wrong.push('a silence crossed the partition');
      world.heal();
      const healedMs = world.now();
      await world.advance(Math.max(AGREEMENT_MS, 2 * GROUP_INTERVAL_MS));
      wrong.push(...nothingSince(await world.notifications(), healedMs));
      const silences = [await world.silences('a'), await world.silences('b')];
      if (!silences[0]?.includes(silence)) wrong.push('the silence is not everywhere');
      wrong.push(...disagreements(world, silences));
      // The silence holds on the side that only heard of it.
      world.fire(other, { alertname: 'Noise', instance: 'node' });
      await world.advance(QUIET_MS);
      return [...wrong, ...nothingSince(await world.notifications(), healedMs)];
    },
  );

  story(
    'tell once when the first of them is stopped while its message is on the way',
    async (world) => {
      // The robot's answer takes longer than all that an end without order would take.
      world.world.network.setLink('a', 'sink', { minDelayMs: 300, maxDelayMs: 900 });
      await fireOnBoth(world);
      if (!(await untilMessage(world, QUIET_MS))) return ['no message came'];
      await world.stop('a');
      await world.advance(QUIET_MS);
      return exactly(await world.notifications(), [FIRING]);
    },
  );

  story(
    'tell in time and once when the first of them dies with an alert in hand',
    async (world) => {
      await fireOnBoth(world);
      await world.advance(world.random.below(GROUP_WAIT_MS - 1_000));
      world.crash('a');
      const isInTime = await untilMessage(world, GROUP_WAIT_MS + 8_000);
      await world.advance(3 * PEER_TIMEOUT_MS);
      const wrong = exactly(await world.notifications(), [FIRING]);
      return isInTime ? wrong : ['the message came late', ...wrong];
    },
  );

  test('are caught by the checks when they do not wait for each other', async () => {
    const world = await AlertWorld.start({ seed: 1, link: linkOf(1), peerTimeoutMs: 0 });
    await fireOnBoth(world);
    await world.advance(QUIET_MS);
    expect(exactly(await world.notifications(), [FIRING])).toEqual([
      expect.stringContaining('the robot got [firing(InstanceDown/node=firing), firing('),
    ]);
    await world.end();
  });

  test('live the same life again from the same seed', async () => {
    const logs: string[][] = [];
    for (let run = 0; run < 2; run++) {
      const world = await AlertWorld.start({ seed: 5, link: linkOf(5) });
      await fireOnBoth(world);
      await world.advance(GROUP_WAIT_MS + PEER_TIMEOUT_MS);
      world.crash('a');
      await world.advance(QUIET_MS);
      await world.end();
      logs.push(world.logs);
    }
    expect(logs[0]?.length).toBeGreaterThan(10);
    expect(logs[1]).toEqual(logs[0]);
  });
});
