import { bench, describe } from 'vitest';
import { WINDOW_KERNELS } from './kernels.ts';
import type { WindowSet } from './window-set.ts';

/*
 * One series of a day at 15 s, a query over the day at 1 m with a window of 1 h (240 samples, four steps apart): what a
 * dashboard asks of each series. Run with `npx vitest bench packages/promql`.
 */
const SAMPLES = 5_760;
const STEPS = 1_380;
const WINDOW_SAMPLES = 240;
const SAMPLES_PER_STEP = 4;
const BATCH = 64;

const timestampsMs = Float64Array.from({ length: SAMPLES }, (_, i) => i * 15_000);
const values = Float64Array.from({ length: SAMPLES }, (_, i) => (i * 7_919) % 1_000);

function batches(): WindowSet[] {
  const all: WindowSet[] = [];
  for (let first = 0; first < STEPS; first += BATCH) {
    const count = Math.min(BATCH, STEPS - first);
    const lo = Int32Array.from({ length: count }, (_, i) => (first + i) * SAMPLES_PER_STEP);
    const hi = lo.map((from) => Math.min(SAMPLES, from + WINDOW_SAMPLES));
    const endMs = Float64Array.from(hi, (to) => to * 15_000);
    const startMs = endMs.map((end) => end - 3_600_000);
    const params = [new Float64Array(count).fill(0.9), new Float64Array(count).fill(0.5)];
    all.push({ timestampsMs, values, lo, hi, startMs, endMs, evalMs: endMs, count, params });
  }
  return all;
}

describe('window kernels over a day at one step a minute', () => {
  const windows = batches();
  const out = new Float64Array(BATCH);
  const kinds = new Uint8Array(BATCH);
  for (const [name, kernel] of WINDOW_KERNELS) {
    bench(name, () => {
      for (const set of windows) kernel(set, out, kinds, 0);
    });
  }
});

/*
 * A panel over many series: 1,000 counters of an hour at 15 s (some with resets), 60 steps of a minute with a window of 5 m.
 */
const PANEL_SERIES = 1_000;
const PANEL_SAMPLES = 260;
const PANEL_STEPS = 60;

function panel(): WindowSet[] {
  return Array.from({ length: PANEL_SERIES }, (_, series) => {
    const times = Float64Array.from(
      { length: PANEL_SAMPLES },
      (_, i) => i * 15_000 + ((series * 37) % 15_000),
    );
    const endMs = Float64Array.from({ length: PANEL_STEPS }, (_, i) => (i + 5) * 60_000);
    const startMs = endMs.map((end) => end - 300_000);
    const upTo = (ms: number): number => times.filter((time) => time <= ms).length;
    return {
      timestampsMs: times,
      values: times.map((_, i) => (i * 137 + ((i * 7_919 + series) % 23)) % 20_000),
      lo: Int32Array.from(startMs, upTo),
      hi: Int32Array.from(endMs, upTo),
      startMs,
      endMs,
      evalMs: endMs,
      count: PANEL_STEPS,
      params: [],
    };
  });
}

describe('window kernels over 1,000 series of an hour', () => {
  const all = panel();
  const out = new Float64Array(PANEL_SERIES * PANEL_STEPS);
  const kinds = new Uint8Array(PANEL_SERIES * PANEL_STEPS);
  const asked = ['sum_over_time', 'avg_over_time', 'min_over_time', 'max_over_time'];
  for (const name of ['rate', 'increase', 'delta', ...asked]) {
    const kernel = WINDOW_KERNELS.get(name)!;
    const run = (): void => {
      all.forEach((set, series) => {
        kernel(set, out, kinds, series * PANEL_STEPS);
      });
    };
    // The first runs are those before the kernel is compiled.
    bench(name, run, { iterations: 100 });
  }
});
