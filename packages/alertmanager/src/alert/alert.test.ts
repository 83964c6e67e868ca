import { Labels } from '@pollux/model';
import { describe, expect, it } from 'vitest';
import { type Alert, AlertIdentity, mergeAlerts } from './alert.ts';
import { Annotations } from './annotations.ts';

const NOW = 1_000;
const identity = new AlertIdentity(Labels.from({ alertname: 'A' }));

function version(
  startsAtMs: number,
  endsAtMs: number,
  updatedAtMs: number,
  isTimeout = false,
): Alert {
  return {
    identity,
    annotations: Annotations.from([['version', String(updatedAtMs)]]),
    startsAtMs,
    endsAtMs,
    updatedAtMs,
    generatorUrl: '',
    isTimeout,
  };
}

describe('two versions of one alert', () => {
  it.each([
    ['take the earliest start', version(100, 2_000, 1), version(200, 2_000, 2), 100, 2_000],
    ['take the end of the newer', version(100, 1_500, 1), version(100, 2_000, 2), 100, 2_000],
    [
      'keep a told later end while firing',
      version(100, 3_000, 1),
      version(100, 2_000, 2),
      100,
      3_000,
    ],
    [
      'drop a guessed later end while firing',
      version(100, 3_000, 1, true),
      version(100, 2_000, 2),
      100,
      2_000,
    ],
    ['end when the newer has ended', version(100, 3_000, 1), version(100, 900, 2), 100, 900],
    [
      'take the later of two ends in the past',
      version(100, 950, 1),
      version(100, 900, 2),
      100,
      950,
    ],
  ])('%s', (_name, older, newer, startsAtMs, endsAtMs) => {
    for (const merged of [mergeAlerts(older, newer, NOW), mergeAlerts(newer, older, NOW)]) {
      expect(merged).toMatchObject({ startsAtMs, endsAtMs, updatedAtMs: 2 });
      expect(merged.annotations.get('version')).toBe('2');
    }
  });
});
