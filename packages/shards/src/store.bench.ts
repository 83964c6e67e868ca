/**
 * What many series cost the store's engine: processor time of new series and of further points, memory, the longest hold of
 * the thread (in time on the processor, so that other load on the machine does not count), files, a restart, and choosing few
 * series among many. Batches stand ready before the clock runs. Linux only. Run with
 * `node --expose-gc --conditions=@pollux/source --import tsx` and this file; the argument is the number of series (1,000,000).
 */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { nodeEnv } from '@pollux/base/node';
import { Labels } from '@pollux/model';
import { ALL_TIME, type PointColumns } from '@pollux/storage';
import { Log, Registry } from '@pollux/telemetry';
import { ShardStore } from './index.ts';

const SERIES = Number(process.argv[2] ?? 1_000_000);
const ROUNDS = 4;
const BATCH = 2_000;
const STEP_MS = 10_000;
const T0 = 1_700_006_400_000;
const TARGET = {
  database: 'db',
  retentionPolicy: 'rp',
  groupDurationMs: 7 * 86_400_000,
  oldestMs: null,
};

/** Series of some thousand hosts as node exporters and applications have them; strings are fresh, as a parser makes them. */
function tagsOf(index: number): { measurement: string; tags: Labels } {
  const host = Math.floor(index / 500);
  const metric = index % 500;
  const flat = [
    'cpu',
    fresh(`cpu${metric % 16}`),
    'datacenter',
    fresh(`dc-${host % 4}`),
    'host',
    fresh(`node-${String(host).padStart(5, '0')}.example.net`),
    'job',
    fresh(`job-${metric % 20}`),
    'mode',
    fresh(`mode-${Math.floor(metric / 16)}`),
  ];
  return { measurement: fresh(`metric_${metric % 100}_total`), tags: Labels.fromSortedFlat(flat) };
}

function fresh(text: string): string {
  return Buffer.from(text).toString('latin1');
}

function batchAt(start: number, round: number): PointColumns {
  const count = Math.min(BATCH, SERIES - start);
  return {
    count,
    series: Array.from({ length: count }, (_, i) => ({ ...tagsOf(start + i), replica: '' })),
    fields: [{ name: 'value', kind: 'float' }],
    seriesOf: Uint32Array.from({ length: count }, (_, i) => i),
    fieldOf: new Uint32Array(count),
    timesMs: new Float64Array(count).fill(T0 + round * STEP_MS),
    nanos: null,
    cells: Float64Array.from({ length: count }, (_, i) => ((start + i) % 100) + round * 0.25),
    texts: [],
    pointOf: null,
  };
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

function memory(): string {
  for (let i = 0; i < 3; i++) (globalThis as { gc?: () => void }).gc?.();
  const { rss, heapUsed, arrayBuffers } = process.memoryUsage();
  const mb = (bytes: number): string => (bytes / 2 ** 20).toFixed(0);
  const each = ((rss - emptyRss) / SERIES).toFixed(0);
  return `rss ${mb(rss)} MiB, ${each} B a series over empty (heap ${mb(heapUsed)}, arrays ${mb(arrayBuffers)})`;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

async function timed<T>(name: string, work: () => T | Promise<T>): Promise<T> {
  const turns = watchTurns();
  const start = cpuSeconds();
  const result = await work();
  const seconds = cpuSeconds() - start;
  await new Promise((resolve) => setImmediate(resolve));
  say(`${name}: cpu ${seconds.toFixed(3)} s, longest turn ${turns.stop().toFixed(1)} ms`);
  return result;
}

/** Measures the thread's own processor time between two turns of the event loop. */
function watchTurns(): { stop(): number } {
  let longestMs = 0;
  let lastMs = onProcessorMs();
  let isStopped = false;
  const turn = (): void => {
    const nowMs = onProcessorMs();
    longestMs = Math.max(longestMs, nowMs - lastMs);
    lastMs = nowMs;
    if (!isStopped) setImmediate(turn);
  };
  setImmediate(turn);
  return {
    stop: () => {
      isStopped = true;
      return longestMs;
    },
  };
}

/** Time that the main thread has had a processor. */
function onProcessorMs(): number {
  const text = fs.readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8');
  return Number(text.split(' ')[0]) / 1e6;
}

const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'pollux-store-'));
const open = (): Promise<ShardStore> =>
  ShardStore.open({
    env: nodeEnv(),
    log: Log.silent(),
    registry: new Registry(),
    directory,
    walDirectory: null,
    memtableBytes: 2 ** 31,
  });
let store = await open();
await store.write(TARGET, { ...batchAt(0, 0), count: 1 });
(globalThis as { gc?: () => void }).gc?.();
const emptyRss = process.memoryUsage().rss;

for (let round = 0; round < ROUNDS; round++) {
  let seconds = 0;
  for (let start = 0; start < SERIES; start += BATCH) {
    const batch = batchAt(start, round);
    const before = cpuSeconds();
    await store.write(TARGET, batch);
    seconds += cpuSeconds() - before;
  }
  const each = (seconds * 1e6) / SERIES;
  say(
    `round ${round} (${round === 0 ? 'new series' : 'known series'}): ${each.toFixed(2)} CPU s per million`,
  );
  if (round === 0) say(`after the first round: ${memory()}`);
}
say(`before the flush: ${memory()}`);
await timed('flush', () => store.flush());
say(`after the flush: ${memory()}`);
for (let round = ROUNDS + 1; round < ROUNDS + 4; round++) {
  for (let start = 0; start < SERIES; start += BATCH)
    await store.write(TARGET, batchAt(start, round));
  await timed(
    `flush ${round - ROUNDS + 1}${round === ROUNDS + 3 ? ' and merge of four files' : ''}`,
    () => store.flush(),
  );
}
say(`after the merge: ${memory()}`);

async function choose(): Promise<void> {
  const view = store.view('db', 'rp', ALL_TIME);
  await timed('measurements', () => view.measurements().length);
  await timed('all series of a measurement', () => view.series('metric_7_total').length);
  const host = 'node-00003.example.net';
  const found = await timed(
    'series of a measurement by host',
    () => view.series('metric_7_total', (tags) => tags.get('host') === host).length,
  );
  const condition = { tag: 'host', equals: host, matches: (value: string) => value === host };
  await timed(
    'the same by the index',
    () => view.series('metric_7_total', undefined, [condition]).length,
  );
  await timed('fields of a measurement', () => view.fields('metric_7_total').length);
  view.release();
  say(`${found} series chosen`);
}
await choose();
await store.write(TARGET, batchAt(0, ROUNDS));
await store.close();
store = await timed('restart from files', open);
say(`after the restart: ${memory()}`);
await store.close();
fs.rmSync(directory, { recursive: true });
