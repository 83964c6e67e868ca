import { VirtualClock } from '@pollux/base';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { FakeCluster, type FakeMember } from '../testing/fake-cluster.ts';
import { START_MS, TestNode } from '../testing/world.ts';
import { type Answer, decodeDoctorMessages, encodeDoctorMessage } from './codec.ts';

const CONFIG =
  "route: {receiver: x}\nreceivers: [{name: x, webhook_configs: [{url: 'http://x/'}]}]";
const nodes: TestNode[] = [];

afterEach(async () => {
  for (const node of nodes.splice(0)) {
    await node.close();
    node.removeDirectory();
  }
});

function pair(): { a: TestNode; b: TestNode; members: [FakeMember, FakeMember] } {
  const clock = new VirtualClock(START_MS);
  const cluster = new FakeCluster(clock, { delayMs: 200 });
  const members = [cluster.join('A'), cluster.join('B')] as [FakeMember, FakeMember];
  const [a, b] = members.map((member, seed) => {
    const node = new TestNode({ config: CONFIG, clock, cluster: member, seed: seed + 1 });
    nodes.push(node);
    return node;
  }) as [TestNode, TestNode];
  return { a, b, members };
}

async function doctor(node: TestNode): Promise<unknown> {
  const asked = node.request('GET', '/api/v3/doctor');
  await node.advance(6);
  return (await asked).json;
}

describe('the doctor', () => {
  it('finds a healthy pair healthy, in both directions, with versions and clocks', async () => {
    const { a } = pair();
    await a.advance(1);
    expect(await doctor(a)).toMatchObject({
      member: 'A',
      position: 0,
      problems: [],
      members: [
        {
          name: 'B',
          to: { udp: { isReachable: true, roundTripMs: 1 }, tcp: { isReachable: true } },
          from: { udp: { isReachable: true, roundTripMs: 1 }, tcp: { isReachable: true } },
          version: '0.1.0',
          clock: { aheadMs: 0, uncertaintyMs: 200 },
        },
      ],
    });
  });

  it('tells that UDP is blocked in one direction only', async () => {
    const { a, b, members } = pair();
    await a.advance(1);
    members[0].isUdpBlocked = true;
    expect(await doctor(a)).toMatchObject({
      members: [
        {
          to: { udp: { isReachable: true } },
          from: { udp: { isReachable: false }, tcp: { isReachable: true } },
        },
      ],
      problems: ['B does not reach this member over UDP: no answer within 2000 ms'],
    });
    await a.advance(5);
    expect(await doctor(b)).toMatchObject({
      problems: ['A is not reached over UDP: no answer within 2000 ms'],
    });
  });

  it('does not wait for ever for a member that is cut off, and knows nothing of what it sees', async () => {
    const { a, members } = pair();
    await a.advance(1);
    members[1].isCutOff = true;
    expect(await doctor(a)).toMatchObject({
      members: [{ to: { tcp: { isReachable: false } }, from: 'unknown', clock: 'unknown' }],
    });
  });

  it('is content alone', async () => {
    const node = new TestNode({ config: CONFIG });
    nodes.push(node);
    const answer = await node.request('GET', '/api/v3/doctor');
    expect(answer.json).toMatchObject({ clusterStatus: 'disabled', members: [], problems: [] });
  });
});

describe('the messages of the doctor', () => {
  const way = fc.record({
    isReachable: fc.boolean(),
    roundTripMs: fc.option(fc.integer({ min: 0, max: 1e7 }).map((us) => us / 1000)),
    error: fc.string({ maxLength: 50 }),
  });
  const answer: fc.Arbitrary<Answer> = fc.record({
    kind: fc.constant('answer' as const),
    id: fc.string({ minLength: 1 }),
    member: fc.string({ minLength: 1 }),
    version: fc.string(),
    receivedMs: fc.integer({ min: 0, max: 4e12 }),
    sentMs: fc.integer({ min: 0, max: 4e12 }),
    links: fc.array(fc.record({ name: fc.string({ minLength: 1 }), udp: way, tcp: way }), {
      maxLength: 4,
    }),
  });

  it('are read as they were written', () => {
    fc.assert(
      fc.property(answer, (message) => {
        expect(decodeDoctorMessages(encodeDoctorMessage(message))).toEqual([message]);
      }),
    );
  });

  it('that are garbage are refused', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 50 }), (data) => {
        try {
          decodeDoctorMessages(data);
        } catch (error) {
          expect((error as Error).name).toBe('DecodeError');
        }
      }),
    );
  });
});
