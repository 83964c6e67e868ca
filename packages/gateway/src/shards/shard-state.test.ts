import type { TargetDiscovery, WireRuleGroup, WireTarget } from '@pollux/api-types';
import { describe, expect, it } from 'vitest';
import { rulesOfShards, targetsOfShards } from './shard-state.ts';

function target(instance: string): WireTarget {
  return {
    discoveredLabels: { __address__: instance },
    labels: { instance },
    scrapePool: 'p',
    scrapeUrl: `http://${instance}/metrics`,
    globalUrl: `http://${instance}/metrics`,
    lastError: '',
    lastScrape: '2026-01-01T00:00:00Z',
    lastScrapeDuration: 0.1,
    health: 'up',
    scrapeInterval: '15s',
    scrapeTimeout: '10s',
  };
}

function targets(active: readonly string[], dropped: readonly string[]): TargetDiscovery {
  return {
    activeTargets: active.map(target),
    droppedTargets: dropped.map((instance) => ({
      discoveredLabels: { __address__: instance },
      scrapePool: 'p',
    })),
    droppedTargetCounts: { p: dropped.length },
  };
}

function group(name: string, queries: readonly string[], alerts: readonly string[]): WireRuleGroup {
  return {
    name,
    file: 'rules.yml',
    interval: 15,
    limit: 0,
    evaluationTime: 0.1,
    lastEvaluation: '2026-01-01T00:00:00Z',
    rules: queries.map((query) => ({
      type: 'alerting',
      name: 'A',
      query,
      duration: 0,
      keepFiringFor: 0,
      labels: {},
      annotations: {},
      alerts: alerts.map((instance) => ({
        labels: { instance },
        annotations: {},
        state: 'firing',
        activeAt: '2026-01-01T00:00:00Z',
        value: '1',
      })),
      health: 'ok',
      state: 'firing',
      evaluationTime: 0.1,
      lastEvaluation: '2026-01-01T00:00:00Z',
    })),
  };
}

describe('targets of shards', () => {
  it('that any of them scrapes are not dropped, and counts are of those that nobody scrapes', () => {
    const found = targetsOfShards([
      targets(['a', 'b'], ['c', 'x']),
      targets(['c'], ['a', 'b', 'x']),
    ]);
    expect(found.activeTargets.map(({ labels }) => labels.instance).sort()).toEqual([
      'a',
      'b',
      'c',
    ]);
    expect(found.droppedTargets.map(({ discoveredLabels }) => discoveredLabels)).toEqual([
      { __address__: 'x' },
    ]);
    expect(found.droppedTargetCounts).toEqual({ p: 1 });
  });
});

describe('rule groups of shards', () => {
  it('that are the same are one with all alerts, and others of one name stay apart', () => {
    const { groups } = rulesOfShards([
      { groups: [group('g', ['up == 0'], ['a']), group('h', ['x'], [])] },
      { groups: [group('g', ['up == 0'], ['b']), group('h', ['y'], [])] },
    ]);
    const shown = groups.map(({ name, rules }) => [
      name,
      ...rules.map((rule) => [
        rule.query,
        rule.type === 'alerting' ? (rule.alerts ?? []).map(({ labels }) => labels.instance) : [],
      ]),
    ]);
    expect(shown).toEqual([
      ['g', ['up == 0', ['a', 'b']]],
      ['h', ['x', []]],
      ['h', ['y', []]],
    ]);
  });
});
