import { describe, expect, test } from 'vitest';
import { alive, BenchMember } from '../testing/bench-member.ts';
import { encodeMessage } from '../wire/messages.ts';

test('a user message is gossiped behind membership and delivered once per arrival', () => {
  const bench = new BenchMember('real', 1);
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
  function told(bench: BenchMember): { to: number; bytes: number[] }[] {
    return bench.sent.flatMap(({ to, messages }) => {
      const bytes = messages.flatMap((one) => (one.kind === 'user' ? [one.data[0] ?? 0] : []));
      return bytes.length === 0 ? [] : [{ to, bytes }];
    });
  }

  test('go to every member at once, those of the same moment in one packet', () => {
    const bench = new BenchMember('real', 1);
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
    const bench = new BenchMember('real', 1);
    bench.hear(alive('b', 2));
    bench.run(3_000);
    bench.sent.length = 0;
    for (let i = 0; i < 1_000; i++) bench.do({ kind: 'news', data: new Uint8Array(500) });
    bench.run(3_100);
    expect(told(bench).length).toBe(1 + 16);
  });
});
