/**
 * Cost of the database on one core. Run with `npx tsx --expose-gc --conditions=@pollux/source` and this file; the first
 * argument is the number of series (100,000).
 */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { nodeEnv } from '@pollux/base/node';
import { Labels, Matcher } from '@pollux/model';
import { MemoryBudget, NO_HINTS } from '@pollux/storage';
import { Log, Registry } from '@pollux/telemetry';
import { Tsdb } from './db.ts';

const SERIES = Number(process.argv[2] ?? 100_000);
const BATCH = 1000;
const STEP_MS = 15_000;
const T0 = 1_700_006_400_000;

const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'pollux-bench-'));
const env = nodeEnv();
const registry = new Registry();
const open = (): Promise<Tsdb> => Tsdb.open({ directory, env, log: Log.silent(), registry });

function report(what: string, figure: number, unit: string): void {
  process.stdout.write(`${what}: ${figure.toFixed(1)} ${unit}\n`);
}

function memoryBytes(): number {
  globalThis.gc?.();
  return process.memoryUsage().rss;
}

const db = await open();
const before = memoryBytes();
const refs = new Uint32Array(SERIES);
let startedMs = performance.now();
for (let start = 0; start < SERIES; start += BATCH) {
  const appender = db.appender();
  for (let i = start; i < Math.min(SERIES, start + BATCH); i++) {
    refs[i] = appender.series(
      Labels.from({
        __name__: `node_metric_${i % 500}`,
        instance: `10.0.${(i >> 9) & 255}.7:9100`,
        job: 'node',
        device: `sd${i % 7}`,
        mode: `mode${i % 11}`,
        id: String(i),
      }),
    );
  }
  await appender.commit();
}
report('new series', ((performance.now() - startedMs) * 1000) / SERIES, 'µs each');

/** One scrape round of all series; returns the time it took in ms. */
async function round(number: number): Promise<number> {
  const timestampsMs = new Float64Array(BATCH);
  const values = new Float64Array(BATCH);
  const outcomes = new Uint8Array(BATCH);
  const begunMs = performance.now();
  for (let start = 0; start < SERIES; start += BATCH) {
    const count = Math.min(BATCH, SERIES - start);
    for (let i = 0; i < count; i++) {
      timestampsMs[i] = T0 + number * STEP_MS + (i % 5);
      // A third constant, a third counters, a third gauges with two decimals.
      const kind = (start + i) % 3;
      if (kind === 0) values[i] = i;
      else if (kind === 1) values[i] = 1e6 + number * 15 * (1 + (i % 9));
      else values[i] = Math.round(50 + 40 * Math.sin(number / 9 + i) * 100) / 100;
    }
    const appender = db.appender();
    appender.appendFloats(
      refs.subarray(start, start + count),
      timestampsMs,
      values,
      null,
      count,
      outcomes,
    );
    await appender.commit();
  }
  return performance.now() - begunMs;
}

let spentMs = 0;
const ROUNDS = 60;
for (let number = 0; number < ROUNDS; number++) {
  const tookMs = await round(number);
  if (number >= 10) spentMs += tookMs;
}
report('append and commit', (spentMs * 1e6) / (SERIES * (ROUNDS - 10)), 'ns a sample');
report('memory', (memoryBytes() - before) / SERIES, `bytes a series with ${ROUNDS} samples`);

const slabs = registry.gather().find(({ name }) => name === 'prometheus_tsdb_head_slab_bytes');
report('  of these in slabs', (slabs?.samples[0]?.value ?? 0) / SERIES, 'bytes');

startedMs = performance.now();
let samples = 0;
const source = db.select(
  {
    range: { minMs: T0, maxMs: T0 + 1e9 },
    matchers: [new Matcher('job', '=', 'node')],
    hints: NO_HINTS,
    sorted: true,
  },
  { signal: new AbortController().signal, budget: MemoryBudget.unlimited() },
);
for (;;) {
  const batch = await source.next();
  if (batch === null) break;
  for (const { count } of batch) samples += count;
}
report('query of everything', ((performance.now() - startedMs) * 1e6) / samples, 'ns a sample');

// On to two and a half hours, then the first block is cut while a timer watches how long the thread is held.
for (let number = ROUNDS; number < 725; number += SERIES > 20_000 ? 5 : 1) await round(number);
let worstMs = 0;
let lastMs = performance.now();
const watch = setInterval(() => {
  worstMs = Math.max(worstMs, performance.now() - lastMs);
  lastMs = performance.now();
}, 1);
startedMs = performance.now();
await db.tick();
clearInterval(watch);
report('cutting a block', performance.now() - startedMs, 'ms');
report('longest hold of the thread meanwhile', worstMs, 'ms');
await db.close();

startedMs = performance.now();
await (await open()).close();
report('opening again with replay', performance.now() - startedMs, 'ms');
fs.rmSync(directory, { recursive: true });
