/**
 * What a remote write costs a store, from the body of the request to the synced log, without the network: processor time of the
 * whole process for a million samples, and memory allocated for a request, of series that are new and of known ones. Bodies
 * stand ready before the clock runs; two replicas send the same series in turn. Run with
 * `node --expose-gc --max-semi-space-size=64 --conditions=@pollux/source --import tsx` and this file; arguments: series (150,000),
 * series of a request (1,500), rounds of known series (10), writers at a time (1).
 */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { EVERYONE } from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import { Router } from '@pollux/http';
import { decodeInfluxConfig, InfluxService, registerInflux } from '@pollux/influx';
import { Labels, wordsOf } from '@pollux/model';
import { encodeLabels, snappyEncode, TimeSeriesEncoder } from '@pollux/remote';
import { ShardQueryable, ShardStore } from '@pollux/shards';
import { Log, Registry, renderText } from '@pollux/telemetry';
import { prometheusCodec } from './codec-binding.ts';

const [SERIES = 150_000, BATCH = 1_500, ROUNDS = 10, WRITERS = 1] = process.argv
  .slice(2)
  .map(Number);
const STEP_MS = 15_000;
const T0 = Math.floor(Date.now() / STEP_MS) * STEP_MS - ROUNDS * STEP_MS;

const { signal } = new AbortController();
const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'pollux-store-write-'));
const env = nodeEnv();
const registry = new Registry();
const store = await ShardStore.open({
  env,
  log: Log.silent(),
  registry,
  directory: `${directory}/data`,
  walDirectory: `${directory}/wal`,
  memtableBytes: 2 ** 31,
});
const { config } = decodeInfluxConfig('', 'bench', { INFLUXDB_META_DIR: `${directory}/meta` });
const service = new InfluxService({
  env,
  log: Log.silent(),
  registry,
  config,
  version: '1.8.10',
  engine: store,
  openQueryable: (options) => new ShardQueryable({ ...options, store }),
  codec: prometheusCodec(env.random),
});
service.meta.createDatabase('prometheus');
const router = new Router({ monotonic: () => env.clock.monotonic() });
registerInflux(router, service, env.random);

const labels = Array.from({ length: SERIES }, (_, i) =>
  encodeLabels(
    Labels.from({
      __name__: `node_some_measured_thing_total_${i % 400}`,
      cpu: String(i % 8),
      instance: `host-${Math.floor(i / 1000)}.example.org:9100`,
      job: 'node',
      mode: `m${Math.floor(i / 8) % 125}`,
      prometheus_replica: Math.floor(i / BATCH) % 2 === 0 ? 'A' : 'B',
    }),
  ),
);
// Other series warm the code up.
const warm = labels.map((_, i) =>
  encodeLabels(Labels.from({ __name__: `warm_${i % 10}`, instance: `w${i}`, job: 'warm' })),
);
for (let round = 0; round < 4; round++) {
  for (const body of bodies(warm.slice(0, BATCH * 10), round)) await request(body);
}
await measure('new series', bodies(labels, 0));
for (let round = 1; round <= ROUNDS; round++) {
  const ready = bodies(labels, round);
  if (round > ROUNDS - 3) await measure('known series', ready);
  else for (const body of ready) await request(body);
}
await concurrent(bodies(labels, ROUNDS + 1));
await service.close();
await store.close();
fs.rmSync(directory, { recursive: true });

async function measure(name: string, ready: readonly Uint8Array[]): Promise<void> {
  globalThis.gc?.();
  const cpu = process.cpuUsage();
  await send(ready);
  const { user, system } = process.cpuUsage(cpu);
  say(`${name}: ${((user + system) / SERIES).toFixed(2)} CPU s per million samples`);
}

/** Sends one request after the other and tells what each left on the heap and in buffers; where the collector ran nobody knows. */
async function send(ready: readonly Uint8Array[]): Promise<void> {
  let [heap, buffers, counted] = [0, 0, 0];
  for (const body of ready) {
    const before = process.memoryUsage();
    await request(body);
    const after = process.memoryUsage();
    if (after.heapUsed < before.heapUsed || after.arrayBuffers < before.arrayBuffers) continue;
    heap += after.heapUsed - before.heapUsed;
    buffers += after.arrayBuffers - before.arrayBuffers;
    counted++;
  }
  const kb = (bytes: number): string => (bytes / counted / 1000).toFixed(1);
  say(`  a request left ${kb(heap)} kB on the heap and ${kb(buffers)} kB in buffers`);
}

/** Sends with so many writers at a time; tells how long requests waited and how many commits there were. */
async function concurrent(ready: readonly Uint8Array[]): Promise<void> {
  const waits: number[] = [];
  const before = commits();
  let next = 0;
  const writer = async (): Promise<void> => {
    while (next < ready.length) {
      const body = ready[next++]!;
      const startMs = performance.now();
      await request(body);
      waits.push(performance.now() - startMs);
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, writer));
  waits.sort((a, b) => a - b);
  const at = (part: number): string => waits[Math.ceil(part * waits.length) - 1]!.toFixed(1);
  say(
    `${WRITERS} writers: median ${at(0.5)} ms, 99th percentile ${at(0.99)} ms, longest ${at(1)} ms; ${waits.length} requests in ${commits() - before} commits`,
  );
}

function commits(): number {
  const match = /^pollux_store_commit_duration_seconds_count (\d+)/m.exec(
    renderText(registry.gather()),
  );
  return Number(match?.[1] ?? 0);
}

async function request(body: Uint8Array): Promise<void> {
  const { status } = await router.handler({
    method: 'POST',
    target: '/api/v1/prom/write?db=prometheus',
    headers: { 'content-encoding': 'snappy', 'content-type': 'application/x-protobuf' },
    remote: { host: '127.0.0.1', port: 1 },
    signal,
    principal: EVERYONE,
    stream: () => {
      throw new Error('the handler reads whole bodies');
    },
    body: async () => body,
  });
  if (status !== 204) throw new Error(`status ${status}`);
}

/** As a mix of exporters: constants, counters, and gauges of three digits. */
function bodies(series: readonly Uint8Array[], step: number): Uint8Array[] {
  const encoder = new TimeSeriesEncoder();
  const values = new Float64Array(1);
  const rows = { timestampsMs: Float64Array.of(T0 + step * STEP_MS), words: wordsOf(values) };
  const ready: Uint8Array[] = [];
  for (let start = 0; start < series.length; start += BATCH) {
    encoder.reset();
    for (let i = start; i < Math.min(series.length, start + BATCH); i++) {
      if (i % 2 === 0) values[0] = i;
      else values[0] = i % 4 === 1 ? step * (i % 997) : Math.round(500 * Math.sin(i + step)) / 10;
      encoder.run(series[i]!, rows, 0, 1);
    }
    ready.push(snappyEncode(encoder.bytes()));
  }
  return ready;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
