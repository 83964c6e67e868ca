import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { WindowSet } from '../functions/window/window-set.ts';
import { countWindows, StepCounts } from './query-counts.ts';
import { WindowEdges } from './window-edges.ts';

const BATCH = 7;

/** Samples at one interval, some left out and some late, and windows that may overlap or leave samples between them. */
const cases = fc.record({
  gaps: fc.array(fc.oneof(fc.constant(15), fc.constant(15), fc.integer({ min: 1, max: 70 })), {
    maxLength: 120,
  }),
  startMs: fc.integer({ min: -100, max: 400 }),
  stepMs: fc.oneof(fc.constant(15), fc.constant(60), fc.integer({ min: 1, max: 90 })),
  rangeMs: fc.integer({ min: 1, max: 300 }),
  steps: fc.integer({ min: 1, max: 40 }),
  isPinned: fc.boolean(),
  isSubquery: fc.boolean(),
});

function windowSet(timestampsMs: Float64Array): WindowSet {
  return {
    timestampsMs,
    values: timestampsMs,
    lo: new Int32Array(BATCH),
    hi: new Int32Array(BATCH),
    startMs: new Float64Array(BATCH),
    endMs: new Float64Array(BATCH),
    evalMs: new Float64Array(BATCH),
    count: 0,
    params: [],
  };
}

describe('edges of windows', () => {
  it('are left-open and count as looking at every sample of every step says', () => {
    fc.assert(
      fc.property(cases, ({ gaps, startMs, stepMs, rangeMs, steps, isPinned, isSubquery }) => {
        let at = 0;
        const times = Float64Array.from(gaps, (gap) => (at += gap));
        const windows = windowSet(times);
        const edges = new WindowEdges();
        const counts = new StepCounts(steps);
        const expected = new StepCounts(steps);
        edges.begin(1);
        for (let firstStep = 0; firstStep < steps; firstStep += BATCH) {
          windows.count = Math.min(BATCH, steps - firstStep);
          for (let i = 0; i < windows.count; i++) {
            windows.endMs[i] = startMs + (isPinned ? 0 : (firstStep + i) * stepMs);
            windows.startMs[i] = windows.endMs[i]! - rangeMs;
          }
          const where = { firstStep, isPinned, isSubquery };
          const previousEnd = edges.endOf(0);
          const widest = edges.place(windows, 0, times.length);
          counts.addWindows(windows, where, previousEnd);
          let most = 0;
          for (let i = 0; i < windows.count; i++) {
            const hi = times.filter((time) => time <= windows.endMs[i]!).length;
            const lo = times.filter((time) => time <= windows.startMs[i]!).length;
            expect([windows.lo[i], windows.hi[i]]).toEqual([lo, hi]);
            most = Math.max(most, hi - lo);
          }
          expect(widest).toBe(most);
          const series = { timestampsMs: times, histograms: null, count: times.length };
          const { startMs: starts, endMs } = windows;
          const stepCount = windows.count;
          countWindows(expected, series, { ...where, stepCount, stepMs, startMs: starts, endMs });
        }
        expect(counts).toEqual(expected);
      }),
      { numRuns: 300 },
    );
  });

  it('of one block are forgotten with the next', () => {
    const times = Float64Array.of(10, 20, 30);
    const windows = windowSet(times);
    windows.count = 1;
    windows.endMs[0] = 30;
    const edges = new WindowEdges();
    edges.begin(2);
    edges.place(windows, 1, 3);
    expect(edges.endOf(1)).toBe(3);
    edges.begin(2);
    expect(edges.endOf(1)).toBe(0);
  });
});
