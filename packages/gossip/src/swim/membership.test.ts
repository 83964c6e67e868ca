import { describe, expect, test } from 'vitest';
import { alive, BenchMember } from '../testing/bench-member.ts';
import type { Message } from '../wire/messages.ts';
import { pushedNodes, versionMismatch } from './membership.ts';
import { self } from './state.ts';

describe('claims', () => {
  test('about oneself are refuted with a higher incarnation within a gossip round', () => {
    const bench = new BenchMember('real', 1);
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
    const bench = new BenchMember('real', 1);
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
    const bench = new BenchMember('real', 1);
    bench.hear(alive('b', 2, 5));
    expect(bench.hear(alive('b', 2, 5))).toEqual([]);
    expect(bench.hear({ kind: 'suspect', incarnation: 4, node: 'b', from: 'a' })).toEqual([]);
    expect(bench.hear({ kind: 'dead', incarnation: 4, node: 'b', from: 'a' })).toEqual([]);
    expect(bench.member('b')).toBe('alive');
  });

  test('of incarnation zero never make a member', () => {
    const bench = new BenchMember('real', 1);
    bench.hear(alive('b', 2, 0));
    expect(bench.member('b')).toBe('dead');
  });

  test('of a member about its own end mean that it left', () => {
    const bench = new BenchMember('real', 1);
    bench.hear(alive('b', 2));
    bench.hear({ kind: 'dead', incarnation: 1, node: 'b', from: 'b' });
    expect(bench.member('b')).toBe('left');
    // Having left, it may come back at another address.
    bench.hear(alive('b', 7, 1));
    expect(bench.member('b')).toBe('alive');
    expect(bench.state.members.get('b')?.port).toBe(7);
  });

  test('in a list that somebody is dead are only a suspicion', () => {
    const bench = new BenchMember('real', 1);
    bench.hear(alive('b', 2));
    const { kind: _, ...b } = alive('b', 2);
    bench.do({ kind: 'merge', nodes: [{ ...b, state: 'dead' }] });
    expect(bench.member('b')).toBe('suspect');
    bench.hear(alive('b', 2, 2));
    expect(bench.member('b')).toBe('alive');
  });

  test('of versions that do not exist are ignored', () => {
    const bench = new BenchMember('real', 1);
    bench.hear({ ...alive('b', 2), versions: Uint8Array.of(0, 0, 0, 0, 0, 0) });
    bench.hear({ ...alive('c', 3), versions: Uint8Array.of(5, 1, 2, 0, 0, 0) });
    expect(bench.state.members.size).toBe(1);
  });
});

describe('a push/pull', () => {
  test('with a member that speaks nothing of ours is void', () => {
    const local = pushedNodes(new BenchMember('real', 1).state);
    const node = { ...local[0]!, node: 'odd', versions: new Uint8Array(0) };
    expect(versionMismatch(local, [node])).toBe(
      'node odd: protocol version (0) is incompatible: [1, 5]',
    );
    expect(versionMismatch(local, [{ ...local[0]!, node: 'fine' }])).toBeNull();
    expect(versionMismatch(local, [])).toBeNull();
  });
});

describe('leaving', () => {
  test('is told as often as the cluster asks, and then done', () => {
    const bench = new BenchMember('real', 1);
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
