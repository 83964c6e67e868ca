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
