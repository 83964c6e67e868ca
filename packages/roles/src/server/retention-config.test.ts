import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NodeFiles } from '@pollux/base/node';
import { describe, expect, it } from 'vitest';
import { loadServerConfig } from './config.ts';
import { retentionSettings, retentionText } from './retention-config.ts';

const DAY_MS = 86_400_000;
const NO_FLAGS = { 'storage.tsdb.retention.time': 0, 'storage.tsdb.retention.size': '0B' };

function settings(yaml: string, flags = NO_FLAGS): ReturnType<typeof retentionSettings> {
  const file = join(mkdtempSync(join(tmpdir(), 'retention-')), 'prometheus.yml');
  writeFileSync(file, yaml);
  const options = { files: new NodeFiles(), file, variables: {}, replicaLabels: [] };
  return retentionSettings(flags, loadServerConfig(options));
}

describe('the retention of a server', () => {
  it('is 15 days without any setting, and a size alone sets no time', () => {
    expect(settings('')).toEqual({ timeMs: 15 * DAY_MS, bytes: 0, percentage: 0, rules: [] });
    const sized = settings('', { ...NO_FLAGS, 'storage.tsdb.retention.size': '5GB' });
    expect(sized).toEqual({ timeMs: 0, bytes: 5 * 1024 ** 3, percentage: 0, rules: [] });
  });

  it('is what the section says and nothing of the flags where the section is there', () => {
    const flags = { 'storage.tsdb.retention.time': DAY_MS, 'storage.tsdb.retention.size': '5GB' };
    const yaml = 'storage: {tsdb: {retention: {percentage: 12.5}}}';
    expect(settings(yaml, flags)).toEqual({ timeMs: 0, bytes: 0, percentage: 12.5, rules: [] });
    expect(settings('', flags).timeMs).toBe(DAY_MS);
    expect(retentionText(settings(yaml, flags))).toBe('12.5%');
    expect(retentionText(settings('', flags))).toBe('1d or 5GiB');
  });

  it('has rules by selector, in order', () => {
    const { rules } = settings(
      `storage:
  tsdb:
    retention_rules:
      - {match: '{job="billing"}', keep: 5y}
      - {match: '{__name__=~"debug_.+"}', keep: 1d}
`,
    );
    expect(rules.map(({ matchers, keepMs }) => [matchers.join(), keepMs / DAY_MS])).toEqual([
      ['job="billing"', 1825],
      ['__name__=~"debug_.+"', 1],
    ]);
  });

  it.each([
    ['{match: "{", keep: 1d}', /retention_rules\[0\].*match/],
    ['{match: "up", keep: 0s}', /retention_rules\[0\].keep: must be longer than 0s/],
    ['{match: "{}", keep: 1d}', /retention_rules\[0\].*match/],
    ['{match: "up"}', /missing field "keep"/],
  ])('refuses the rule %s by its place', (rule, message) => {
    expect(() => settings(`storage: {tsdb: {retention_rules: [${rule}]}}`)).toThrow(message);
  });

  it('refuses a share beyond the whole', () => {
    const yaml = 'storage: {tsdb: {retention: {percentage: 101}}}';
    expect(() => settings(yaml)).toThrow('must be in the range [0, 100]');
  });
});
