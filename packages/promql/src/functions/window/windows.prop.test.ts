import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WINDOW_KERNELS } from './kernels.ts';
import type { WindowSet } from './window-set.ts';

type Case = {
  readonly times: readonly number[];
  readonly values: readonly number[];
  readonly stepMs: number;
  readonly rangeMs: number;
};

const value = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: -50, max: 50 }) },
  { weight: 4, arbitrary: fc.double({ min: -1e6, max: 1e6, noNaN: true }) },
  { weight: 1, arbitrary: fc.constantFrom(1e17, -1e17, 1e-12, Number.NaN) },
);
const cases: fc.Arbitrary<Case> = fc
  .record({
    gaps: fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 60 }),
    seeds: fc.array(value, { minLength: 60, maxLength: 60 }),
    stepMs: fc.integer({ min: 1, max: 60 }),
    rangeMs: fc.integer({ min: 1, max: 400 }),
  })
  .map(({ gaps, seeds, stepMs, rangeMs }) => {
    let at = 0;
    const times = gaps.map((gap) => (at += gap));
    return { times, values: seeds.slice(0, times.length), stepMs, rangeMs };
  });

/** Places windows by looking at every sample for every step. */
function windowsOf({ times, values, stepMs, rangeMs }: Case): WindowSet {
  const count = Math.min(64, Math.ceil((times.at(-1)! + rangeMs) / stepMs));
  const windows: WindowSet = {
    timestampsMs: Float64Array.from(times),
    values: Float64Array.from(values),
    lo: new Int32Array(count),
    hi: new Int32Array(count),
    startMs: new Float64Array(count),
    endMs: new Float64Array(count),
    evalMs: new Float64Array(count),
    count,
    params: [new Float64Array(count).fill(0.3), new Float64Array(count).fill(0.4)],
  };
  for (let i = 0; i < count; i++) {
    const endMs = (i + 1) * stepMs;
    windows.endMs[i] = endMs;
    windows.evalMs[i] = endMs;
    windows.startMs[i] = endMs - rangeMs;
    windows.lo[i] = times.filter((time) => time <= endMs - rangeMs).length;
    windows.hi[i] = times.filter((time) => time <= endMs).length;
  }
  return windows;
}

/** Runs a kernel over each window alone, where nothing can be carried over. */
function oneByOne(func: string, windows: WindowSet): (number | null)[] {
  return Array.from(windows.lo, (_, i) => {
    const out = new Float64Array(1);
    const kinds = new Uint8Array(1);
    const single: WindowSet = {
      ...windows,
      lo: windows.lo.subarray(i, i + 1),
      hi: windows.hi.subarray(i, i + 1),
      startMs: windows.startMs.subarray(i, i + 1),
      endMs: windows.endMs.subarray(i, i + 1),
      evalMs: windows.evalMs.subarray(i, i + 1),
      count: 1,
    };
    WINDOW_KERNELS.get(func)!(single, out, kinds, 0);
    return kinds[0] === 0 ? null : out[0]!;
  });
}

/** Plain definitions, written without any of the kernels' code. */
const NAIVE: Readonly<Record<string, (values: number[]) => number>> = {
  sum_over_time: (values) => preciseSum(values),
  avg_over_time: (values) => preciseSum(values) / values.length,
  min_over_time: (values) => extreme(values, Math.min),
  max_over_time: (values) => extreme(values, Math.max),
  count_over_time: (values) => values.length,
  changes: (values) =>
    values.filter((v, i) => i > 0 && !Object.is(v, values[i - 1]) && v !== values[i - 1]).length,
  resets: (values) => values.filter((v, i) => i > 0 && v < values[i - 1]!).length,
  first_over_time: (values) => values[0]!,
  last_over_time: (values) => values.at(-1)!,
};

/** Shewchuk's exact partial sums. */
function preciseSum(values: number[]): number {
  if (values.some(Number.isNaN)) return Number.NaN;
  const partials: number[] = [];
  for (let x of values) {
    let kept = 0;
    for (let y of partials) {
      if (Math.abs(x) < Math.abs(y)) [x, y] = [y, x];
      const high = x + y;
      const low = y - (high - x);
      if (low !== 0) partials[kept++] = low;
      x = high;
    }
    partials.length = kept;
    partials.push(x);
  }
  return partials.reduceRight((sum, part) => sum + part, 0);
}

function extreme(values: number[], pick: (...values: number[]) => number): number {
  const known = values.filter((v) => !Number.isNaN(v));
  return known.length === 0 ? Number.NaN : pick(...known);
}

function expectClose(actual: number, expected: number, scale: number): void {
  if (Number.isNaN(expected)) expect(actual).toBeNaN();
  else if (actual !== expected) {
    expect(Math.abs(actual - expected)).toBeLessThanOrEqual(1e-12 * Math.max(scale, 1e-300));
  }
}

describe('window kernels', () => {
  it.each([...WINDOW_KERNELS.keys()])('%s slides to what each window gives alone', (func) => {
    fc.assert(
      fc.property(cases, (example) => {
        const windows = windowsOf(example);
        const out = new Float64Array(windows.count);
        const kinds = new Uint8Array(windows.count);
        WINDOW_KERNELS.get(func)!(windows, out, kinds, 0);
        for (const [i, expected] of oneByOne(func, windows).entries()) {
          expect(kinds[i]).toBe(expected === null ? 0 : 1);
          // Sums of large values that cancel are exact to the last place of what was summed.
          const summed = example.values
            .slice(windows.lo[i], windows.hi[i])
            .reduce((sum, v) => sum + (Number.isNaN(v) ? 0 : Math.abs(v)), 0);
          if (expected !== null)
            expectClose(out[i]!, expected, Math.max(Math.abs(expected), summed * 1e-4));
        }
      }),
      { numRuns: 60 },
    );
  });

  it.each(Object.keys(NAIVE))('%s equals its definition', (func) => {
    fc.assert(
      fc.property(cases, (example) => {
        const windows = windowsOf(example);
        const out = new Float64Array(windows.count);
        const kinds = new Uint8Array(windows.count);
        WINDOW_KERNELS.get(func)!(windows, out, kinds, 0);
        for (let i = 0; i < windows.count; i++) {
          const inside = example.values.slice(windows.lo[i], windows.hi[i]);
          expect(kinds[i]).toBe(inside.length === 0 ? 0 : 1);
          if (inside.length === 0) continue;
          const expected = NAIVE[func]!(inside);
          const summed = inside.reduce((sum, v) => sum + (Number.isNaN(v) ? 0 : Math.abs(v)), 0);
          expectClose(out[i]!, expected, Math.max(Math.abs(expected), summed * 1e-4));
        }
      }),
      { numRuns: 100 },
    );
  });

  it('adds back what resets hid and reaches to the edges as Prometheus extrapolates', () => {
    const windows = windowsOf({
      times: [10, 20, 30, 40],
      values: [1, 5, 2, 6],
      stepMs: 40,
      rangeMs: 40,
    });
    const out = new Float64Array(windows.count);
    const kinds = new Uint8Array(windows.count);
    WINDOW_KERNELS.get('increase')!(windows, out, kinds, 0);
    // 6 − 1 + 5 hidden = 10 over 30 ms; to the left at most until the counter was zero: 30 · 1/10 = 3 ms.
    expect(out[0]).toBeCloseTo((10 * 33) / 30, 12);
  });
});
