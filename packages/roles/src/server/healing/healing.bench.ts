/**
 * How fast a time is filled from a twin, and for how long that holds the thread at most: the twin is a server process of ours
 * (built) with samples every 15 s, what fills is this process. The answers of the twin are part of the time.
 * `node --conditions=@pollux/source --import tsx packages/roles/src/server/healing/healing.bench.ts [SERIES] [MINUTES] [PER_SECOND]`.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { SeededRandom } from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import { DEFAULT_HTTP_CONFIG } from '@pollux/http';
import { Labels } from '@pollux/model';
import { Log, Registry } from '@pollux/telemetry';
import { DEFAULT_TSDB_OPTIONS, Tsdb } from '@pollux/tsdb';
import { PieceCopy } from './copy-piece.ts';
import { Twin } from './twin.ts';

const [SERIES = 10_000, MINUTES = 60, PER_SECOND = 1e9] = process.argv.slice(2).map(Number);
const INTERVAL_MS = 15_000;
const BLOCK_MS = 7_200_000;
// All of it lies in one block's time.
const START_MS = Math.floor(Date.now() / BLOCK_MS) * BLOCK_MS - BLOCK_MS;
const END_MS = START_MS + MINUTES * 60_000;

const env = nodeEnv();
const directory = mkdtempSync(path.join(tmpdir(), 'pollux-healing-'));
const common = { env, log: Log.silent(), registry: new Registry() };
const options = { ...DEFAULT_TSDB_OPTIONS, retentionMs: 0, fsync: 'none' as const };
await fill(path.join(directory, 'b'));
const config = path.join(directory, 'b.yml');
writeFileSync(config, 'global: {external_labels: {prometheus_replica: b}}\n');
const url = `http://127.0.0.1:${await freePort()}`;
const flags = [`--config.file=${config}`, `--storage.tsdb.path=${path.join(directory, 'b')}`];
const program = path.resolve(import.meta.dirname, '../../../../../bin/pollux');
const child = spawn(
  process.execPath,
  [program, 'server', ...flags, `--web.listen-address=${url.slice(7)}`],
  { stdio: 'ignore' },
);
// It does not listen yet.
while (
  !(await fetch(`${url}/-/ready`).then(
    ({ ok }) => ok,
    () => false,
  ))
)
  await new Promise((resolve) => setTimeout(resolve, 100));

const own = await Tsdb.open({ ...common, directory: path.join(directory, 'a'), options });
const variables = {};
const resolvePath = (name: string): string => name;
const client = { client: DEFAULT_HTTP_CONFIG, resolvePath, variables, userAgent: 'bench' };
const twin = new Twin({ env, url, ...client });
const { signal } = new AbortController();
// What is loaded for the first request is loaded at a server's start.
await twin.report(signal);
let samples = 0;
const plan = {
  twin: twin.name,
  common: [{ startMs: START_MS, endMs: END_MS }],
  subjects: [],
  seams: [],
};
const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
const startedMs = performance.now();
await new PieceCopy(twin, plan, Labels.from({ prometheus_replica: 'b' }), {
  env,
  own,
  directory: path.join(directory, 'a'),
  blockRangeMs: BLOCK_MS,
  guardMs: 5_000,
  samplesPerSecond: PER_SECOND,
  signal,
  onSamples: (count) => {
    samples += count;
  },
  adopt: (at) => own.adoptBlock(at, signal),
}).run();
const seconds = (performance.now() - startedMs) / 1_000;
delay.disable();
const [block = ''] = readdirSync(path.join(directory, 'a')).filter((name) => name.length === 26);
const chunks = path.join(directory, 'a', block, 'chunks', '000001');
process.stdout.write(
  `${SERIES} series, ${MINUTES} min: ${samples} samples read in ${seconds.toFixed(1)} s, ${Math.round(samples / seconds / 1_000)} k/s; ` +
    `thread held for ${(delay.max / 1e6).toFixed(0)} ms at most, 99 % of ticks ${(delay.percentile(99) / 1e6).toFixed(1)} ms; ` +
    `chunks ${(statSync(chunks).size / samples).toFixed(2)} B a sample; rss ${Math.round(process.memoryUsage().rss / 1e6)} MB\n`,
);
await own.close();
child.kill('SIGKILL');
await new Promise((resolve) => child.once('exit', resolve));
rmSync(directory, { recursive: true });

async function fill(at: string): Promise<void> {
  const db = await Tsdb.open({ ...common, registry: new Registry(), directory: at, options });
  const random = new SeededRandom(1);
  const labels = Array.from({ length: SERIES }, (_, i) =>
    Labels.from({ __name__: `m${i % 100}_total`, job: 'j', instance: `i${i % 50}`, n: String(i) }),
  );
  const values = new Float64Array(SERIES);
  const refs = new Uint32Array(SERIES);
  const outcomes = new Uint8Array(SERIES);
  for (let timeMs = START_MS; timeMs < END_MS; timeMs += INTERVAL_MS) {
    for (let i = 0; i < SERIES; i++) values[i] = values[i]! + random.below(100);
    const appender = db.appender();
    if (refs[0] === 0) for (const [i, one] of labels.entries()) refs[i] = appender.series(one);
    const timestampsMs = new Float64Array(SERIES).fill(timeMs);
    appender.appendFloats(refs, timestampsMs, values.slice(), null, SERIES, outcomes);
    await appender.commit();
  }
  await db.close();
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}
