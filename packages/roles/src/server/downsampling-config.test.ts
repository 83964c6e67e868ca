import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NodeFiles } from '@pollux/base/node';
import { describe, expect, it } from 'vitest';
import { loadServerConfig, type ServerConfig } from './config.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 1440 * MINUTE_MS;

function rules(yaml: string): ServerConfig['downsampling'] {
  const file = join(mkdtempSync(join(tmpdir(), 'downsampling-')), 'prometheus.yml');
  writeFileSync(file, yaml);
  return loadServerConfig({ files: new NodeFiles(), file, variables: {}, replicaLabels: [] })
    .downsampling;
}

describe('storage.tsdb.downsampling', () => {
  it('is off without the key, and takes resolutions from fine to coarse', () => {
    expect(rules('')).toEqual([]);
    expect(
      rules(`storage:
  tsdb:
    downsampling:
      - { resolution: 5m, after: 1d, retention: 90d }
      - { resolution: 1h }
      - { resolution: 1d, retention: 5y }
`),
    ).toEqual([
      { resolutionMs: 5 * MINUTE_MS, afterMs: DAY_MS, retentionMs: 90 * DAY_MS },
      { resolutionMs: 60 * MINUTE_MS, afterMs: 0, retentionMs: 0 },
      { resolutionMs: DAY_MS, afterMs: 0, retentionMs: 1825 * DAY_MS },
    ]);
  });

  it.each([
    ['{resolution: 30s}', 'resolution must be at least 1m'],
    ['{resolution: 7m}', 'resolution must divide a day or be a number of days'],
    ['{resolution: 5m}, {resolution: 8m}', 'resolution must be a multiple of the one before'],
    ['{resolution: 1h}, {resolution: 5m}', 'resolution must be longer than the one before'],
    ['{resolution: 8d}', 'resolution must be at most 7d'],
    ['{resolution: 5m, after: 2d, retention: 1d}', 'retention must be longer than after'],
    ['{after: 1d}', 'missing field "resolution"'],
    ['{resolution: 5m, keep: 1d}', 'keep'],
  ])('refuses %s by its place', (entry, message) => {
    const yaml = `storage: {tsdb: {downsampling: [${entry}]}}`;
    expect(() => rules(yaml)).toThrow(message);
    expect(() => rules(yaml)).toThrow(/prometheus\.yml:1:\d+: storage\.tsdb\.downsampling\[\d\]/);
  });
});
