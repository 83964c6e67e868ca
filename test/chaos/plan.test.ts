import { SeededRandom } from '@pollux/base';
import { describe, expect, it } from 'vitest';
import { LEAST_PAUSE_MS, planOf, shortPlanOf } from './plan.ts';
import { FAULT_KINDS, ISOLATED_KINDS } from './record.ts';

const THIRTY_MINUTES = 30 * 60_000;

describe('a plan of faults', () => {
  it('is the same for the same seed', () => {
    const [first, again] = [7, 7].map((seed) =>
      planOf(new SeededRandom(seed), THIRTY_MINUTES, true),
    );
    expect(first).toEqual(again);
    expect(planOf(new SeededRandom(8), THIRTY_MINUTES, true)).not.toEqual(first);
  });

  it('has every kind before any comes again, one at a time, with time to recover', () => {
    for (let seed = 0; seed < 50; seed++) {
      const isIsolated = seed % 2 === 0;
      const all = isIsolated ? [...FAULT_KINDS, ...ISOLATED_KINDS] : [...FAULT_KINDS];
      const { faults } = planOf(new SeededRandom(seed), THIRTY_MINUTES, isIsolated);
      const kinds = faults.slice(0, all.length).map(({ kind }) => kind);
      expect([...kinds].sort()).toEqual([...all].sort());
      for (const kind of all) {
        const [first, second] = faults.filter((fault) => fault.kind === kind);
        expect(first?.host).not.toBe(second?.host);
      }
      for (const [index, { atMs }] of faults.entries()) {
        const before = faults[index - 1];
        if (before !== undefined)
          expect(atMs).toBeGreaterThanOrEqual(before.atMs + before.durationMs + 20_000);
      }
    }
  });

  it('of half a minute leaves room for its one fault', () => {
    for (const isIsolated of [true, false]) {
      const { faults, durationMs } = shortPlanOf(new SeededRandom(1), isIsolated);
      expect(faults).toHaveLength(1);
      for (const fault of faults)
        expect(fault.atMs + fault.durationMs + LEAST_PAUSE_MS).toBeLessThan(durationMs);
    }
  });

  it('has alarms that rise and fall, some of them silenced, long enough to be told', () => {
    const { alarms } = planOf(new SeededRandom(3), THIRTY_MINUTES, true);
    expect(alarms.length).toBeGreaterThan(150);
    expect(alarms.filter(({ isSilenced }) => isSilenced).length).toBeGreaterThan(20);
    for (const { riseMs, fallMs } of alarms) expect(fallMs - riseMs).toBeGreaterThanOrEqual(20_000);
  });
});
