/**
 * What queries in threads do for the thread that scrapes, and what they cost small queries: delays of the main thread during
 * heavy queries, late appends, and latencies, with and without threads. Run with
 * `node --conditions=@pollux/source --import tsx` and this file; arguments: series (20,000), seconds of heavy queries (10), threads
 * (2; 0: none), points of a query that runs in the main thread all the same.
 */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { nodeEnv } from '@pollux/base/node';
import { Labels } from '@pollux/model';
import { Engine } from '@pollux/promql';
import { Log, Registry } from '@pollux/telemetry';
import { Tsdb } from '@pollux/tsdb';
import { openQueryWorkers, SMALL_QUERY_POINTS } from '../runtime/query-workers.ts';
import { SERVER_QUERY } from './server-query.worker.ts';

const [SERIES = 20_000, SECONDS = 10, THREADS = 2, POINTS_HERE = SMALL_QUERY_POINTS] = process.argv
  .slice(2)
  .map(Number);
const STEP_MS = 15_000;
const SAMPLES = 480;
const BATCH = 1_000;
const T0 = Date.now() - SAMPLES * STEP_MS;
const HEAVY = [
  'sum by (job, mode) (rate(node_cpu_seconds_total[5m]))',
  'quantile by (mode) (0.9, rate(node_cpu_seconds_total[10m]) / 2)',
  'max_over_time(node_cpu_seconds_total{mode=~"mode[0-3]"}[10m])',
];

const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'pollux-query-threads-'));
const env = nodeEnv();
const registry = new Registry();
const log = Log.silent();
const db = await Tsdb.open({ directory, env, log, registry });
const refs = new Uint32Array(SERIES);
const timestampsMs = new Float64Array(BATCH);
const values = new Float64Array(BATCH);
const outcomes = new Uint8Array(BATCH);
for (let round = 0; round < SAMPLES; round++) await append(round, SERIES);

const workers = openQueryWorkers({ env, log, registry }, SERVER_QUERY, THREADS);
const engine = new Engine({
  clock: env.clock,
  registry,
  log,
  maxSamples: 1e9,
  ...(workers === null ? {} : { workers, maxPointsHere: POINTS_HERE }),
});
const endMs = T0 + (SAMPLES - 1) * STEP_MS;

await small('node_cpu_seconds_total{id="7"}', 200);
report('one series at one time', await small('node_cpu_seconds_total{id="7"}', 500));
report(
  `${Math.floor(SERIES / 40)} series at one time`,
  await small('sum(node_cpu_seconds_total{device="sd3"})', 50),
);
await heavy(1);

const delays = monitorEventLoopDelay({ resolution: 1 });
const holdsMs: number[] = [];
let isWatching = true;
let lastMs = onProcessorMs();
const watch = (): void => {
  const nowMs = onProcessorMs();
  holdsMs.push(nowMs - lastMs);
  lastMs = nowMs;
  if (isWatching) setTimeout(watch, 1);
};
watch();
delays.enable();
const appendDelays: number[] = [];
let due = performance.now() + 100;
const scraper = setInterval(() => {
  const nowMs = performance.now();
  appendDelays.push(nowMs - due);
  due = nowMs + 100;
  void append(SAMPLES + appendDelays.length, BATCH);
}, 100);
const begun = onProcessorMs();
const begunAll = process.cpuUsage();
const queries = await heavy(SECONDS);
clearInterval(scraper);
isWatching = false;
delays.disable();
const used = process.cpuUsage(begunAll);
print(
  `${queries} heavy queries in ${SECONDS} s; on the processor ${((used.user + used.system) / 1000 / queries).toFixed(0)} ms each, of which the main thread ${((onProcessorMs() - begun) / queries).toFixed(0)} ms`,
);
const ms = (nanos: number): string => (nanos / 1e6).toFixed(1);
print(
  `delay of the main thread: p50 ${ms(delays.percentile(50))}, p99 ${ms(delays.percentile(99))}, most ${ms(delays.max)} ms (1 ms is none)`,
);
report('held, on the processor', holdsMs);
report('appends came late by', appendDelays);
await workers?.close();
await db.close();
fs.rmSync(directory, { recursive: true });

/** Two clients that ask without a pause; returns how many answers they got. */
async function heavy(seconds: number): Promise<number> {
  const until = performance.now() + seconds * 1000;
  let count = 0;
  const client = async (first: number): Promise<void> => {
    for (let i = first; performance.now() < until; i++) {
      const times = { startMs: T0 + 600_000, endMs, stepMs: 30_000 };
      const query = HEAVY[i % HEAVY.length]!;
      const answer = await engine.encoded({ query, queryable: db, limit: 0, ...times });
      if (answer.body.kind === 'parts') for await (const _ of answer.body.parts);
      count++;
    }
  };
  await Promise.all([client(0), client(1)]);
  return count;
}

async function small(query: string, count: number): Promise<number[]> {
  const tookMs: number[] = [];
  for (let i = 0; i < count; i++) {
    const startMs = performance.now();
    await engine.encoded({ query, queryable: db, limit: 0, timeMs: endMs });
    tookMs.push(performance.now() - startMs);
  }
  return tookMs;
}

async function append(round: number, series: number): Promise<void> {
  for (let start = 0; start < series; start += BATCH) {
    const appender = db.appender();
    for (let i = 0; i < BATCH; i++) {
      const index = start + i;
      if (round === 0) refs[index] = appender.series(labelsOf(index));
      timestampsMs[i] = T0 + round * STEP_MS;
      values[i] = round * 15 * (1 + (index % 9)) + (index % 7);
    }
    const slice = refs.subarray(start, start + BATCH);
    appender.appendFloats(slice, timestampsMs, values, null, BATCH, outcomes);
    await appender.commit();
  }
}

function labelsOf(index: number): Labels {
  return Labels.from({
    __name__: 'node_cpu_seconds_total',
    instance: `10.0.${(index >> 9) & 255}.7:9100`,
    job: `node${index % 3}`,
    device: `sd${index % 40}`,
    mode: `mode${index % 11}`,
    id: `${index}`,
  });
}

function report(what: string, list: readonly number[]): void {
  const sorted = [...list].sort((a, b) => a - b);
  const at = (part: number): string => sorted[Math.floor((sorted.length - 1) * part)]!.toFixed(2);
  print(`${what}: p50 ${at(0.5)}, p99 ${at(0.99)}, most ${at(1)} ms`);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Time that the main thread has had a processor. Linux only. */
function onProcessorMs(): number {
  const text = fs.readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8');
  return Number(text.split(' ')[0]) / 1e6;
}
