import type { ClusterPort } from '@pollux/alertmanager';
import { SeededRandom } from '@pollux/base';
import { GossipNode, type GossipOptions, type StateChannel } from '@pollux/gossip';
import { Log, Registry, renderText } from '@pollux/telemetry';
import { describe, expect, test } from 'vitest';
import { type SimHost, SimWorld } from './index.ts';

const PORT = 9094;

/** A state of the simplest kind that merges: a set of words, one a line, passed on when new. */
class Words {
  readonly words = new Set<string>();
  channel: StateChannel | null = null;

  add(word: string): void {
    this.words.add(word);
    this.channel?.broadcast(new TextEncoder().encode(word));
  }

  marshal(): Uint8Array {
    return new TextEncoder().encode([...this.words].join('\n'));
  }

  merge(data: Uint8Array): void {
    for (const word of new TextDecoder().decode(data).split('\n')) {
      if (word === '' || this.words.has(word)) continue;
      this.words.add(word);
      this.channel?.broadcast(new TextEncoder().encode(word));
    }
  }

  list(): string[] {
    return [...this.words].sort();
  }
}

type Node = {
  readonly node: GossipNode;
  readonly words: Words;
  readonly registry: Registry;
  readonly host: SimHost;
};

async function startNode(
  host: SimHost,
  peers: readonly string[],
  extra: Partial<GossipOptions> = {},
): Promise<Node> {
  const words = new Words();
  const registry = new Registry();
  const node = new GossipNode({
    env: host.env,
    log: Log.silent(),
    registry,
    listen: { host: host.ip, port: PORT },
    peers: peers.map((peer) => `${peer}:${PORT}`),
    ...extra,
  });
  words.channel = node.addState('words', words);
  await node.start();
  return { node, words, registry, host };
}

async function startCluster(world: SimWorld, names: readonly string[]): Promise<Node[]> {
  const hosts = names.map((name) => world.addHost(name));
  const nodes: Node[] = [];
  for (const host of hosts) nodes.push(await startNode(host, names, { name: host.name }));
  return nodes;
}

const memberNames = ({ node }: Node): string[] => node.peers().map((peer) => peer.name);
const metric = ({ registry }: Node, line: string): number => {
  const found = renderText(registry.gather())
    .split('\n')
    .find((text) => text.startsWith(`${line} `));
  return Number(found?.split(' ').at(-1));
};

describe('two members', () => {
  test('find each other, settle in ten seconds and know their positions', async () => {
    const world = new SimWorld({ seed: 1 });
    const [a, b] = (await startCluster(world, ['a', 'b'])) as [Node, Node];
    await world.advance(1_000);
    expect(a.node.peers()).toEqual([
      { name: 'a', address: '10.0.0.1:9094' },
      { name: 'b', address: '10.0.0.2:9094' },
    ]);
    expect([a.node.position(), b.node.position()]).toEqual([0, 1]);
    expect(a.node.status()).toBe('settling');
    let isSettled = false;
    const settled = b.node.settled(new AbortController().signal).then(() => {
      isSettled = true;
    });
    await world.advance(8_000);
    expect(isSettled).toBe(false);
    await world.advance(2_500);
    expect(isSettled).toBe(true);
    await settled;
    expect(a.node.status()).toBe('ready');
    expect(metric(a, 'alertmanager_cluster_members')).toBe(2);
    expect(metric(b, 'alertmanager_peer_position')).toBe(1);
    expect(metric(a, 'alertmanager_cluster_failed_peers')).toBe(0);
  });

  test('get a small change by gossip within two rounds', async () => {
    const world = new SimWorld({ seed: 2 });
    const [a, b] = (await startCluster(world, ['a', 'b'])) as [Node, Node];
    await world.advance(2_000);
    a.words.add('small');
    await world.advance(450);
    expect(b.words.list()).toEqual(['small']);
  });

  test('get a large change over TCP at once', async () => {
    const world = new SimWorld({ seed: 3 });
    const [a, b] = (await startCluster(world, ['a', 'b'])) as [Node, Node];
    await world.advance(2_000);
    const large = 'x'.repeat(100_000);
    a.words.add(large);
    await world.advance(50);
    expect(b.words.list()).toEqual([large]);
    expect(metric(a, 'alertmanager_oversized_gossip_message_sent_total{key="words"}')).toBe(1);
  });

  test('exchange what they hold when one joins late', async () => {
    const world = new SimWorld({ seed: 4 });
    const a = await startNode(world.addHost('a'), ['a', 'b'], { name: 'a' });
    const hostB = world.addHost('b');
    a.words.add('before');
    await world.advance(30_000);
    const b = await startNode(hostB, ['a', 'b'], { name: 'b' });
    b.words.add('own');
    await world.advance(500);
    expect(b.words.list()).toEqual(['before', 'own']);
    expect(a.words.list()).toEqual(['before', 'own']);
  });

  test('call a silent one dead after one probe and four seconds, and take it back when it returns', async () => {
    const world = new SimWorld({ seed: 5 });
    const [a] = (await startCluster(world, ['a', 'b'])) as [Node, Node];
    await world.advance(5_000);
    const host = world.crash('b');
    await world.advance(2_500);
    expect(memberNames(a)).toEqual(['a', 'b']);
    await world.advance(4_500);
    expect(memberNames(a)).toEqual(['a']);
    expect(metric(a, 'alertmanager_cluster_failed_peers')).toBe(1);
    const back = await startNode(host, ['a', 'b'], { name: 'b2' });
    await world.advance(1_000);
    expect(memberNames(a)).toEqual(['a', 'b2']);
    expect(memberNames(back)).toEqual(['a', 'b2']);
    expect(metric(a, 'alertmanager_cluster_failed_peers')).toBe(0);
  });

  test('take a member back under its old name and address', async () => {
    const world = new SimWorld({ seed: 6 });
    const [a] = (await startCluster(world, ['a', 'b'])) as [Node, Node];
    await world.advance(5_000);
    const host = world.crash('b');
    await world.advance(10_000);
    expect(memberNames(a)).toEqual(['a']);
    const back = await startNode(host, ['a', 'b'], { name: 'b' });
    await world.advance(5_000);
    expect(memberNames(a)).toEqual(['a', 'b']);
    expect(memberNames(back)).toEqual(['a', 'b']);
  });

  test('know at once of one that says goodbye', async () => {
    const world = new SimWorld({ seed: 7 });
    const [a, b] = (await startCluster(world, ['a', 'b'])) as [Node, Node];
    await world.advance(5_000);
    const leaving = b.node.leave().then(() => b.node.close());
    await world.advance(1_500);
    await leaving;
    expect(memberNames(a)).toEqual(['a']);
    expect(metric(a, 'alertmanager_cluster_peers_left_total')).toBe(1);
  });

  test('with different labels do not see each other', async () => {
    const world = new SimWorld({ seed: 8 });
    const names = ['a', 'b'];
    const hosts = names.map((name) => world.addHost(name));
    const a = await startNode(hosts[0]!, names, { name: 'a', label: 'blue' });
    const b = await startNode(hosts[1]!, names, { name: 'b', label: 'red' });
    await world.advance(20_000);
    expect([memberNames(a), memberNames(b)]).toEqual([['a'], ['b']]);
    expect(
      metric(a, 'alertmanager_cluster_refused_input_total{reason="GOSSIP.LABEL"}'),
    ).toBeGreaterThan(0);
  });

  test('with one label work as without', async () => {
    const world = new SimWorld({ seed: 9 });
    const hosts = ['a', 'b'].map((name) => world.addHost(name));
    const nodes: Node[] = [];
    for (const host of hosts)
      nodes.push(await startNode(host, ['a', 'b'], { name: host.name, label: 'blue' }));
    await world.advance(2_000);
    nodes[0]!.words.add('x');
    await world.advance(500);
    expect(nodes.map((node) => node.words.list())).toEqual([['x'], ['x']]);
  });

  test('whose names take long to appear meet through the refresh', async () => {
    const world = new SimWorld({ seed: 10 });
    const a = await startNode(world.addHost('a'), ['b'], { name: 'a' });
    await world.advance(60_000);
    const b = await startNode(world.addHost('b'), [], { name: 'b' });
    await world.advance(16_000);
    expect([memberNames(a), memberNames(b)]).toEqual([
      ['a', 'b'],
      ['a', 'b'],
    ]);
    await world.advance(60_000);
    expect(metric(a, 'alertmanager_cluster_refresh_join_total')).toBe(1);
  });
});

describe('a cluster', () => {
  test('that is split and healed is one again, with all that either side learnt', async () => {
    const world = new SimWorld({ seed: 20 });
    const nodes = await startCluster(world, ['a', 'b', 'c', 'd']);
    await world.advance(5_000);
    world.network.partition(['a', 'b'], ['c', 'd']);
    await world.advance(60_000);
    expect(nodes.map(memberNames)).toEqual([
      ['a', 'b'],
      ['a', 'b'],
      ['c', 'd'],
      ['c', 'd'],
    ]);
    nodes[0]!.words.add('left');
    nodes[3]!.words.add('right');
    await world.advance(5_000);
    expect(nodes[1]!.words.list()).toEqual(['left']);
    world.network.heal();
    await world.advance(30_000);
    for (const node of nodes) {
      expect(memberNames(node)).toEqual(['a', 'b', 'c', 'd']);
      expect(node.words.list()).toEqual(['left', 'right']);
    }
  });

  test('whose members reach each other only through others by UDP stays whole', async () => {
    const world = new SimWorld({ seed: 21 });
    const nodes = await startCluster(world, ['a', 'b', 'c']);
    await world.advance(5_000);
    world.network.setLink('a', 'b', { loss: 1 });
    await world.advance(60_000);
    for (const node of nodes) expect(memberNames(node)).toEqual(['a', 'b', 'c']);
  });

  test.each([31, 32, 33, 34])('on a bad network converges (seed %i)', async (seed) => {
    const random = new SeededRandom(seed);
    const world = new SimWorld({
      seed,
      link: { loss: 0.2, duplication: 0.1, minDelayMs: 1, maxDelayMs: 80 },
    });
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
    const nodes = await startCluster(world, names);
    const expected: string[] = [];
    for (let round = 0; round < 20; round++) {
      const word = `word ${round} ${'-'.repeat(random.below(900))}`;
      expected.push(word);
      nodes[random.below(nodes.length)]!.words.add(word);
      if (round === 5) world.network.partition(['a', 'b', 'c'], ['d', 'e', 'f', 'g']);
      if (round === 12) world.network.heal();
      await world.advance(random.below(4_000));
    }
    await world.advance(90_000);
    for (const node of nodes) {
      expect(memberNames(node)).toEqual(names);
      expect(node.words.list()).toEqual(expected.toSorted());
    }
  });

  test('runs the same again from the same seed', async () => {
    const run = async (): Promise<string> => {
      const world = new SimWorld({ seed: 77, link: { loss: 0.3 } });
      const nodes = await startCluster(world, ['a', 'b', 'c']);
      nodes[1]!.words.add('x');
      await world.advance(20_000);
      return nodes.map((node) => renderText(node.registry.gather())).join('\n');
    };
    expect(await run()).toBe(await run());
  });
});

describe('a member', () => {
  test('survives garbage on both ports and goes on', async () => {
    const world = new SimWorld({ seed: 40 });
    const [a, b] = (await startCluster(world, ['a', 'b'])) as [Node, Node];
    const attacker = world.addHost('attacker');
    const to = { host: '10.0.0.1', port: PORT };
    const random = new SeededRandom(41);
    const udp = await attacker.env.net.bindUdp({ host: attacker.ip, port: 0 }, () => {});
    for (let i = 0; i < 300; i++) {
      const data = new Uint8Array(1 + random.below(400));
      random.fill(data);
      // Half of it begins like a message.
      if (i % 2 === 0) data[0] = random.below(14);
      udp.send(data, to);
      if (i % 10 !== 0) continue;
      const opening = attacker.env.net.connectTcp(to, { timeoutMs: 1_000 });
      await world.advance(20);
      const connection = await opening;
      void connection.write(data).catch(() => {});
      if (i % 20 === 0) connection.close();
    }
    await world.advance(30_000);
    expect(memberNames(a)).toEqual(['a', 'b']);
    b.words.add('still here');
    await world.advance(1_000);
    expect(a.words.list()).toEqual(['still here']);
    const refused = renderText(a.registry.gather()).match(/cluster_refused_input_total\{reason/g);
    expect(refused?.length).toBeGreaterThan(1);
  });

  test('refuses more connections than it serves and serves again when they are gone', async () => {
    const world = new SimWorld({ seed: 42 });
    const [a, b] = (await startCluster(world, ['a', 'b'])) as [Node, Node];
    const attacker = world.addHost('attacker');
    const to = { host: '10.0.0.1', port: PORT };
    const opening = Array.from({ length: 200 }, () =>
      attacker.env.net.connectTcp(to, { timeoutMs: 1_000 }),
    );
    await world.advance(100);
    await Promise.all(opening);
    expect(metric(a, 'alertmanager_cluster_refused_input_total{reason="GOSSIP.TOO_LARGE"}')).toBe(
      72,
    );
    await world.advance(60_000);
    const large = 'y'.repeat(10_000);
    b.words.add(large);
    await world.advance(100);
    expect(a.words.list()).toEqual([large]);
  });

  test('closes at once, twice over, and lets nobody wait', async () => {
    const world = new SimWorld({ seed: 43 });
    const [a] = (await startCluster(world, ['a', 'b'])) as [Node, Node];
    const waiting = expect(a.node.settled(new AbortController().signal)).rejects.toThrow('closed');
    await a.node.close();
    await a.node.close();
    await waiting;
  });

  test('is what the alertmanager room asks of a cluster', async () => {
    const world = new SimWorld({ seed: 47 });
    const { node } = await startNode(world.addHost('a'), [], { name: 'a' });
    const port: ClusterPort = node;
    expect([port.name, port.position(), port.status()]).toEqual(['a', 0, 'settling']);
    expect(port.peers()).toEqual([{ name: 'a', address: '10.0.0.1:9094' }]);
  });

  test('alone settles, leaves and closes', async () => {
    const world = new SimWorld({ seed: 44 });
    const a = await startNode(world.addHost('a'), [], { name: 'a' });
    await world.advance(11_000);
    expect(a.node.status()).toBe('ready');
    await a.node.leave();
    await a.node.close();
  });

  test('is settled at once when the time-out is zero, and at the time-out when members keep coming', async () => {
    const world = new SimWorld({ seed: 45 });
    const a = await startNode(world.addHost('a'), [], { name: 'a', times: { settleTimeoutMs: 0 } });
    await world.advance(1);
    expect(a.node.status()).toBe('ready');
    const b = await startNode(world.addHost('b'), [], {
      name: 'b',
      times: { settleTimeoutMs: 3_000 },
    });
    await world.advance(2_900);
    expect(b.node.status()).toBe('settling');
    await world.advance(200);
    expect(b.node.status()).toBe('ready');
  });

  test.each([
    [
      'an address nobody can send to',
      { listen: { host: '0.0.0.0', port: 0 } },
      'advertise-address',
    ],
    ['a peer without port', { peers: ['host'] }, 'cluster.peer'],
    ['a label of 300 bytes', { label: 'x'.repeat(300) }, 'cluster.label'],
    ['an advertised name', { advertise: { host: 'name', port: 1 } }, 'advertise-address'],
    ['a negative interval', { times: { probeIntervalMs: -1 } }, 'probeIntervalMs'],
  ])('refuses %s with the name of the setting', (_, extra, place) => {
    const world = new SimWorld({ seed: 46 });
    const host = world.addHost('a');
    expect(
      () =>
        new GossipNode({
          env: host.env,
          log: Log.silent(),
          registry: new Registry(),
          listen: { host: host.ip, port: PORT },
          peers: [],
          ...extra,
        }),
    ).toThrow(place);
  });
});
