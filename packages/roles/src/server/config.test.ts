import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NodeFiles } from '@pollux/base/node';
import { describe, expect, it } from 'vitest';
import { loadServerConfig } from './config.ts';

const RULE = 'groups:\n  - name: g\n    rules:\n      - {record: r, expr: up, labels: {l: v}}\n';

function identity(rules: string, replica = 'A'): string {
  const folder = mkdtempSync(join(tmpdir(), 'server-config-'));
  const file = join(folder, 'prometheus.yml');
  writeFileSync(join(folder, 'rules.yml'), rules);
  writeFileSync(
    file,
    `global: {external_labels: {prometheus_replica: ${replica}}}\nrule_files: [rules.yml]\n`,
  );
  const options = { files: new NodeFiles(), variables: {}, replicaLabels: ['prometheus_replica'] };
  return loadServerConfig({ ...options, file }).identity;
}

describe('the identity of a configuration', () => {
  it('is equal on replicas, whatever folder they keep it in', () => {
    expect(identity(RULE, 'A')).toBe(identity(RULE, 'B'));
  });

  it.each([
    ['expression', 'expr: up', 'expr: down'],
    ['label', 'l: v', 'l: w'],
    ['interval', 'name: g', 'name: g\n    interval: 7s'],
  ])('differs when the %s of a rule does', (_, from, to) => {
    expect(identity(RULE.replace(from, to))).not.toBe(identity(RULE));
  });
});

describe('limits on series', () => {
  const load = (yaml: string) => {
    const file = join(mkdtempSync(join(tmpdir(), 'server-config-')), 'prometheus.yml');
    writeFileSync(file, yaml);
    return loadServerConfig({
      files: new NodeFiles(),
      file,
      variables: {},
      replicaLabels: [],
    }).seriesLimits;
  };

  it('are off unless set', () => {
    expect(load('{}')).toEqual({ total: 0, perJob: 0, perTarget: 0, newPerJobPerHour: 0 });
    const yaml = 'storage: {tsdb: {series_limits: {total: 10, new_per_job_per_hour: 3}}}';
    expect(load(yaml)).toEqual({ total: 10, perJob: 0, perTarget: 0, newPerJobPerHour: 3 });
  });

  it('refuse what is no number of series, with its place', () => {
    expect(() => load('storage:\n  tsdb:\n    series_limits: {per_job: -1}\n')).toThrow(
      /prometheus\.yml:3:\d+.*per_job/,
    );
    expect(() => load('storage:\n  tsdb:\n    series_limits: {per_jobs: 1}\n')).toThrow(/per_jobs/);
  });
});

describe('the number of exemplars kept', () => {
  function maxExemplars(yaml: string, keepsExemplars = false): number {
    const file = join(mkdtempSync(join(tmpdir(), 'server-config-')), 'prometheus.yml');
    writeFileSync(file, yaml);
    const options = { files: new NodeFiles(), variables: {}, replicaLabels: [], file };
    return loadServerConfig({ ...options, keepsExemplars }).maxExemplars;
  }

  it.each([
    ['', 0],
    ['storage: {tsdb: {out_of_order_time_window: 1m}}', 0],
    ['storage: {exemplars: {}}', 100_000],
    ['storage: {exemplars: {max_exemplars: 7}}', 7],
    ['storage: {exemplars: {max_exemplars: -1}}', 0],
  ])('by "%s" is %i', (yaml, expected) => {
    expect(maxExemplars(yaml)).toBe(expected);
  });

  it('is the default where only a feature flag asks for them', () => {
    expect(maxExemplars('', true)).toBe(100_000);
    expect(maxExemplars('storage: {tsdb: {out_of_order_time_window: 1m}}', true)).toBe(100_000);
    expect(maxExemplars('storage: {exemplars: {max_exemplars: 7}}', true)).toBe(7);
  });

  it('beyond all memory is refused', () => {
    expect(() => maxExemplars('storage: {exemplars: {max_exemplars: 1000000000}}')).toThrow(
      'must be at most',
    );
  });
});
