import { expect, it } from 'vitest';
import { candidates, preferredOf, Upstream } from './upstream.ts';

function pool(): Upstream[] {
  return ['a', 'b', 'c'].map((name) => {
    const upstream = new Upstream(name, `http://${name}`);
    upstream.markUp(1);
    return upstream;
  });
}

const KEYS = Array.from({ length: 60 }, (_, i) => `rate(m${i}[5m])`);

/** Whom one gateway begins at, for each key. */
function begun(members: readonly Upstream[]): string[] {
  const live = candidates(members);
  return KEYS.map((key) => live[preferredOf(key, members, live)]!.name);
}

it('gateways begin at the same member, whoever was slow to answer the check of one of them', () => {
  const [one, other] = [pool(), pool()];
  for (const member of other) member.suspect('no answer in time');
  other[1]!.markUp(2);
  expect(begun(other)).toEqual(begun(one));
  expect(new Set(begun(one))).toEqual(new Set(['a', 'b', 'c']));
});

it('gateways that see other members away begin at the same one, but for those who would be it', () => {
  const [one, other] = [pool(), pool()];
  const whole = begun(one);
  other[0]!.markDown('refused');
  const names = begun(other);
  for (const [i, name] of whole.entries()) expect(names[i]).toBe(name === 'a' ? 'b' : name);
});

it('when none is up those that ever were stand in the order of gateway.yml', () => {
  const members = [...pool(), new Upstream('d', 'http://d')];
  members[1]!.markUp(9);
  for (const member of members.slice(0, 3)) member.markDown('refused');
  expect(candidates(members).map(({ name }) => name)).toEqual(['a', 'b', 'c']);
});
