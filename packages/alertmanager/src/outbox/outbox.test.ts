import { rmSync } from 'node:fs';
import { VirtualClock } from '@pollux/base';
import { afterEach, describe, expect, it } from 'vitest';
import { FakeCluster } from '../testing/fake-cluster.ts';
import type { Delivery } from '../testing/fake-net.ts';
import { Lives } from '../testing/lives.ts';
import { describeDelivery, START_MS, TestNode, type TestNodeOptions } from '../testing/world.ts';

const CONFIG = `
route: {receiver: hook, group_by: [alertname], group_wait: 30s, group_interval: 5m, repeat_interval: 1h}
receivers:
  - {name: hook, webhook_configs: [{url: 'http://hook/'}]}
  - {name: second, webhook_configs: [{url: 'http://second/'}]}
  - {name: third, webhook_configs: [{url: 'http://third/'}]}
`;
const HOUR = 3600;
const SETTLED = 'pollux_alertmanager_outbox_settled_total';

/** Receivers by host; those that are down answer with a status or not at all. */
class Doors {
  readonly closed = new Map<string, number | 'refused'>();
  readonly taken: Delivery[] = [];

  guard(node: TestNode): TestNode {
    node.net.endpoint = (delivery) => {
      const how = this.closed.get(new URL(delivery.url).host);
      if (how === 'refused') return 'refused';
      if (how !== undefined) return { status: how, body: 'not today' };
      this.taken.push(delivery);
      return { status: 200 };
    };
    return node;
  }

  /** `host 30s firing:a` of what was taken, in order. */
  get heard(): string[] {
    return this.taken.map((delivery) => {
      return `${new URL(delivery.url).host} ${describeDelivery(delivery)}`;
    });
  }

  /** The same without times, which depend on random pauses. */
  get said(): string[] {
    return this.heard.map((line) => line.replace(/ \S+s /, ' '));
  }
}

const running: Lives[] = [];

function begin(options: Partial<TestNodeOptions> = {}): { lives: Lives; doors: Doors } {
  const lives = new Lives({ config: CONFIG, ...options });
  running.push(lives);
  const doors = new Doors();
  doors.guard(lives.node);
  return { lives, doors };
}

async function restart(lives: Lives, doors: Doors, downSeconds: number): Promise<void> {
  await lives.restart(downSeconds);
  doors.guard(lives.node);
}

afterEach(async () => {
  for (const lives of running.splice(0)) await lives.end();
});

const alert = (name: string, endsIn = 10 * HOUR, labels: Record<string, string> = {}) => ({
  labels: { alertname: 'Down', name, ...labels },
  endsIn,
});
const ended = (name: string) => alert(name, 0);

type Letter = Record<string, unknown> & { readonly id: string };
const letters = (lives: Lives): Promise<Letter[]> => lives.get('/api/v3/dead-letters');

describe('news that a receiver could not take', () => {
  it('is told when the alert has ended meanwhile: as ended, once', async () => {
    const { lives, doors } = begin();
    doors.closed.set('hook', 'refused');
    await lives.node.fire(alert('a'));
    await lives.advance(100);
    await lives.node.fire(ended('a'));
    await lives.advance(400);
    expect(await lives.get<unknown[]>('/api/v3/outbox')).toHaveLength(1);
    doors.closed.clear();
    await lives.advance(2 * HOUR);
    expect(doors.said).toEqual(['hook resolved:a']);
    expect(lives.node.metric('pollux_alertmanager_outbox_entries')).toBe(0);
  });

  it('is told when the process died in between and its group is lost: the outbox sends by itself', async () => {
    const { lives, doors } = begin();
    doors.closed.set('hook', 'refused');
    await lives.node.fire(alert('a'), alert('b'));
    await lives.advance(60);
    lives.node.kill();
    rmSync(`${lives.node.directory}/alerts`);
    await lives.advance(60);
    doors.guard(lives.start());
    await lives.advance(40);
    expect(doors.heard).toEqual([]);
    doors.closed.clear();
    await lives.advance(200);
    expect(doors.said).toEqual(['hook resolved:a,b']);
    expect(lives.node.metric(SETTLED, 'how', 'delivered')).toBe(1);
    await lives.node.fire(alert('a'));
    await lives.advance(HOUR / 2);
    expect(doors.said.slice(1)).toEqual(['hook firing:a']);
  });

  it('is told once by whoever comes first, the outbox or the group, after a restart', async () => {
    const { lives, doors } = begin();
    doors.closed.set('hook', 503);
    await lives.node.fire(alert('a'));
    await lives.advance(70);
    await restart(lives, doors, 30);
    doors.closed.clear();
    await lives.advance(HOUR / 2);
    expect(doors.said).toEqual(['hook firing:a']);
    expect(lives.node.metric('pollux_alertmanager_outbox_entries')).toBe(0);
    await lives.node.fire(ended('a'));
    await lives.advance(HOUR / 2);
    expect(doors.said.slice(1)).toEqual(['hook resolved:a']);
  });

  it('of what fired is told to a receiver that wants no ends, though it is over', async () => {
    const { lives, doors } = begin({
      config: CONFIG.replace("hook/'", "hook/', send_resolved: false"),
    });
    doors.closed.set('hook', 'refused');
    await lives.node.fire(alert('a'));
    await lives.advance(60);
    await lives.node.fire(ended('a'));
    await lives.advance(400);
    doors.closed.clear();
    await lives.advance(HOUR);
    expect(doors.said).toEqual(['hook firing:a']);
  });

  it('is not tried again by a member that is ending, and told by the one that follows', async () => {
    const { lives, doors } = begin();
    const { node } = lives;
    doors.closed.set('hook', 'refused');
    await node.fire(alert('a'));
    await lives.advance(30.1);
    expect(node.net.deliveries).toHaveLength(1);
    await node.close();
    expect(node.net.deliveries).toHaveLength(1);
    doors.closed.clear();
    doors.guard(lives.start());
    await lives.advance(100);
    expect(doors.said).toEqual(['hook firing:a']);
  });

  it('is withheld while a silence holds, and told when it ends', async () => {
    const { lives, doors } = begin();
    doors.closed.set('hook', 'refused');
    await lives.node.fire(alert('a'));
    await lives.advance(60);
    lives.node.kill();
    rmSync(`${lives.node.directory}/alerts`);
    doors.guard(lives.start());
    await lives.node.silence(['name=a'], 600);
    doors.closed.clear();
    await lives.advance(590);
    expect(doors.heard).toEqual([]);
    await lives.advance(100);
    expect(doors.said).toEqual(['hook resolved:a']);
  });

  it('goes in the order in which it failed, and waits behind what fails still', async () => {
    const { lives, doors } = begin({ config: CONFIG.replace('[alertname]', '[name]') });
    doors.closed.set('hook', 'refused');
    for (const name of ['a', 'b', 'c']) {
      await lives.node.fire(alert(name));
      await lives.advance(20);
    }
    await lives.advance(60);
    lives.node.kill();
    rmSync(`${lives.node.directory}/alerts`);
    doors.guard(lives.start());
    const requests = lives.node.net.deliveries;
    await lives.advance(300);
    expect(requests.length).toBeGreaterThan(2);
    expect(new Set(requests.map((one) => describeDelivery(one).replace(/^\S+ /, '')))).toEqual(
      new Set(['resolved:a']),
    );
    doors.closed.clear();
    await lives.advance(600);
    expect(doors.said).toEqual(['hook resolved:a', 'hook resolved:b', 'hook resolved:c']);
  });

  it('is given up when it is too old, and its group goes on', async () => {
    const { lives, doors } = begin({ settings: { outboxMaxAgeMs: 600_000 } });
    doors.closed.set('hook', 'refused');
    await lives.node.fire(alert('a', 100));
    await lives.advance(60);
    lives.node.kill();
    rmSync(`${lives.node.directory}/alerts`);
    doors.guard(lives.start());
    await lives.advance(700);
    expect(await letters(lives)).toMatchObject([
      { cause: 'expired', receiver: 'hook', integration: 'webhook[0]', firing: 1, deaths: 1 },
    ]);
    doors.closed.clear();
    await lives.advance(HOUR);
    expect(doors.heard).toEqual([]);
  });
});

describe('a dead letter', () => {
  it('is what a refusal leaves; replayed it is sent as it was, and the group does not double it', async () => {
    const { lives, doors } = begin();
    doors.closed.set('hook', 400);
    await lives.node.fire(alert('a'));
    await lives.advance(60);
    const [letter] = await letters(lives);
    expect(letter).toMatchObject({
      cause: 'refused',
      reason: 'first notification',
      firing: 1,
      resolved: 0,
      attempts: 1,
      lastReplay: null,
    });
    expect(String(letter?.error)).toContain('400');
    const path = `/api/v3/dead-letters/${letter?.id}`;
    expect(await lives.get(path)).toMatchObject({
      alerts: [{ status: 'firing', labels: { name: 'a' } }],
    });
    const refused = await lives.node.request('POST', `${path}/replay`);
    expect(refused.json).toMatchObject({ result: 'failed', error: expect.stringContaining('400') });
    await restart(lives, doors, 5);
    expect(await letters(lives)).toMatchObject([
      { id: letter?.id, lastReplay: { error: expect.stringContaining('400') } },
    ]);
    doors.closed.clear();
    const sent = await lives.node.request('POST', `${path}/replay`);
    expect(sent.json).toEqual({ id: letter?.id, result: 'sent', error: '' });
    expect(await letters(lives)).toEqual([]);
    await lives.advance(HOUR / 2);
    expect(doors.said).toEqual(['hook firing:a']);
  });

  it('is one for each group, however often it dies, and gone with the first delivery', async () => {
    const { lives, doors } = begin();
    doors.closed.set('hook', 400);
    await lives.node.fire(alert('a'));
    await lives.advance(700);
    expect(await letters(lives)).toMatchObject([{ deaths: 3 }]);
    doors.closed.clear();
    await lives.advance(300);
    expect(doors.said).toEqual(['hook firing:a']);
    expect(await letters(lives)).toEqual([]);
  });

  it('can be deleted, and all can be replayed; an unknown one is not found', async () => {
    const { lives, doors } = begin({ config: CONFIG.replace('[alertname]', '[name]') });
    doors.closed.set('hook', 400);
    await lives.node.fire(alert('a'), alert('b'), alert('c'));
    await lives.advance(60);
    const [first] = await letters(lives);
    expect(await letters(lives)).toHaveLength(3);
    expect((await lives.node.request('DELETE', `/api/v3/dead-letters/${first?.id}`)).status).toBe(
      200,
    );
    expect((await lives.node.request('GET', `/api/v3/dead-letters/${first?.id}`)).status).toBe(404);
    expect((await lives.node.request('POST', '/api/v3/dead-letters/x/replay')).status).toBe(404);
    doors.closed.clear();
    const all = await lives.node.request('POST', '/api/v3/dead-letters/replay');
    expect(all.json).toMatchObject([{ result: 'sent' }, { result: 'sent' }]);
    expect(doors.said.sort()).toEqual(['hook firing:b', 'hook firing:c']);
    doors.closed.set('hook', 400);
    await lives.node.fire(alert('d'));
    await lives.advance(31);
    expect(await letters(lives)).toHaveLength(1);
    expect((await lives.node.request('DELETE', '/api/v3/dead-letters')).json).toEqual({
      deleted: 1,
    });
    expect(await letters(lives)).toEqual([]);
  });

  it('is what a template leaves that fails', async () => {
    const { lives, doors } = begin({
      config: CONFIG.replace("'http://hook/'", `'http://hook/{{ template "none" . }}'`),
    });
    await lives.node.fire(alert('a'));
    await lives.advance(60);
    expect(doors.heard).toEqual([]);
    expect(await letters(lives)).toMatchObject([{ error: expect.stringContaining('template') }]);
  });
});

describe('a fallback', () => {
  const beside = 'receivers: [{name: hook, fallback: second, fallback_after: 2m}]';

  it('is told what the receiver did not take for so long, once, with the reason', async () => {
    const { lives, doors } = begin({ beside });
    doors.closed.set('hook', 'refused');
    await lives.node.fire(alert('a'));
    await lives.advance(145);
    expect(doors.heard).toEqual([]);
    await lives.advance(15);
    expect(doors.said).toEqual(['second firing:a']);
    expect(JSON.parse(doors.taken[0]!.body)).toMatchObject({
      receiver: 'second',
      notification_reason: 'fallback for "hook": first notification',
    });
    expect(lives.node.metric('pollux_alertmanager_escalations_total')).toBe(1);
    await lives.advance(HOUR / 2);
    await restart(lives, doors, 5);
    await lives.advance(HOUR / 2);
    expect(doors.said).toEqual(['second firing:a']);
    doors.closed.clear();
    await lives.advance(600);
    expect(doors.said).toEqual(['second firing:a', 'hook firing:a']);
  });

  it('is told at once what the receiver refuses, and what joins later', async () => {
    const { lives, doors } = begin({ beside });
    doors.closed.set('hook', 403);
    await lives.node.fire(alert('a'));
    await lives.advance(35);
    expect(doors.said).toEqual(['second firing:a']);
    await lives.node.fire(alert('b'));
    await lives.advance(700);
    expect(doors.said).toEqual(['second firing:a', 'second firing:a,b']);
  });

  it('is not told what is over by then', async () => {
    const { lives, doors } = begin({ beside });
    doors.closed.set('hook', 'refused');
    await lives.node.fire(alert('a'));
    await lives.advance(60);
    await lives.node.fire(ended('a'));
    await lives.advance(HOUR);
    expect(doors.heard).toEqual([]);
  });

  it('may have a fallback', async () => {
    const { lives, doors } = begin({
      beside: `receivers:
        - {name: hook, fallback: second, fallback_after: 2m}
        - {name: second, fallback: third, fallback_after: 3m}`,
    });
    doors.closed.set('hook', 'refused');
    doors.closed.set('second', 'refused');
    await lives.node.fire(alert('a'));
    await lives.advance(320);
    expect(doors.heard).toEqual([]);
    await lives.advance(30);
    expect(doors.said).toEqual(['third firing:a']);
    expect(JSON.parse(doors.taken[0]!.body)).toMatchObject({
      notification_reason: 'fallback for "second": first notification',
    });
  });

  it.each([
    [
      'receivers: [{name: hook, fallback: nobody}]',
      '1:36: receivers.0.fallback: the main file has no receiver "nobody"',
    ],
    [
      'receivers:\n - {name: second, fallback: hook}\n - {name: hook, fallback: second}',
      '3:27: receivers.1.fallback: the fallbacks go in a circle: hook → second → hook',
    ],
    [
      'receivers: [{name: hook, fallback_after: 5m}]',
      '1:42: receivers.0.fallback_after: there is no fallback beside it',
    ],
  ])('%s is refused with its place', (text, message) => {
    expect(() => new TestNode({ config: CONFIG, beside: text })).toThrow(message);
  });
});

describe('in a cluster', () => {
  /** Members a and b, of which b comes first when a is gone. */
  class Pair {
    readonly clock = new VirtualClock(START_MS);
    readonly cluster = new FakeCluster(this.clock, { delayMs: 100 });
    readonly nodes: TestNode[] = [];
    readonly doors = new Doors();

    add(name: string, options: Partial<TestNodeOptions> = {}, settleMs = 1_000): TestNode {
      const cluster = this.cluster.join(name, settleMs);
      const node = new TestNode({ config: CONFIG, clock: this.clock, cluster, ...options });
      this.nodes.push(this.doors.guard(node));
      return node;
    }

    async advance(seconds: number): Promise<void> {
      await this.clock.advance(seconds * 1_000);
    }

    async end(): Promise<void> {
      for (const node of this.nodes) {
        await node.close();
        node.removeDirectory();
      }
    }
  }

  it('what another member delivered while this one was down is dropped and counted, after settling', async () => {
    const pair = new Pair();
    const { doors } = pair;
    const a = pair.add('a');
    const b = pair.add('b');
    await pair.advance(2);
    doors.closed.set('hook', 'refused');
    for (const node of [a, b]) await node.fire(alert('x'));
    await pair.advance(70);
    a.kill();
    pair.cluster.members[0]!.kill();
    doors.closed.clear();
    await pair.advance(120);
    expect(doors.said).toEqual(['hook firing:x']);
    const again = pair.add('a2', { directory: a.directory }, 40_000);
    await pair.advance(39);
    expect(again.metric('pollux_alertmanager_outbox_entries')).toBe(1);
    await pair.advance(600);
    expect(doors.said).toEqual(['hook firing:x']);
    expect(again.metric('pollux_alertmanager_outbox_entries')).toBe(0);
    expect(again.metric(SETTLED, 'how', 'delivered by another member')).toBe(1);
    await pair.end();
  });

  it('members that both owe a list deliver each of it once', async () => {
    const pair = new Pair();
    const { doors } = pair;
    const config = CONFIG.replace('[alertname]', '[name]');
    const first = [pair.add('a', { config }), pair.add('b', { config })];
    await pair.advance(2);
    doors.closed.set('hook', 'refused');
    const names = [...'abcdefghijkl'];
    for (const node of first) await node.fire(...names.map((name) => alert(name)));
    await pair.advance(100);
    // Both begin anew, and of their groups they know nothing: what is left is the outbox.
    for (const [index, node] of first.entries()) {
      node.kill();
      pair.cluster.members[index]!.kill();
      rmSync(`${node.directory}/alerts`);
    }
    await pair.advance(20);
    const again = first.map((node, index) =>
      pair.add(`${'ab'[index]}2`, { config, directory: node.directory }),
    );
    await pair.advance(40);
    doors.closed.clear();
    await pair.advance(HOUR / 2);
    expect(doors.said.sort()).toEqual(names.map((name) => `hook resolved:${name}`));
    const count = (how: string): number =>
      again.reduce((sum, node) => sum + node.metric(SETTLED, 'how', how), 0);
    expect(count('delivered')).toBe(12);
    expect(count('delivered by another member')).toBe(12);
    await pair.end();
  });

  it('a fallback is told once by all members', async () => {
    const pair = new Pair();
    const { doors } = pair;
    const beside = 'receivers: [{name: hook, fallback: second, fallback_after: 2m}]';
    const nodes = [pair.add('a', { beside }), pair.add('b', { beside })];
    await pair.advance(2);
    doors.closed.set('hook', 'refused');
    for (const node of nodes) await node.fire(alert('x'));
    await pair.advance(HOUR / 2);
    expect(doors.said).toEqual(['second firing:x']);
    await pair.end();
  });
});
