import { SeededRandom, VirtualClock } from '@pollux/base';
import { afterEach, describe, expect, it } from 'vitest';
import { FakeCluster, type FakeMember } from './testing/fake-cluster.ts';
import { START_MS, TestNode } from './testing/world.ts';

const CONFIG = `
route: {receiver: hook, group_by: [alertname], group_wait: 10s, group_interval: 5m, repeat_interval: 1h}
receivers: [{name: hook, webhook_configs: [{url: 'http://hook/'}]}]
`;
const PEER_TIMEOUT_MS = 15_000;

class Pair {
  readonly clock = new VirtualClock(START_MS);
  readonly cluster: FakeCluster;
  readonly members: FakeMember[] = [];
  readonly nodes: TestNode[] = [];

  readonly #config: string;

  constructor(delayMs: number, config: string) {
    this.#config = config;
    this.cluster = new FakeCluster(this.clock, { delayMs });
    for (const [index, name] of ['A', 'B'].entries()) this.add(name, index + 1);
  }

  add(name: string, seed: number, settleMs = 0): TestNode {
    const member = this.cluster.join(name, settleMs);
    const node = new TestNode({
      config: this.#config,
      clock: this.clock,
      cluster: member,
      seed,
      settings: { peerTimeoutMs: PEER_TIMEOUT_MS },
    });
    this.members.push(member);
    this.nodes.push(node);
    return node;
  }

  async fire(name: string, ended = false): Promise<void> {
    const alert = { labels: { alertname: 'Down', name }, endsIn: ended ? 0 : 36_000 };
    for (const node of this.nodes) await node.fire(alert);
  }

  async advance(seconds: number): Promise<void> {
    await this.clock.advance(seconds * 1000);
  }

  /** All messages of the cluster in the order of time, each with its sender. */
  get sent(): string[] {
    return this.nodes
      .flatMap((node, index) =>
        node.sent.map((line, at) => ({
          line: `${this.members[index]!.name} ${line}`,
          timeMs: node.net.deliveries[at]!.timeMs,
        })),
      )
      .sort((a, b) => a.timeMs - b.timeMs)
      .map(({ line }) => line);
  }
}

const pairs: Pair[] = [];

function pair(delayMs = 200, config = CONFIG): Pair {
  const made = new Pair(delayMs, config);
  pairs.push(made);
  return made;
}

afterEach(async () => {
  for (const { nodes } of pairs.splice(0)) {
    for (const node of nodes) {
      await node.close();
      node.removeDirectory();
    }
  }
});

describe('two members', () => {
  it('that heard of a group nearly a turn apart have the same times once one has told it', async () => {
    const { nodes, clock } = pair(1_000);
    const nextFlushes = async (): Promise<number[]> => {
      const times: number[] = [];
      for (const node of nodes) {
        const { text } = await node.request('GET', '/api/v3/alerts');
        const [alert] = JSON.parse(text) as { groups: { nextFlush: string }[] }[];
        times.push((Date.parse(alert?.groups[0]?.nextFlush ?? '') - START_MS) / 1000);
      }
      return times;
    };
    const alert = { labels: { alertname: 'Down' }, endsIn: 36_000 };
    await nodes[1]?.fire(alert);
    await clock.advance(13_500);
    await nodes[0]?.fire({ ...alert, startsIn: 0 });
    expect(await nextFlushes()).toEqual([23.5, 310]);
    // A tells at 23.5 s, which B hears a second later, half a second before its turn.
    await clock.advance(60_000);
    expect(nodes.map((node) => node.sent.length)).toEqual([1, 0]);
    expect(await nextFlushes()).toEqual([323.5, 324.5]);
  });

  it('send nothing that has ended when its end was told while the second waited for its turn', async () => {
    const two = pair();
    const [first, second] = two.nodes;
    const alert = { labels: { alertname: 'Down', name: 'db' }, endsIn: 36_000 };
    await first?.fire(alert);
    await two.advance(295);
    // The second learns of it late: its flush begins at 305 s and is to wait until 320 s.
    await second?.fire(alert);
    await two.advance(12);
    await two.fire('db', true);
    await two.advance(60);
    expect(two.sent).toEqual(['A 10s firing:db', 'A 310s resolved:db']);
  });

  it('send each change exactly once, by the first of them', async () => {
    const two = pair();
    await two.advance(1);
    await two.fire('a');
    await two.advance(400);
    await two.fire('b');
    await two.advance(400);
    await two.fire('a', true);
    await two.fire('b', true);
    await two.advance(1000);
    expect(two.sent).toEqual(['A 11s firing:a', 'A 611s firing:a,b', 'A 911s resolved:a,b']);
  });

  it('send once also when the log takes just under the peer timeout, and twice when it takes longer', async () => {
    const near = pair(PEER_TIMEOUT_MS - 500);
    await near.fire('a');
    await near.advance(100);
    expect(near.sent).toEqual(['A 10s firing:a']);
    const late = pair(PEER_TIMEOUT_MS + 500);
    await late.fire('a');
    await late.advance(100);
    expect(late.sent).toEqual(['A 10s firing:a', 'B 25s firing:a']);
  });

  it('fail over: with the first dead before it sent, the second sends as soon as the death is known', async () => {
    const two = pair();
    await two.advance(1);
    await two.fire('a');
    await two.advance(9);
    two.members[0]!.kill();
    two.nodes[0]!.net.endpoint = () => 'refused';
    await two.advance(100);
    const fromB = two.sent.filter((line) => line.startsWith('B'));
    // Death at 10 s is noticed at 15 s; the full wait would have ended at 26 s.
    expect(fromB).toEqual(['B 15s firing:a']);
  });

  it('fail over within the wait when the first cannot deliver', async () => {
    const two = pair();
    two.nodes[0]!.net.endpoint = () => ({ status: 503 });
    await two.fire('a');
    await two.advance(60);
    expect(two.sent.filter((line) => line.startsWith('B'))).toEqual(['B 25s firing:a']);
    // The first learned of it and stopped trying, so that its recovery doubles nothing.
    two.nodes[0]!.net.endpoint = () => ({ status: 200 });
    const tries = two.sent.length;
    await two.advance(600);
    expect(two.sent).toHaveLength(tries);
    expect(await two.nodes[0]!.results()).toMatchObject([{ result: 'sent by another member' }]);
  });

  it('tell no beginning any more once the first has told the end', async () => {
    const two = pair(200, CONFIG.replace('group_interval: 5m', 'group_interval: 5s'));
    await two.fire('a');
    await two.advance(12);
    await two.fire('a', true);
    await two.advance(100);
    // The flush of the second began when the alert still fired, and waited until 25 s.
    expect(two.sent).toEqual(['A 10s firing:a', 'A 15s resolved:a']);
  });

  it('tell no end of what began anew while the second waited for its turn', async () => {
    const two = pair();
    await two.fire('a');
    await two.advance(300);
    await two.fire('a', true);
    await two.advance(5);
    const again = { labels: { alertname: 'Down', name: 'a' }, endsIn: 36_000 };
    await two.nodes[0]!.fire(again);
    // The flush of the second begins at 310 s with the end, and waits until 325 s.
    await two.advance(7);
    await two.nodes[1]!.fire(again);
    await two.advance(280);
    expect(two.sent).toEqual(['A 10s firing:a']);
    await two.fire('a', true);
    await two.advance(400);
    expect(two.sent).toEqual(['A 10s firing:a', 'A 610s resolved:a']);
  });

  it('tell nothing of what the second held for firing when its flush began, if the first had told its end', async () => {
    const two = pair();
    const ended = { labels: { alertname: 'Down', name: 'a' }, startsIn: -1, endsIn: 0 };
    await two.nodes[0]!.fire({ ...ended, endsIn: 36_000 });
    await two.advance(2);
    await two.nodes[1]!.fire({ ...ended, endsIn: 36_000 });
    await two.advance(303);
    await two.nodes[0]!.fire(ended);
    // The first tells the end at 310 s; the flush of the second begins at 312 s and waits until 327 s.
    await two.advance(8);
    await two.nodes[1]!.fire(ended);
    await two.advance(700);
    expect(two.sent).toEqual(['A 10s firing:a', 'A 310s resolved:a']);
  });

  it('tell what began anew at its own time, not with an earlier flush that waited', async () => {
    const two = pair();
    const alert = (name: string) => ({ labels: { alertname: 'Down', name }, endsIn: 36_000 });
    await two.fire('a');
    await two.advance(320);
    await two.fire('a', true);
    await two.advance(300);
    // The end was told at 610 s. The second still hears of it; its flush at 910 s waits until 925 s.
    await two.nodes[1]!.fire({
      labels: { alertname: 'Down', name: 'a' },
      startsIn: -600,
      endsIn: 0,
    });
    await two.advance(295);
    for (const node of two.nodes) await node.fire(alert('a'));
    await two.advance(100);
    expect(two.sent).toEqual(['A 10s firing:a', 'A 610s resolved:a', 'A 925s firing:a']);
  });

  it('cut off from each other both send: rather twice than never', async () => {
    const two = pair();
    await two.advance(1);
    two.members[1]!.isCutOff = true;
    await two.fire('a');
    await two.advance(100);
    expect(two.sent).toEqual(['A 11s firing:a', 'B 26s firing:a']);
  });
});

describe('four members', () => {
  it('of which the first two hang and die: the third sends at once, the fourth hears of it', async () => {
    const four = pair();
    four.add('C', 3);
    four.add('D', 4);
    await four.advance(1);
    for (const node of four.nodes.slice(0, 2)) node.net.endpoint = () => 'silent';
    await four.fire('a');
    // All began at 11 s; the turn of the third would come at 41 s, that of the fourth at 56 s.
    await four.advance(27);
    for (const member of four.members.slice(0, 2)) member.kill();
    await four.advance(100);
    const sent = four.sent.filter((line) => /^[CD]/.test(line));
    expect(sent).toEqual(['C 33s firing:a']);
  });
});

describe('silences in a cluster', () => {
  it('made on one member hold on the other', async () => {
    const two = pair();
    await two.advance(1);
    await two.nodes[0]!.silence(['name=a'], 3_600);
    await two.advance(0.5);
    await two.fire('a');
    await two.advance(1_000);
    expect(two.sent).toEqual([]);
    const seen = (await two.nodes[1]!.request('GET', '/api/v2/silences')).json as unknown[];
    expect(seen).toHaveLength(1);
  });

  it('expired on one member end on the other', async () => {
    const two = pair();
    await two.advance(1);
    const id = await two.nodes[0]!.silence(['name=a'], 3_600);
    await two.advance(1);
    expect((await two.nodes[1]!.request('DELETE', `/api/v2/silence/${id}`)).status).toBe(200);
    await two.advance(1);
    const silence = (await two.nodes[0]!.request('GET', `/api/v2/silence/${id}`)).json;
    expect(silence).toMatchObject({ status: { state: 'expired' } });
  });

  it('are pulled by a new member before its first notification', async () => {
    const two = pair();
    await two.advance(1);
    await two.nodes[0]!.silence(['name=a'], 3_600);
    await two.advance(1);
    // The new member settles only after 8 s; its alert would be due at once.
    const late = two.add('0', 9, 8_000);
    await late.fire({ labels: { alertname: 'Down', name: 'a' }, startsIn: -60, endsIn: 36_000 });
    await late.fire({ labels: { alertname: 'Up', name: 'b' }, startsIn: -60, endsIn: 36_000 });
    await two.advance(5);
    expect(late.sent).toEqual([]);
    await two.advance(60);
    expect(late.sent).toEqual(['10s firing:b']);
  });

  it('are waited for as long, also when the clock is set back meanwhile', async () => {
    const clock = new VirtualClock(START_MS);
    const cluster = new FakeCluster(clock, { delayMs: 10 });
    const node = new TestNode({ config: CONFIG, clock, cluster: cluster.join('A', 8_000) });
    await node.advance(4);
    clock.jump(-3_600_000);
    await node.advance(10);
    await node.fire({ labels: { alertname: 'Down', name: 'a' }, endsIn: 36_000 });
    await node.advance(11);
    expect(node.net.deliveries).toHaveLength(1);
    await node.close();
    node.removeDirectory();
  });

  it('are not waited for longer than the settle timeout', async () => {
    const clock = new VirtualClock(START_MS);
    const cluster = new FakeCluster(clock, { delayMs: 10 });
    const node = new TestNode({
      config: CONFIG,
      clock,
      cluster: cluster.join('A', 3_600_000),
      settings: { settleTimeoutMs: 20_000 },
    });
    await node.fire({ labels: { alertname: 'Down', name: 'a' }, startsIn: -60, endsIn: 36_000 });
    await node.advance(19);
    expect(node.sent).toEqual([]);
    await node.advance(2);
    expect(node.sent).toEqual(['20s firing:a']);
    await node.close();
    node.removeDirectory();
  });
});

describe('many small accidents', () => {
  it('never lose a notification, and double none while both live and talk in time', async () => {
    const random = new SeededRandom(20260105);
    for (let round = 0; round < 15; round++) {
      const two = pair(random.below(2_000));
      const gaps = 1 + random.below(20);
      await two.advance(1);
      const isFirstBroken = random.below(2) === 0;
      if (isFirstBroken)
        two.nodes[0]!.net.endpoint = () =>
          random.below(3) === 0 ? { status: 500 } : { status: 200 };
      await two.fire('a');
      await two.advance(gaps);
      await two.fire('b');
      await two.advance(700);
      const accepted = two.sent.length;
      expect(accepted, `round ${round}`).toBeGreaterThanOrEqual(1);
      expect(two.sent.at(-1), `round ${round}`).toContain('a,b');
      const reasons = (await Promise.all(two.nodes.map((node) => node.results()))).flat();
      const firsts = reasons.filter(
        ({ result, reason }) => result === 'sent' && reason === 'first notification',
      );
      expect(firsts, `round ${round}`).toHaveLength(1);
    }
  });
});
