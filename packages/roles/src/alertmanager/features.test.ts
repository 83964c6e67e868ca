import { describe, expect, it } from 'vitest';
import { FEATURE_NAMES, featuresOf, matcherModeOf } from './features.ts';

describe("Alertmanager's --enable-feature", () => {
  it('takes the names of 0.34 and no others', () => {
    expect(featuresOf('').size).toBe(0);
    const [classic, utf8] = ['classic-mode', 'utf8-strict-mode'] as const;
    for (const name of FEATURE_NAMES) expect([...featuresOf(name)]).toEqual([name]);
    expect(() => featuresOf('group-key-in-metrics,other')).toThrow(
      "unknown option 'other' for --enable-feature",
    );
    expect(() => featuresOf(`${classic},${utf8}`)).toThrow(
      'cannot have both classic and UTF-8 modes enabled',
    );
  });

  it('chooses the grammar of matchers', () => {
    const modes = ['', 'classic-mode', 'utf8-strict-mode'].map((list) =>
      matcherModeOf(featuresOf(list)),
    );
    expect(modes).toEqual(['fallback', 'classic', 'utf8']);
  });
});
