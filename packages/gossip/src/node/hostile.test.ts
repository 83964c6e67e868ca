import { createSocket } from 'node:dgram';
import { connect, type Socket } from 'node:net';
import { nodeEnv } from '@pollux/base/node';
import { Log, Registry, renderText } from '@pollux/telemetry';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { VERSIONS } from '../swim/config.ts';
import { encodeMessage, type Message } from '../wire/messages.ts';
import { deflate, encodePacket } from '../wire/packet.ts';
import { encodePart } from '../wire/part.ts';
import { encodeStream, StreamDecoder } from '../wire/stream.ts';
import { GossipNode } from './gossip-node.ts';

const TCP_TIMEOUT_MS = 300;
/** More than the buffers of both sockets hold. */
const LARGE_STATE = new Uint8Array(16 * 1024 * 1024).map((_, at) => (at * 2_654_435_761) >>> 24);

/** A member on loopback under attack, over real sockets. */
describe('a member', { timeout: 30_000 }, () => {
  let node: GossipNode;
  let registry: Registry;
  let port: number;
  let state: Uint8Array;
  const sockets = new Set<Socket>();

  beforeEach(async () => {
    registry = new Registry();
    state = new Uint8Array(0);
    node = new GossipNode({
      env: nodeEnv(),
      log: Log.silent(),
      registry,
      listen: { host: '127.0.0.1', port: 0 },
      peers: [],
      name: 'victim',
      times: { tcpTimeoutMs: TCP_TIMEOUT_MS },
    });
    node.addState('sil', { marshal: () => state, merge: () => {} });
    await node.start();
    port = node.address?.port ?? 0;
  });

  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
    await node.close();
  });

  test('answers pings after any packets, and counts what it refused', async () => {
    const udp = createSocket('udp4');
    const send = (packet: Uint8Array): Promise<void> =>
      new Promise((resolve) => udp.send(packet, port, '127.0.0.1', () => resolve()));
    const honest = encodePacket([encodeMessage(alive('a', 1)), encodeMessage(ping)], {
      withChecksum: true,
      label: '',
    });
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 2_000 }),
      fc.nat({ max: honest.length }).map((length) => honest.slice(0, length)),
      fc.tuple(fc.nat({ max: honest.length - 1 }), fc.nat({ max: 255 })).map(([at, byte]) => {
        const changed = honest.slice();
        changed[at] = byte;
        return changed;
      }),
      fc.uint8Array({ maxLength: 500 }).map((body) => deflate(body)),
      fc.uint8Array({ maxLength: 300 }).map((data) => userPacket(encodePart({ key: 'sil', data }))),
      fc.uint8Array({ maxLength: 300 }).map(userPacket),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(bytes, { maxLength: 20 }), async (packets) => {
        for (const packet of packets) await send(packet);
        await answersPing();
      }),
      { numRuns: 60 },
    );
    await send(deflate(new Uint8Array(60_000_0)));
    await send(new Uint8Array(65_000).fill(7));
    await answersPing();
    expect(refused()).toBeGreaterThan(100);
    udp.close();
  });

  test('knows a bounded number of members, whatever is made up', async () => {
    const udp = createSocket('udp4');
    for (let at = 0; at < 6_000; at += 12) {
      const made = Array.from({ length: 12 }, (_, i) => encodeMessage(alive(`m${at + i}`, at + i)));
      const packet = encodePacket(made, { withChecksum: false, label: '' });
      await new Promise<void>((resolve) => udp.send(packet, port, '127.0.0.1', () => resolve()));
      if (at % 600 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    udp.close();
    await answersPing();
    expect(node.peers().length).toBeGreaterThan(1_000);
    expect(node.peers().length).toBeLessThanOrEqual(4_096);
    expect(node.peers().some(({ name }) => name === 'victim')).toBe(true);
  });

  test('cuts a stream that trickles or stays silent', async () => {
    const [silent, trickle] = await Promise.all([dial(), dial()]);
    const join = encodeStream({ kind: 'pushPull', isJoin: true, nodes: [], userState: state });
    const startMs = performance.now();
    let at = 0;
    const timer = setInterval(() => {
      if (at < join.length - 1) trickle.write(join.subarray(at, ++at));
    }, TCP_TIMEOUT_MS / 2);
    silent.resume();
    trickle.resume();
    await Promise.all([closed(silent), closed(trickle)]);
    clearInterval(timer);
    expect(performance.now() - startMs).toBeLessThan(10 * TCP_TIMEOUT_MS);
    expect(refused()).toBeGreaterThanOrEqual(2);
    await answersPing();
  });

  test('lets go of one that asks for a large state and never reads it', async () => {
    state = LARGE_STATE;
    const before = refused();
    const join = encodeStream({ kind: 'pushPull', isJoin: true, nodes: [], userState: state });
    const asker = await dial();
    asker.pause();
    asker.write(join);
    const endMs = performance.now() + 15_000;
    while (refused() === before) {
      expect(performance.now()).toBeLessThan(endMs);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await answersPing();
  });

  test('serves others while one holds as many connections as it may', async () => {
    const held = await Promise.all(Array.from({ length: 200 }, () => dial()));
    for (const socket of held) socket.resume();
    await Promise.all(held.map(closed));
    expect(refused()).toBeGreaterThanOrEqual(72);
    await answersPing();
  });

  test('answers over TCP after streams of garbage', async () => {
    const join = encodeStream({ kind: 'pushPull', isJoin: true, nodes: [], userState: state });
    const bytes = fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 1_000 }),
      fc.tuple(fc.nat({ max: join.length - 1 }), fc.nat({ max: 255 })).map(([at, byte]) => {
        const changed = join.slice();
        changed[at] = byte;
        return changed;
      }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(bytes, { maxLength: 8 }), async (streams) => {
        await Promise.all(
          streams.map(async (stream) => {
            const socket = await dial();
            socket.resume();
            socket.end(stream);
            await closed(socket);
          }),
        );
      }),
      { numRuns: 30 },
    );
    await answersPing();
  });

  /** Over TCP, where nothing is lost. */
  async function answersPing(): Promise<void> {
    const socket = await dial();
    const decoder = new StreamDecoder(null);
    const answer = new Promise((resolve, reject) => {
      socket.on('data', (data) => {
        decoder.push(data);
        const message = decoder.next();
        if (message !== null) resolve(message);
      });
      socket.once('close', () => reject(new Error('no answer to a ping')));
    });
    socket.write(encodeStream(ping));
    expect(await answer).toMatchObject({ kind: 'ack', sequence: 77 });
  }

  function refused(): number {
    let sum = 0;
    for (const line of renderText(registry.gather()).split('\n')) {
      if (line.startsWith('alertmanager_cluster_refused_input_total')) {
        sum += Number(line.split(' ').at(-1));
      }
    }
    return sum;
  }

  function dial(): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }, () => {
        socket.off('error', reject);
        socket.on('error', () => {});
        resolve(socket);
      });
      socket.once('error', reject);
      sockets.add(socket);
    });
  }

  function closed(socket: Socket): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        socket.destroy();
        resolve();
      };
      socket.once('end', end);
      socket.once('close', end);
      if (socket.destroyed || socket.readableEnded) end();
    });
  }
});

const ping = { kind: 'ping', sequence: 77, node: 'victim', source: null } as const;

function alive(node: string, index: number): Message {
  return {
    kind: 'alive',
    node,
    address: Uint8Array.of(127, 0, index >> 8, index & 255),
    port: 9,
    meta: new Uint8Array(0),
    versions: VERSIONS,
    incarnation: 1,
  };
}

function userPacket(data: Uint8Array): Uint8Array {
  return encodePacket([encodeMessage({ kind: 'user', data })], { withChecksum: false, label: '' });
}
