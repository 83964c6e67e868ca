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
