import { describe, expect, it } from 'vitest';
import type { Delivered } from '../cluster/hook.ts';
import { judge } from './cluster-judge.ts';

const from = (member: string, atMs: number, id = 'g'): Delivered => ({
  atMs,
  from: member,
  ids: [id],
  status: 'firing',
});
const run = (delivered: readonly Delivered[], killedAtMs?: number): boolean =>
  judge({
    posted: new Map([['g', 0]]),
    killed: killedAtMs === undefined ? [] : [{ atMs: killedAtMs, member: 'a' }],
    delivered,
    groupWaitMs: 1_000,
  }).isKept;

describe('the judge of a cluster', () => {
  it('takes one delivery in time', () => {
    expect(run([from('a', 1_050)])).toBe(true);
  });

  it('fails on none, on a second one and on a late one', () => {
    expect(run([])).toBe(false);
    expect(run([from('x', 1_050, 'other')])).toBe(false);
    expect(run([from('a', 1_050), from('b', 16_000)])).toBe(false);
    expect(run([from('a', 3_500)])).toBe(false);
  });

  it('takes a late one, but not a very late one, where a member was killed before it was due', () => {
    expect(run([from('b', 7_500)], 500)).toBe(true);
    expect(run([from('b', 9_500)], 500)).toBe(false);
  });

  it('takes a second one only of what a member delivered in its last moment', () => {
    expect(run([from('a', 1_050), from('b', 6_000)], 1_060)).toBe(true);
    expect(run([from('a', 1_050), from('b', 6_000)], 1_900)).toBe(false);
    expect(run([from('b', 1_050), from('c', 6_000)], 1_060)).toBe(false);
    expect(run([from('a', 1_050), from('b', 6_000), from('c', 6_001)], 1_060)).toBe(false);
  });
});
