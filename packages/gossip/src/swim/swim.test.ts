import { SeededRandom } from '@pollux/base';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type AliveMessage, encodeMessage, type Message } from '../wire/messages.ts';
import { decodePacket, encodePacket } from '../wire/packet.ts';
import { BroadcastQueue, transmitLimit } from './broadcast-queue.ts';
import { LAN, type SwimConfig, VERSIONS } from './config.ts';
import { pushedNodes, versionMismatch } from './membership.ts';
import type { SwimAction, SwimEvent } from './protocol.ts';
import { createState, type SwimState, self } from './state.ts';
import { nextDueMs, step } from './step.ts';
import { confirm, suspect, suspicionEndMs } from './suspicion.ts';
import { UserQueue } from './user-queue.ts';

type Sent = { readonly atMs: number; readonly to: number; readonly messages: readonly Message[] };

/** One member on a bench: time moves by hand, what it does is kept. Members are named by their ports. */
class Bench {
  readonly state: SwimState;
  readonly sent: Sent[] = [];
  readonly actions: { readonly atMs: number; readonly action: SwimAction }[] = [];
  nowMs = 0;

  constructor(name: string, port: number, config: Partial<SwimConfig> = {}) {
    const identity = { name, address: ip(port), port };
    this.state = createState(identity, { ...LAN, ...config }, new SeededRandom(port), 0);
  }

  do(event: SwimEvent): SwimAction[] {
    const actions = step(this.state, event, this.nowMs);
    for (const action of actions) {
      this.actions.push({ atMs: this.nowMs, action });
      if (action.kind !== 'packet') continue;
      const packet = encodePacket(action.messages, {
        withChecksum: action.withChecksum,
        label: '',
      });
      expect(packet.length).toBeLessThanOrEqual(1_405);
      const { messages, errors } = decodePacket(packet, '');
      expect(errors).toEqual([]);
      this.sent.push({ atMs: this.nowMs, to: action.to.port, messages });
    }
    return actions;
  }

  hear(message: Message, fromPort = 9): SwimAction[] {
    return this.do({ kind: 'message', message, from: { address: ip(fromPort), port: fromPort } });
  }

  /** Runs to `untilMs`, ticking when something is due. */
  run(untilMs: number): void {
    for (;;) {
      const dueMs = nextDueMs(this.state);
      if (dueMs > untilMs) break;
      this.nowMs = Math.max(this.nowMs, dueMs);
      this.do({ kind: 'tick' });
    }
    this.nowMs = untilMs;
  }

  member(name: string): string | undefined {
    return this.state.members.get(name)?.state;
  }

  /** When a message of this kind about this member was first sent. */
  firstSent(kind: Message['kind'], node: string): number | undefined {
    return this.sent.find(({ messages }) =>
      messages.some(
        (message) => message.kind === kind && 'node' in message && message.node === node,
      ),
    )?.atMs;
  }

  first(kind: SwimAction['kind']): number | undefined {
    return this.actions.find(({ action }) => action.kind === kind)?.atMs;
  }
}

function ip(port: number): Uint8Array {
  return Uint8Array.of(10, 0, 0, port);
}

function alive(node: string, port: number, incarnation = 1): AliveMessage {
  return {
    kind: 'alive',
    node,
    port,
    incarnation,
    address: ip(port),
    meta: new Uint8Array(0),
    versions: VERSIONS,
  };
}

describe('a member that stops answering', () => {
  test('is pinged over TCP after 0.5 s, suspected after 1 s and dead 4 s later, as captured', () => {
    const bench = new Bench('real', 1);
    bench.hear(alive('fake-b', 2));
    bench.run(10_000);
    const lost = bench.firstSent('ping', 'fake-b') ?? Number.NaN;
    expect(bench.first('tcpPing')).toBeCloseTo(lost + 500);
    expect(bench.firstSent('suspect', 'fake-b')! - lost).toBeGreaterThanOrEqual(1_000);
    expect(bench.firstSent('suspect', 'fake-b')! - lost).toBeLessThanOrEqual(1_200);
    expect(bench.first('left')! - lost).toBeCloseTo(5_000);
    expect(bench.member('fake-b')).toBe('dead');
  });

  test('is told that it is suspected with the very next ping', () => {
    const bench = new Bench('real', 1);
    bench.hear(alive('fake-b', 2));
    bench.run(3_500);
    const both = bench.sent.filter(
      ({ to, messages }) =>
        to === 2 && messages[0]?.kind === 'ping' && messages[1]?.kind === 'suspect',
    );
    expect(both.length).toBeGreaterThan(0);
  });

  test('is asked for through others, with nacks', () => {
    const bench = new Bench('real', 1);
    bench.hear(alive('fake-b', 2));
    bench.hear(alive('fake-a', 3));
    bench.run(10_000);
    const asked = bench.sent.find(({ messages }) => messages[0]?.kind === 'indirectPing');
    expect(asked?.messages[0]).toMatchObject({ wantsNack: true });
  });

  test('stays when it answers over TCP only', () => {
    const bench = new Bench('real', 1);
    bench.hear(alive('fake-b', 2));
    for (let ms = 0; ms < 60_000; ms += 10) {
      bench.run(ms);
      const ping = bench.actions.at(-1)?.action;
      if (ping?.kind === 'tcpPing') bench.do({ kind: 'tcpPong', sequence: ping.sequence });
    }
    expect(bench.member('fake-b')).toBe('alive');
    expect(bench.first('log')).toBeDefined();
  });

  test('stays when it answers', () => {
    const bench = new Bench('real', 1);
    bench.hear(alive('fake-b', 2));
    let answered = 0;
    for (let ms = 0; ms < 30_000; ms += 10) {
      bench.run(ms);
      for (const { messages } of bench.sent.slice(answered)) {
        const [message] = messages;
        if (message?.kind === 'ping') bench.hear({ kind: 'ack', sequence: message.sequence }, 2);
      }
      answered = bench.sent.length;
    }
    expect(bench.member('fake-b')).toBe('alive');
    expect(bench.first('tcpPing')).toBeUndefined();
    expect(bench.actions.filter(({ action }) => action.kind === 'pong').length).toBeGreaterThan(25);
  });

  test('is forgotten when it has been dead for half a minute, and may then come back elsewhere', () => {
    const bench = new Bench('real', 1);
    bench.hear(alive('fake-b', 2));
    bench.hear({ kind: 'dead', incarnation: 1, node: 'fake-b', from: 'fake-a' });
    expect(bench.hear(alive('fake-b', 5, 2))).toMatchObject([{ kind: 'conflict' }]);
    bench.run(29_000);
    expect(bench.member('fake-b')).toBe('dead');
    bench.run(33_000);
    expect(bench.member('fake-b')).toBeUndefined();
    bench.hear(alive('fake-b', 5, 1));
    expect(bench.member('fake-b')).toBe('alive');
  });
});

describe('claims', () => {
  test('about oneself are refuted with a higher incarnation within a gossip round', () => {
    const bench = new Bench('real', 1);
    bench.hear(alive('fake-a', 3));
    bench.run(5_000);
    bench.sent.length = 0;
    bench.hear({ kind: 'suspect', incarnation: 1, node: 'real', from: 'fake-a' });
    expect(self(bench.state).state).toBe('alive');
    bench.run(5_250);
    const said = bench.sent.flatMap(({ messages }) => messages);
    expect(said).toContainEqual(alive('real', 1, 2));
    bench.hear({ kind: 'dead', incarnation: 40, node: 'real', from: 'fake-a' });
    expect(self(bench.state).incarnation).toBe(41);
    bench.hear({ ...alive('real', 1, 50), meta: Uint8Array.of(1) });
    expect(self(bench.state).incarnation).toBe(51);
  });

  test('about oneself that have been answered are answered once more', () => {
    const bench = new Bench('real', 1);
    bench.hear(alive('b', 2));
    const answer = (): Message | undefined =>
      bench.sent
        .flatMap(({ messages }) => messages)
        .find((message) => message.kind === 'alive' && message.node === 'real');
    bench.hear({ kind: 'suspect', incarnation: 1, node: 'real', from: 'b' });
    bench.run(3_000);
    expect(answer()).toEqual(alive('real', 1, 2));
    bench.sent.length = 0;
    bench.hear({ kind: 'suspect', incarnation: 1, node: 'real', from: 'b' });
    bench.run(3_250);
    expect(answer()).toEqual(alive('real', 1, 2));
    expect(self(bench.state).incarnation).toBe(2);
  });

  test('that are older than what is known change nothing', () => {
    const bench = new Bench('real', 1);
    bench.hear(alive('b', 2, 5));
    expect(bench.hear(alive('b', 2, 5))).toEqual([]);
    expect(bench.hear({ kind: 'suspect', incarnation: 4, node: 'b', from: 'a' })).toEqual([]);
    expect(bench.hear({ kind: 'dead', incarnation: 4, node: 'b', from: 'a' })).toEqual([]);
    expect(bench.member('b')).toBe('alive');
  });

  test('of incarnation zero never make a member', () => {
    const bench = new Bench('real', 1);
    bench.hear(alive('b', 2, 0));
    expect(bench.member('b')).toBe('dead');
  });

  test('of a member about its own end mean that it left', () => {
    const bench = new Bench('real', 1);
    bench.hear(alive('b', 2));
    bench.hear({ kind: 'dead', incarnation: 1, node: 'b', from: 'b' });
    expect(bench.member('b')).toBe('left');
    // Having left, it may come back at another address.
    bench.hear(alive('b', 7, 1));
    expect(bench.member('b')).toBe('alive');
    expect(bench.state.members.get('b')?.port).toBe(7);
  });

  test('in a list that somebody is dead are only a suspicion', () => {
    const bench = new Bench('real', 1);
    bench.hear(alive('b', 2));
    const { kind: _, ...b } = alive('b', 2);
    bench.do({ kind: 'merge', nodes: [{ ...b, state: 'dead' }] });
    expect(bench.member('b')).toBe('suspect');
    bench.hear(alive('b', 2, 2));
    expect(bench.member('b')).toBe('alive');
  });

  test('of versions that do not exist are ignored', () => {
    const bench = new Bench('real', 1);
    bench.hear({ ...alive('b', 2), versions: Uint8Array.of(0, 0, 0, 0, 0, 0) });
    bench.hear({ ...alive('c', 3), versions: Uint8Array.of(5, 1, 2, 0, 0, 0) });
    expect(bench.state.members.size).toBe(1);
  });
});

describe('a push/pull', () => {
  test('with a member that speaks nothing of ours is void', () => {
    const local = pushedNodes(new Bench('real', 1).state);
    const node = { ...local[0]!, node: 'odd', versions: new Uint8Array(0) };
    expect(versionMismatch(local, [node])).toBe(
      'node odd: protocol version (0) is incompatible: [1, 5]',
    );
    expect(versionMismatch(local, [{ ...local[0]!, node: 'fine' }])).toBeNull();
    expect(versionMismatch(local, [])).toBeNull();
  });
});

describe('pings', () => {
  test('for somebody else are not answered, for nobody in particular they are', () => {
    const bench = new Bench('real', 1);
    const ping = { kind: 'ping', sequence: 7, source: null } as const;
    bench.hear({ ...ping, node: 'other' });
    expect(bench.sent).toEqual([]);
    bench.hear({ ...ping, node: '' }, 9);
    bench.hear({ ...ping, node: 'real', source: { address: ip(4), port: 4, name: 'x' } }, 9);
    expect(bench.sent.map(({ to }) => to)).toEqual([9, 4]);
    expect(bench.sent[0]?.messages[0]).toEqual({ kind: 'ack', sequence: 7 });
  });

  test('for others are passed on, and their answers back', () => {
    const bench = new Bench('real', 1);
    const request = {
      kind: 'indirectPing',
      node: 'far',
      target: ip(8),
      port: 8,
      wantsNack: true,
      source: { address: ip(4), port: 4, name: 'asker' },
    } as const;
    bench.hear({ ...request, sequence: 70 });
    const [passed] = bench.sent;
    expect(passed).toMatchObject({ to: 8, messages: [{ kind: 'ping', node: 'far' }, {}] });
    bench.hear(
      { kind: 'ack', sequence: (passed!.messages[0] as { sequence: number }).sequence },
      8,
    );
    expect(bench.sent[1]).toMatchObject({ to: 4, messages: [{ kind: 'ack', sequence: 70 }, {}] });
    bench.hear({ ...request, sequence: 71 });
    bench.run(600);
    const nacks = bench.sent.filter(({ messages }) => messages[0]?.kind === 'nack');
    expect(nacks).toMatchObject([{ to: 4, messages: [{ sequence: 71 }, {}] }]);
  });

  test('wait longer for an answer while oneself is in doubt, and never overlap', () => {
    const bench = new Bench('real', 1);
    bench.hear(alive('b', 2));
    bench.state.health = 3;
    bench.run(15_000);
    const pings = bench.sent.filter(({ messages }) => messages[0]?.kind === 'ping');
    const [first, second] = pings.map(({ atMs }) => atMs);
    expect(second! - first!).toBeCloseTo(4_000);
  });

  test('that others could not make either are held against oneself', () => {
    const bench = new Bench('real', 1);
    for (const port of [2, 3, 4, 5]) bench.hear(alive(`m${port}`, port));
    bench.run(3_000);
    expect(bench.state.health).toBeGreaterThan(0);
    expect(bench.state.health).toBeLessThan(LAN.awarenessMax);
  });
});

describe('suspicion', () => {
  test.each([
    [2, 4_000, 4_000],
    [3, 4_000, 4_000],
    [4, 24_000, 4_000],
    [10, 24_000, 4_000],
    [100, 48_000, 8_000],
  ])('among %i members lasts %i ms alone and %i ms when confirmed', (count, alone, confirmed) => {
    const suspicion = suspect(LAN, count, 'a', 1_000);
    expect(suspicionEndMs(suspicion)).toBe(1_000 + alone);
    confirm(suspicion, 'a');
    expect(suspicionEndMs(suspicion)).toBe(1_000 + alone);
    confirm(suspicion, 'b');
    confirm(suspicion, 'c');
    expect(suspicionEndMs(suspicion)).toBe(1_000 + confirmed);
    expect(confirm(suspicion, 'd')).toBe(false);
  });
});

describe('the queue of broadcasts', () => {
  test.each([
    [1, 4],
    [2, 4],
    [9, 4],
    [10, 8],
    [99, 8],
    [100, 12],
  ])('sends a message in a cluster of %i members %i times', (count, times) => {
    expect(transmitLimit(4, count)).toBe(times);
    const queue = new BroadcastQueue(4);
    let spent = 0;
    queue.push(Uint8Array.of(1), 'x', () => spent++);
    for (let i = 0; i < times; i++) expect(queue.take(count, 2, 100).length).toBe(1);
    expect([spent, queue.size]).toEqual([1, 0]);
  });

  test('sends the least sent first, then the longest, then the newest', () => {
    const queue = new BroadcastQueue(4);
    queue.push(Uint8Array.of(1), 'a');
    queue.take(3, 0, 1);
    for (const [name, message] of Object.entries({ b: [2], c: [3, 3], d: [4] })) {
      queue.push(Uint8Array.from(message), name);
    }
    expect(queue.take(3, 0, 100).map((message) => message[0])).toEqual([3, 4, 2, 1]);
  });

  test('keeps one message about a member', () => {
    const queue = new BroadcastQueue(4);
    queue.push(Uint8Array.of(1), 'x');
    queue.push(Uint8Array.of(2), 'x');
    expect(queue.take(3, 0, 100).map((message) => message[0])).toEqual([2]);
  });
});

describe('the queue of user messages', () => {
  test('sends the least sent first, and among these the oldest', () => {
    const queue = new UserQueue(3);
    for (const byte of [1, 2, 3]) queue.push(Uint8Array.of(byte));
    const round = (): number[] => queue.take(3, 0, 2).map((message) => message[0] ?? 0);
    expect(round()).toEqual([1, 2]);
    queue.push(Uint8Array.of(4));
    expect([round(), round(), round()]).toEqual([
      [3, 4],
      [1, 2],
      [3, 4],
    ]);
    expect([round(), round(), round()]).toEqual([[1, 2], [3, 4], []]);
    expect(queue.size).toBe(0);
  });

  test('drops those that were sent most when there are too many', () => {
    const queue = new UserQueue(3);
    for (const byte of [1, 2, 3]) queue.push(Uint8Array.of(byte));
    queue.take(3, 0, 1);
    expect([queue.prune(2), queue.size]).toEqual([1, 2]);
    expect(queue.take(3, 0, 100)).toEqual([Uint8Array.of(2), Uint8Array.of(3)]);
    expect(queue.prune(2)).toBe(0);
  });

  test('never gives more than its budget, none twice in a packet, and each as often as asked', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 300 }), { maxLength: 150 }),
        fc.integer({ min: 302, max: 1_400 }),
        (lengths, budget) => {
          const queue = new UserQueue(3);
          const times = new Map<Uint8Array, number>();
          for (const length of lengths) {
            const message = new Uint8Array(length);
            times.set(message, 0);
            queue.push(message);
          }
          while (queue.size > 0) {
            const taken = queue.take(3, 2, budget);
            const cost = taken.reduce((sum, message) => sum + message.length + 2, 0);
            expect(cost).toBeLessThanOrEqual(budget);
            expect(taken.length).toBeGreaterThan(0);
            expect(new Set(taken).size).toBe(taken.length);
            for (const message of taken) times.set(message, (times.get(message) ?? 0) + 1);
          }
          expect([...times.values()].every((count) => count === 3)).toBe(true);
        },
      ),
    );
  });
});

describe('leaving', () => {
  test('is told as often as the cluster asks, and then done', () => {
    const bench = new Bench('real', 1);
    for (const port of [2, 3]) bench.hear(alive(`m${port}`, port));
    bench.run(3_000);
    bench.sent.length = 0;
    bench.do({ kind: 'leave' });
    bench.run(4_500);
    const goodbyes = bench.sent.filter(({ messages }) =>
      messages.some((message) => message.kind === 'dead' && message.node === message.from),
    );
    expect(goodbyes.length).toBe(4);
    expect(bench.first('leaveDone')).toBeGreaterThan(3_000);
    expect(bench.hear(alive('m4', 4))).toEqual([]);
  });
});

describe('many members on a lossy wire', () => {
  /** Steps all members over one list of packets in flight; push/pulls and TCP pings arrive unless the target is down. */
  class Wire {
    readonly random: SeededRandom;
    readonly benches: Bench[];
    readonly down = new Set<number>();
    readonly loss: number;
    #flight: { atMs: number; to: number; from: number; messages: readonly Uint8Array[] }[] = [];

    constructor(seed: number, count: number, loss: number) {
      this.random = new SeededRandom(seed);
      this.loss = loss;
      this.benches = Array.from({ length: count }, (_, i) => new Bench(`m${i + 1}`, i + 1));
    }

    run(fromMs: number, untilMs: number): void {
      for (let ms = fromMs; ms <= untilMs; ms += 10) {
        const arrived = this.#flight.filter((packet) => packet.atMs <= ms);
        this.#flight = this.#flight.filter((packet) => packet.atMs > ms);
        for (const packet of arrived) this.#arrive(packet, ms);
        for (const bench of this.benches) {
          if (this.down.has(self(bench.state).port)) continue;
          bench.nowMs = ms;
          if (nextDueMs(bench.state) <= ms)
            this.#act(bench, step(bench.state, { kind: 'tick' }, ms));
        }
      }
    }

    exchange(a: Bench, b: Bench): void {
      const [fromA, fromB] = [pushedNodes(a.state), pushedNodes(b.state)];
      this.#act(b, step(b.state, { kind: 'merge', nodes: fromA }, a.nowMs));
      this.#act(a, step(a.state, { kind: 'merge', nodes: fromB }, a.nowMs));
    }

    #arrive(
      packet: { to: number; from: number; messages: readonly Uint8Array[] },
      ms: number,
    ): void {
      const bench = this.benches[packet.to - 1];
      if (bench === undefined || this.down.has(packet.to)) return;
      const from = { address: ip(packet.from), port: packet.from };
      const data = encodePacket(packet.messages, { withChecksum: true, label: '' });
      for (const message of decodePacket(data, '').messages) {
        this.#act(bench, step(bench.state, { kind: 'message', message, from }, ms));
      }
    }

    #act(bench: Bench, actions: readonly SwimAction[]): void {
      for (const action of actions) {
        if (action.kind === 'packet' && this.random.next() >= this.loss) {
          const atMs = bench.nowMs + 10 + this.random.below(90);
          const from = self(bench.state).port;
          this.#flight.push({ atMs, to: action.to.port, from, messages: action.messages });
        }
        const to = 'to' in action ? action.to.port : 0;
        const other = this.benches[to - 1];
        if (other === undefined || this.down.has(to)) continue;
        if (action.kind === 'pushPull') this.exchange(bench, other);
        if (action.kind === 'tcpPing') {
          step(bench.state, { kind: 'tcpPong', sequence: action.sequence }, bench.nowMs);
        }
      }
    }

    /** Who is alive or suspected, as each running member sees it. */
    views(): string[][] {
      return this.benches
        .filter((bench) => !this.down.has(self(bench.state).port))
        .map(({ state }) =>
          [...state.members.values()]
            .filter((member) => member.state === 'alive' || member.state === 'suspect')
            .map((member) => member.name)
            .sort(),
        );
    }
  }

  test('agree who is there, after joining through one and after losing some', () => {
    fc.assert(
      fc.property(
        fc.integer(),
        fc.integer({ min: 2, max: 12 }),
        fc.double({ min: 0, max: 0.3, noNaN: true }),
        (seed, count, loss) => {
          const wire = new Wire(seed, count, loss);
          const [first, ...others] = wire.benches;
          for (const bench of others) wire.exchange(bench, first!);
          wire.run(0, 70_000);
          const all = wire.benches.map(({ state }) => state.name).sort();
          for (const view of wire.views()) expect(view).toEqual(all);
          const lost = wire.benches.slice(0, Math.floor(count / 3)).map(({ state }) => state);
          for (const state of lost) wire.down.add(self(state).port);
          const rest = all.filter((name) => !lost.some((state) => state.name === name));
          wire.run(70_010, 200_000);
          for (const view of wire.views()) expect(view).toEqual(rest);
        },
      ),
      { numRuns: 12 },
    );
  });
});

test('a user message is gossiped behind membership and delivered once per arrival', () => {
  const bench = new Bench('real', 1);
  bench.hear(alive('b', 2));
  bench.run(3_000);
  bench.sent.length = 0;
  bench.do({ kind: 'broadcast', data: Uint8Array.of(1, 2, 3) });
  bench.run(4_500);
  const copies = bench.sent.flatMap(({ messages }) =>
    messages.filter(({ kind }) => kind === 'user'),
  );
  expect(copies.length).toBe(3);
  expect(encodeMessage(copies[0]!)).toEqual(Uint8Array.of(8, 1, 2, 3));
  expect(bench.hear({ kind: 'user', data: Uint8Array.of(9) })).toEqual([
    { kind: 'deliver', data: Uint8Array.of(9), from: expect.anything() },
  ]);
});

describe('news', () => {
  function told(bench: Bench): { to: number; bytes: number[] }[] {
    return bench.sent.flatMap(({ to, messages }) => {
      const bytes = messages.flatMap((one) => (one.kind === 'user' ? [one.data[0] ?? 0] : []));
      return bytes.length === 0 ? [] : [{ to, bytes }];
    });
  }

  test('go to every member at once, those of the same moment in one packet', () => {
    const bench = new Bench('real', 1);
    for (const index of [2, 3]) bench.hear(alive(`m${index}`, index));
    bench.run(3_000);
    bench.sent.length = 0;
    for (const byte of [1, 2, 3]) bench.do({ kind: 'news', data: Uint8Array.of(byte) });
    expect(told(bench).map(({ bytes }) => bytes)).toEqual([[1], [1]]);
    expect(new Set(told(bench).map(({ to }) => to)).size).toBe(2);
    bench.run(3_010);
    expect(
      told(bench)
        .slice(2)
        .map(({ bytes }) => bytes),
    ).toEqual([
      [2, 3],
      [2, 3],
    ]);
    bench.run(6_000);
    expect(told(bench).length).toBe(4);
  });

  test('of one moment are so many packets at most', () => {
    const bench = new Bench('real', 1);
    bench.hear(alive('b', 2));
    bench.run(3_000);
    bench.sent.length = 0;
    for (let i = 0; i < 1_000; i++) bench.do({ kind: 'news', data: new Uint8Array(500) });
    bench.run(3_100);
    expect(told(bench).length).toBe(1 + 16);
  });
});

describe('a member that refuses connections', () => {
  test('is pinged out of turn, but others still have theirs', () => {
    const bench = new Bench('real', 1);
    for (let index = 2; index < 12; index++) bench.hear(alive(`m${index}`, index));
    const pings = new Map<string, number>();
    let seen = 0;
    const answerUntil = (untilMs: number): void => {
      for (let ms = bench.nowMs; ms <= untilMs; ms += 10) {
        bench.run(ms);
        for (const { messages } of bench.sent.slice(seen)) {
          const [message] = messages;
          if (message?.kind !== 'ping') continue;
          pings.set(message.node, (pings.get(message.node) ?? 0) + 1);
          bench.hear({ kind: 'ack', sequence: message.sequence });
        }
        seen = bench.sent.length;
      }
    };
    answerUntil(3_300);
    const next = [...bench.state.probeOrder].at(bench.state.probeIndex + 3) ?? '';
    pings.clear();
    bench.do({ kind: 'doubt', node: next });
    answerUntil(3_310);
    expect([...pings]).toEqual([[next, 1]]);
    while (bench.nowMs < 30_000) {
      bench.do({ kind: 'doubt', node: next });
      answerUntil(bench.nowMs + 50);
    }
    expect(pings.size).toBe(10);
    expect(pings.get(next)).toBeLessThan(20);
  });
});
