import { type Net, SeededRandom, type UdpSocket } from '@pollux/base';
import { NodeClock, NodeNet } from '@pollux/base/node';
import { Log, Registry } from '@pollux/telemetry';
import { afterEach, describe, expect, it } from 'vitest';
import { GossipNode } from './gossip-node.ts';

const clock = new NodeClock();
const nodes: GossipNode[] = [];

afterEach(async () => {
  for (const node of nodes.splice(0)) await node.close();
});

/** A network on which datagrams are lost while `isDeaf` is set. */
class LossyNet extends NodeNet {
  isDeaf = false;

  override async bindUdp(...[at, onData]: Parameters<Net['bindUdp']>): Promise<UdpSocket> {
    return super.bindUdp(at, (data, from) => {
      if (!this.isDeaf) onData(data, from);
    });
  }
}

async function start(
  name: string,
  net: NodeNet,
  peers: readonly string[] = [],
): Promise<GossipNode> {
  const node = new GossipNode({
    env: { clock, random: new SeededRandom(name.charCodeAt(0)), net },
    log: new Log({ level: 'error', format: 'logfmt', now: () => 0, write: () => {} }),
    registry: new Registry(),
    listen: { host: '127.0.0.1', port: 0 },
    peers,
    name,
    times: { probeIntervalMs: 60_000 },
  });
  nodes.push(node);
  await node.start();
  return node;
}

async function pair(): Promise<{ a: GossipNode; b: GossipNode; net: LossyNet }> {
  const net = new LossyNet();
  const a = await start('A', new NodeNet());
  const { host, port } = a.address!;
  const b = await start('B', net, [`${host}:${port}`]);
  for (let i = 0; i < 200 && (a.peers().length < 2 || b.peers().length < 2); i++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return { a, b, net };
}

describe('a diagnosis', () => {
  it('reaches a member both ways and tells the round trips', async () => {
    const { a } = await pair();
    const [link] = await a.diagnose(1_000);
    expect(link).toMatchObject({
      name: 'B',
      udp: { isReachable: true, error: '' },
      tcp: { isReachable: true, error: '' },
    });
    expect(link!.udp.roundTripMs).toBeGreaterThanOrEqual(0);
    const [again] = await a.diagnose(1_000);
    expect(again!.lastContactMs).toBeLessThan(5_000);
  });

  it('finds that datagrams are lost while streams arrive, and what is gone', async () => {
    const { a, b, net } = await pair();
    net.isDeaf = true;
    const [deaf] = await a.diagnose(300);
    expect(deaf).toMatchObject({ udp: { isReachable: false }, tcp: { isReachable: true } });
    expect(deaf!.udp.error).toContain('300 ms');
    await b.close();
    const [gone] = await a.diagnose(300);
    expect(gone).toMatchObject({ udp: { isReachable: false }, tcp: { isReachable: false } });
    expect(gone!.tcp.error).not.toBe('');
  });
});
