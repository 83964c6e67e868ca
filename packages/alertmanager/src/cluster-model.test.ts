import { SeededRandom, VirtualClock } from '@pollux/base';
import { describe, expect, it } from 'vitest';
import { FakeCluster } from './testing/fake-cluster.ts';
import { START_MS, TestNode } from './testing/world.ts';

const CONFIG = `
route: {receiver: hook, group_by: [group], group_wait: 10s, group_interval: 1m, repeat_interval: 10m}
receivers: [{name: hook, webhook_configs: [{url: 'http://hook/'}]}]
`;
const PEER_TIMEOUT_MS = 5_000;
const STEPS = 25;

type Step = {
  readonly waitMs: number;
  readonly labels: Record<string, string>;
  readonly ends: boolean;
};

function script(random: SeededRandom): Step[] {
  return Array.from({ length: STEPS }, () => ({
    waitMs: 1_000 + random.below(45_000),
    labels: { group: `g${random.below(2)}`, name: `n${random.below(3)}` },
    ends: random.below(3) === 0,
  }));
}

type Sent = { readonly member: string; readonly timeMs: number; readonly content: string };

/** Group, status and alerts of each accepted message. */
function acceptedBy(node: TestNode, member: string): Sent[] {
  return node.net.deliveries.map(({ timeMs, body }) => {
    const message = JSON.parse(body) as {
      groupKey: string;
      alerts: { status: string; labels: { name: string } }[];
    };
    const alerts = message.alerts.map(({ status, labels }) => `${labels.name} ${status}`);
    return { member, timeMs, content: `${message.groupKey} ${alerts.sort().join(', ')}` };
  });
}

async function run(
  steps: readonly Step[],
  options: { members: number; delayMs: number; killAt?: number },
): Promise<Sent[]> {
  const clock = new VirtualClock(START_MS);
  const cluster = new FakeCluster(clock, { delayMs: options.delayMs, detectionMs: 4_000 });
  const members = Array.from({ length: options.members }, (_, index) => {
    const member = cluster.join(String.fromCharCode(65 + index));
    const settings = { peerTimeoutMs: PEER_TIMEOUT_MS };
    return {
      member,
      node: new TestNode({ config: CONFIG, clock, cluster: member, seed: index + 1, settings }),
    };
  });
  await clock.advance(1_000);
  const sentByDead: Sent[] = [];
  for (const [index, { waitMs, labels, ends }] of steps.entries()) {
    if (index === options.killAt) {
      const [first] = members.splice(0, 1);
      first?.member.kill();
      if (first !== undefined) {
        sentByDead.push(...acceptedBy(first.node, first.member.name));
        first.node.net.endpoint = () => 'refused';
        await first.node.alertmanager.close();
        first.node.removeDirectory();
      }
    }
    for (const { node } of members) await node.fire({ labels, endsIn: ends ? 0 : 36_000 });
    await clock.advance(waitMs);
  }
  await clock.advance(130_000);
  const sent = members.flatMap(({ member, node }) => acceptedBy(node, member.name));
  for (const { node } of members) {
    await node.close();
    node.removeDirectory();
  }
  return [...sentByDead, ...sent].sort((a, b) => a.timeMs - b.timeMs);
}

describe('members that live and talk within the peer timeout', () => {
  it.each([1, 2, 3, 4])('send together what one alone would send (script %i)', async (seed) => {
    const random = new SeededRandom(seed);
    const steps = script(random);
    const alone = await run(steps, { members: 1, delayMs: 0 });
    const together = await run(steps, {
      members: 3,
      delayMs: random.below(PEER_TIMEOUT_MS - 100),
    });
    expect(alone.length).toBeGreaterThan(3);
    expect(together.map(({ timeMs, content }) => `${timeMs} ${content}`)).toEqual(
      alone.map(({ timeMs, content }) => `${timeMs} ${content}`),
    );
  });
});

describe('when the first member dies', () => {
  it.each([11, 12, 13])('the last word on every group is still said (script %i)', async (seed) => {
    const random = new SeededRandom(seed);
    const steps = script(random);
    const alone = await run(steps, { members: 1, delayMs: 0 });
    const killAt = 3 + random.below(STEPS - 6);
    const survived = await run(steps, { members: 2, delayMs: 300, killAt });
    const lastWords = (sent: readonly Sent[]): string[] =>
      [...new Map(sent.map(({ content }) => [content.split(' ')[0], content])).values()].sort();
    expect(lastWords(survived)).toEqual(lastWords(alone));
    // A message is doubled at most once, by the death.
    expect(survived.length).toBeLessThanOrEqual(alone.length + 2);
    expect(survived.at(-1)?.member).toBe('B');
  });
});
