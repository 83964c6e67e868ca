import { describe, expect, it } from 'vitest';
import type { Delivered } from '../cluster/hook.ts';
import { evidenceOf } from './cluster-evidence.ts';
import { judge } from './cluster-judge.ts';

const from = (member: string, atMs: number, id = 'g'): Delivered => ({
  atMs,
  from: member,
  ids: [id],
  status: 'firing',
});
/** As the members' logs have it: each tells its deliveries; `heard` who else heard of one, and when. */
const run = (
  delivered: readonly Delivered[],
  killedAtMs?: number,
  heard: Readonly<Record<string, number>> = {},
): boolean =>
  judge({
    posted: new Map([['g', 0]]),
    killed: killedAtMs === undefined ? [] : [{ atMs: killedAtMs, member: 'a' }],
    delivered,
    evidence: [
      ...delivered.map((one) => ({
        atMs: one.atMs,
        member: one.from,
        what: 'delivered' as const,
        group: 'g',
      })),
      ...Object.entries(heard).map(([member, atMs]) => ({
        atMs,
        member,
        what: 'heard' as const,
        group: 'g',
      })),
    ],
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

  it('takes a second one only where no other member had heard of what a killed one delivered', () => {
    const twice = [from('a', 1_050), from('b', 6_000)];
    expect(run(twice, 1_060)).toBe(true);
    // Heard of afterwards, when the killed one was back with its own log.
    expect(run(twice, 1_060, { c: 7_000 })).toBe(true);
    expect(run(twice, 1_060, { b: 1_055 })).toBe(false);
    expect(run(twice, 1_060, { c: 1_055 })).toBe(false);
    expect(run([from('b', 1_050), from('c', 6_000)], 1_060)).toBe(false);
    expect(run([...twice, from('c', 6_001)], 1_060)).toBe(false);
  });

  it('reads the lines of ours and of the original', () => {
    const lines = [
      'time=1970-01-01T00:00:05.250Z level=DEBUG msg="gossiping new entry" component=nflog entry="{}:{id=\\"g7\\"} hook webhook[0]"',
      'time=1970-01-01T00:00:05.300Z level=DEBUG source=notify.go:876 msg="Notify success" component=dispatcher aggrGroup="{}:{id=\\"g7\\"}" attempts=1',
      'ts=1970-01-01T00:00:05.400Z caller=nflog.go:540 level=debug component=nflog msg="gossiping new entry" entry="entry:<group_key:\\"{}:{id=\\\\\\"g7\\\\\\"}\\" >"',
      'time=1970-01-01T00:00:05.400Z level=INFO msg=ready',
    ];
    expect(evidenceOf('a', lines, 5_000)).toEqual([
      { atMs: 250, member: 'a', what: 'heard', group: 'g7' },
      { atMs: 300, member: 'a', what: 'delivered', group: 'g7' },
      { atMs: 400, member: 'a', what: 'heard', group: 'g7' },
    ]);
  });
});
