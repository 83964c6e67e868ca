import { Log } from '@pollux/telemetry';
import { describe, expect, it } from 'vitest';
import { engineFeatures, hasFeature, START_TIMES } from './engine-features.ts';

describe('--enable-feature', () => {
  it('takes lists and repeated flags, and goes on at names it does not know', () => {
    const given = ['promql-experimental-functions,no-such', 'promql-delayed-name-removal', ''];
    expect(engineFeatures(given, Log.silent())).toEqual({
      experimentalFunctions: true,
      delayedNameRemoval: true,
    });
    expect(engineFeatures([], Log.silent())).toEqual({});
    expect(hasFeature(['native-histograms,created-timestamp-zero-ingestion'], START_TIMES)).toBe(
      true,
    );
    expect(hasFeature(['native-histograms', ''], START_TIMES)).toBe(false);
  });
});
