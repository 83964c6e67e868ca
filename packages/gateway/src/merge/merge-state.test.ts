import type { RuleDiscovery, TargetDiscovery, WireAlert, WireTarget } from '@pollux/api-types';
import { describe, expect, it } from 'vitest';
import { mergeExemplars, mergeSeries, mergeTexts } from './merge-names.ts';
import {
  mergeAlerts,
  mergeMetadata,
  mergeRules,
  mergeTargets,
  withoutReplicaLabels,
} from './merge-state.ts';

describe('names', () => {
  it('come once each, in the order of their bytes', () => {
    expect(
      mergeTexts([
        ['a', 'z'],
        ['b', 'z', '\u{1f600}', '\uffff'],
      ]),
    ).toEqual(['a', 'b', 'z', '\uffff', '\u{1f600}']);
  });

  it('of series are one when only the replica differs', () => {
    const one = { __name__: 'up', job: 'x', replica_of: 'a' };
    const other = { __name__: 'up', job: 'x', replica_of: 'b' };
    const more = { __name__: 'down' };
    expect(mergeSeries([[one], [more, other]], ['replica_of'])).toEqual([
      { __name__: 'down' },
      { __name__: 'up', job: 'x' },
    ]);
    expect(mergeSeries([[one], [other]], [])).toHaveLength(2);
  });

  it('of exemplars that both have scraped come once, by time', () => {
    const seriesLabels = { __name__: 'x' };
    const exemplar = (timestamp: number) => ({ labels: { id: 'a' }, value: '1', timestamp });
    const merged = mergeExemplars(
      [
        [{ seriesLabels, exemplars: [exemplar(2), exemplar(3)] }],
        [{ seriesLabels, exemplars: [exemplar(1), exemplar(2)] }],
      ],
      [],
    );
    expect(merged).toHaveLength(1);
    expect(merged[0]?.exemplars.map(({ timestamp }) => timestamp)).toEqual([1, 2, 3]);
  });
});

it('metadata of a metric are all that any replica knows, within the limits', () => {
  const entry = (help: string) => ({ type: 'gauge', help, unit: '' });
  const all = [{ b: [entry('1')] }, { a: [entry('3')], b: [entry('1'), entry('2')] }];
  const none = { names: 0, perName: 0 };
  expect(mergeMetadata(all, none)).toEqual({ a: [entry('3')], b: [entry('1'), entry('2')] });
  expect(mergeMetadata(all, { names: 1, perName: 0 })).toEqual({ a: [entry('3')] });
  expect(mergeMetadata(all, { names: 0, perName: 1 }).b).toEqual([entry('1')]);
});

const at = (second: number): string => new Date(1_700_000_000_000 + second * 1_000).toISOString();

describe('targets', () => {
  const target = (name: string, health: WireTarget['health'], second: number): WireTarget => ({
    discoveredLabels: {},
    labels: { instance: name },
    scrapePool: 'node',
    scrapeUrl: `http://${name}/metrics`,
    globalUrl: `http://${name}/metrics`,
    lastError: health === 'down' ? 'refused' : '',
    lastScrape: at(second),
    lastScrapeDuration: 0.1,
    health,
    scrapeInterval: '15s',
    scrapeTimeout: '10s',
  });
  const found = (...activeTargets: WireTarget[]): TargetDiscovery => ({
    activeTargets,
    droppedTargets: [],
    droppedTargetCounts: { node: activeTargets.length },
  });

  it('are up when any replica reaches them, and down when all failed', () => {
    const merged = mergeTargets([
      found(target('a', 'down', 9), target('b', 'down', 1), target('c', 'up', 5)),
      found(target('a', 'up', 3), target('b', 'down', 2), target('c', 'up', 4)),
    ]);
    const shown = merged.activeTargets.map(({ labels, health, lastScrape }) => [
      labels.instance,
      health,
      lastScrape,
    ]);
    expect(shown).toEqual([
      ['a', 'up', at(3)],
      ['b', 'down', at(2)],
      ['c', 'up', at(5)],
    ]);
    expect(merged.droppedTargetCounts).toEqual({ node: 3 });
  });
});

describe('alerts', () => {
  const alert = (name: string, state: WireAlert['state'], second: number): WireAlert => ({
    labels: { alertname: name },
    annotations: {},
    state,
    activeAt: at(second),
    value: '1e+00',
  });

  it('are those of any replica; the one that is further on counts', () => {
    const { alerts } = mergeAlerts([
      { alerts: [alert('a', 'pending', 1), alert('b', 'firing', 5)] },
      { alerts: [alert('a', 'firing', 3), alert('b', 'firing', 2), alert('c', 'pending', 4)] },
    ]);
    const shown = alerts.map(({ labels, state, activeAt }) => [labels.alertname, state, activeAt]);
    expect(shown).toEqual([
      ['a', 'firing', at(3)],
      ['b', 'firing', at(2)],
      ['c', 'pending', at(4)],
    ]);
  });

  it('come with the rules of the replica that evaluated last, whose states follow them', () => {
    const rules = (second: number, ...alerts: WireAlert[]): RuleDiscovery => ({
      groups: [
        {
          name: 'g',
          file: 'f.yml',
          interval: 15,
          limit: 0,
          evaluationTime: 0,
          lastEvaluation: at(second),
          rules: [
            {
              type: 'alerting',
              name: 'A',
              query: 'up == 0',
              duration: 0,
              keepFiringFor: 0,
              labels: {},
              annotations: {},
              alerts,
              state: alerts[0]?.state ?? 'inactive',
              health: 'ok',
              evaluationTime: 0,
              lastEvaluation: at(second),
            },
          ],
        },
      ],
    });
    const merged = mergeRules([
      rules(5, alert('A', 'firing', 1)),
      rules(9, alert('A', 'pending', 8)),
    ]);
    expect(merged.groups).toMatchObject([
      { lastEvaluation: at(9), rules: [{ state: 'firing', alerts: [{ activeAt: at(1) }] }] },
    ]);
    expect(mergeRules([rules(5), rules(9)]).groups).toMatchObject([
      { rules: [{ state: 'inactive' }] },
    ]);
  });
});

describe('labels that tell replicas apart', () => {
  it('are taken out wherever labels are, before answers are joined', () => {
    const target = (replica: string) => ({
      scrapePool: 'p',
      labels: { job: 'j', replica },
      discoveredLabels: { __address__: 'x', replica },
      scrapeUrl: 'http://x/replica',
    });
    const answers = ['a', 'b'].map((name) => ({ activeTargets: [target(name)] }));
    const plain = withoutReplicaLabels(answers, ['replica']);
    const { replica: _, ...labels } = target('').labels;
    expect(plain).toEqual(
      answers.map(() => ({
        activeTargets: [{ ...target(''), labels, discoveredLabels: { __address__: 'x' } }],
      })),
    );
    expect(withoutReplicaLabels(answers, [])).toBe(answers);
  });
});
