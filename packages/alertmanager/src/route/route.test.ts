import { Labels } from '@pollux/model';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AlertIdentity } from '../alert/alert.ts';
import { readConfig } from '../config/config.ts';
import { groupKey, groupKeySpellings, Route } from './route.ts';

function tree(text: string): Route {
  return new Route(
    readConfig(`route:\n${text}\nreceivers: [{name: r}, {name: s}]`, { file: 'a' }).route,
  );
}

const labels = (pairs: Record<string, string>): Labels => Labels.from(pairs);

describe('group keys', () => {
  it('are spelt as every member spells them', () => {
    const route = tree(
      '  {receiver: r, group_by: [alertname], routes: [{matchers: [team="a"], routes: [{match_re: {sev: "c|w"}, group_by: []}]}]}',
    );
    const [root] = route.match(labels({ alertname: 'T1' }));
    expect(groupKey(root!, root!.groupLabels(labels({ alertname: 'T1', x: 'y' })))).toBe(
      '{}:{alertname="T1"}',
    );
    const all = labels({ alertname: 'T1', team: 'a', sev: 'c' });
    const [leaf] = route.match(all);
    expect(groupKey(leaf!, leaf!.groupLabels(all))).toBe('{}/{team="a"}/{sev=~"^(?:c|w)$"}:{}');
  });

  it('have a second spelling where members before 0.28 sort otherwise', () => {
    const route = tree('  {receiver: r, group_by: ["..."]}');
    const group = labels({ alertname: 'CONTROL', z: '1', z1: '2' });
    expect(groupKeySpellings(route, group)).toEqual([
      '{}:{alertname="CONTROL", z="1", z1="2"}',
      '{}:{alertname="CONTROL", z1="2", z="1"}',
    ]);
    expect(groupKeySpellings(route, labels({ a: '1', b: '2' }))).toHaveLength(1);
  });
});

it.each(['[b, a, "no"]', '[]', '["..."]'])('grouped by %s, the key is that of the labels', (by) => {
  const route = tree(`  {receiver: r, group_by: ${by}}`);
  const texts = fc.constantFrom('', 'x', 'é', 'x y');
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom('a', 'ab', 'b', 'c'), texts), (pairs) => {
      const all = labels(pairs);
      const key = route.groupLabels(all).key();
      expect(route.groupLabelsKey(all)).toBe(key);
      expect(route.groupLabelsKey(new AlertIdentity(all))).toBe(key);
    }),
  );
});

describe('inheritance', () => {
  it('gives children receiver, grouping, timers and labels, but not time intervals', () => {
    const config = readConfig(
      `
route:
  receiver: r
  group_by: [a]
  group_wait: 1s
  labels: {x: '1', y: '1'}
  routes:
    - mute_time_intervals: [t]
      labels: {y: '2'}
      group_interval: 2s
      routes: [{matchers: [k=v]}]
receivers: [{name: r}]
time_intervals: [{name: t}]
`,
      { file: 'a' },
    );
    const leaf = new Route(config.route).match(labels({ k: 'v' }))[0]!.settings;
    expect(leaf).toMatchObject({
      receiver: 'r',
      groupWaitMs: 1_000,
      groupIntervalMs: 2_000,
      repeatIntervalMs: 14_400_000,
      muteTimeIntervals: [],
      labels: { x: '1', y: '2' },
    });
    expect([...leaf.groupBy]).toEqual(['a']);
  });
});
