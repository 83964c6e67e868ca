import { describe, expect, test } from 'vitest';
import { alive, BenchMember, ip } from '../testing/bench-member.ts';
import { LAN } from './config.ts';

describe('a member that stops answering', () => {
  test('is pinged over TCP after 0.5 s, suspected after 1 s and dead 4 s later, as captured', () => {
    const bench = new BenchMember('real', 1);
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
    const bench = new BenchMember('real', 1);
    bench.hear(alive('fake-b', 2));
    bench.run(3_500);
    const both = bench.sent.filter(
      ({ to, messages }) =>
        to === 2 && messages[0]?.kind === 'ping' && messages[1]?.kind === 'suspect',
    );
    expect(both.length).toBeGreaterThan(0);
  });

  test('is asked for through others, with nacks', () => {
    const bench = new BenchMember('real', 1);
    bench.hear(alive('fake-b', 2));
    bench.hear(alive('fake-a', 3));
    bench.run(10_000);
    const asked = bench.sent.find(({ messages }) => messages[0]?.kind === 'indirectPing');
    expect(asked?.messages[0]).toMatchObject({ wantsNack: true });
  });

  test('stays when it answers over TCP only', () => {
    const bench = new BenchMember('real', 1);
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
    const bench = new BenchMember('real', 1);
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
    const bench = new BenchMember('real', 1);
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

describe('pings', () => {
  test('for somebody else are not answered, for nobody in particular they are', () => {
    const bench = new BenchMember('real', 1);
    const ping = { kind: 'ping', sequence: 7, source: null } as const;
    bench.hear({ ...ping, node: 'other' });
    expect(bench.sent).toEqual([]);
    bench.hear({ ...ping, node: '' }, 9);
    bench.hear({ ...ping, node: 'real', source: { address: ip(4), port: 4, name: 'x' } }, 9);
    expect(bench.sent.map(({ to }) => to)).toEqual([9, 4]);
    expect(bench.sent[0]?.messages[0]).toEqual({ kind: 'ack', sequence: 7 });
  });

  test('for others are passed on, and their answers back', () => {
    const bench = new BenchMember('real', 1);
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
    const bench = new BenchMember('real', 1);
    bench.hear(alive('b', 2));
    bench.state.health = 3;
    bench.run(15_000);
    const pings = bench.sent.filter(({ messages }) => messages[0]?.kind === 'ping');
    const [first, second] = pings.map(({ atMs }) => atMs);
    expect(second! - first!).toBeCloseTo(4_000);
  });

  test('that others could not make either are held against oneself', () => {
    const bench = new BenchMember('real', 1);
    for (const port of [2, 3, 4, 5]) bench.hear(alive(`m${port}`, port));
    bench.run(3_000);
    expect(bench.state.health).toBeGreaterThan(0);
    expect(bench.state.health).toBeLessThan(LAN.awarenessMax);
  });
});

describe('a member that refuses connections', () => {
  test('is pinged out of turn, but others still have theirs', () => {
    const bench = new BenchMember('real', 1);
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
