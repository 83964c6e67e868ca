/**
 * What a splice costs beside the same query to a server without gaps, both through the gateway, which is this process: three
 * servers hold 13 hours of the same counters; one lacks six hours, one lacks ten minutes, one lacks nothing. Asked is
 * `sum(increase(m[12h]))` over all series, in turns. The servers are real Prometheus (which must be installed), or ours (built).
 * `node --conditions=@pollux/source --import tsx packages/roles/src/gateway/splice.bench.ts [SERIES] [INTERVAL_S] [ROUNDS] [prometheus|pollux]`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { SeededRandom } from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import { Gateway, parseGatewayConfig } from '@pollux/gateway';
import { Router } from '@pollux/http';
import { Labels } from '@pollux/model';
import { CoverageFile, CoverageLog } from '@pollux/storage';
import { Log, Registry } from '@pollux/telemetry';
import { DEFAULT_TSDB_OPTIONS, Tsdb } from '@pollux/tsdb';

const [SERIES = 10_000, INTERVAL_S = 60, ROUNDS = 5] = process.argv.slice(2, 5).map(Number);
const SERVER = process.argv[5] ?? 'prometheus';
const PROGRAM = new URL('../../../../bin/pollux', import.meta.url).pathname;
const HOUR_MS = 3_600_000;
const INTERVAL_MS = INTERVAL_S * 1_000;
const END_MS = Math.floor(Date.now() / HOUR_MS) * HOUR_MS;
const START_MS = END_MS - 13 * HOUR_MS;
const QUERY = 'sum(increase(m_total[12h]))';

type Gap = { readonly fromMs: number; readonly toMs: number } | null;
const GAPS: Readonly<Record<string, Gap>> = {
  whole: null,
  a: { fromMs: END_MS - 9 * HOUR_MS, toMs: END_MS - 3 * HOUR_MS },
  b: { fromMs: END_MS - 11 * HOUR_MS, toMs: END_MS - 11 * HOUR_MS + 600_000 },
};

const directory = mkdtempSync(path.join(tmpdir(), 'pollux-splice-'));
const children: ChildProcess[] = [];
const urls: Record<string, string> = {};
for (const [name, gap] of Object.entries(GAPS)) {
  await fill(path.join(directory, name), gap);
  urls[name] = await prometheus(name);
}
const gateways = {
  alone: await gateway(['whole']),
  spliced: await gateway(['a', 'b']),
};
// Until the gaps are known.
for (let tries = 60; ; tries--) {
  const { replicas } = await ask(gateways.spliced);
  if (replicas.includes(', ')) break;
  if (tries === 0) throw new Error(`not spliced, but answered by ${replicas}`);
  await new Promise((resolve) => setTimeout(resolve, 500));
}
const times = { direct: [] as number[], alone: [] as number[], spliced: [] as number[] };
for (let round = 0; round < ROUNDS; round++) {
  times.direct.push((await ask(urls.whole ?? '')).ms);
  times.alone.push((await ask(gateways.alone)).ms);
  times.spliced.push((await ask(gateways.spliced)).ms);
}
const [whole, spliced] = [await ask(gateways.alone), await ask(gateways.spliced)];
print(`${SERIES} series, ${INTERVAL_S} s: ${QUERY} = ${whole.value}, spliced ${spliced.value}`);
for (const [name, list] of Object.entries(times)) print(`${name}: ${shown(list)}`);
print(`splice ÷ alone: ${(median(times.spliced) / median(times.alone)).toFixed(2)}`);
for (const child of children) child.kill('SIGKILL');
await Promise.all(children.map((child) => new Promise((resolve) => child.once('exit', resolve))));
rmSync(directory, { recursive: true });
process.exit(0);

async function fill(at: string, gap: Gap): Promise<void> {
  const options = { ...DEFAULT_TSDB_OPTIONS, retentionMs: 0, fsync: 'none' as const };
  const env = nodeEnv();
  const db = await Tsdb.open({
    directory: at,
    env,
    log: Log.silent(),
    registry: new Registry(),
    options,
  });
  const random = new SeededRandom(1);
  const labels = [Labels.from({ __name__: 'up', job: 'j', instance: 'i' })];
  for (let i = 0; i < SERIES; i++)
    labels.push(Labels.from({ __name__: 'm_total', job: 'j', instance: 'i', n: String(i) }));
  const values = new Float64Array(labels.length);
  const outcomes = new Uint8Array(labels.length);
  const refs = new Uint32Array(labels.length);
  for (let timeMs = START_MS; timeMs <= END_MS; timeMs += INTERVAL_MS) {
    for (let i = 0; i < values.length; i++)
      values[i] = i === 0 ? 1 : values[i]! + random.below(100);
    if (gap !== null && timeMs >= gap.fromMs && timeMs < gap.toMs) continue;
    const appender = db.appender();
    if (refs[0] === 0) for (const [i, one] of labels.entries()) refs[i] = appender.series(one);
    const timestampsMs = new Float64Array(labels.length).fill(timeMs);
    appender.appendFloats(refs, timestampsMs, values.slice(), null, labels.length, outcomes);
    await appender.commit();
  }
  await db.close();
  // A real Prometheus does not look at it.
  const coverage = new CoverageLog(END_MS);
  const runs =
    gap === null
      ? [[START_MS, END_MS]]
      : [
          [START_MS, gap.fromMs],
          [gap.toMs, END_MS],
        ];
  const alive = runs.map(([startMs = 0, endMs = 0]) => ({ startMs, endMs }));
  coverage.restore({ alive, histories: [] });
  const log = Log.silent();
  new CoverageFile({ files: env.files, path: path.join(at, 'coverage'), coverage, log }).close();
}

async function prometheus(name: string): Promise<string> {
  const config = path.join(directory, `${name}.yml`);
  writeFileSync(config, `global: {external_labels: {replica: ${name}}}\n`);
  const port = await freePort();
  const flags = [
    `--config.file=${config}`,
    `--storage.tsdb.path=${path.join(directory, name)}`,
    `--web.listen-address=127.0.0.1:${port}`,
  ];
  children.push(
    SERVER === 'prometheus'
      ? spawn('prometheus', flags, { stdio: 'ignore' })
      : spawn(process.execPath, [PROGRAM, 'server', ...flags], { stdio: 'ignore' }),
  );
  const url = `http://127.0.0.1:${port}`;
  for (;;) {
    const isReady = await fetch(`${url}/-/ready`).then(
      ({ ok }) => ok,
      // It does not listen yet.
      () => false,
    );
    if (isReady) return url;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

async function gateway(names: readonly string[]): Promise<string> {
  const env = nodeEnv();
  const members = names.map((name) => `{name: ${name}, url: '${urls[name]}'}`).join(', ');
  const text = `{groups: [{name: s, kind: server, members: [${members}]}]}`;
  const config = parseGatewayConfig(text, 'gateway.yml');
  const made = new Gateway({ env, log: Log.silent(), registry: new Registry(), config });
  const router = new Router({ monotonic: () => env.clock.monotonic() });
  made.registerRoutes(router);
  const at = { host: '127.0.0.1', port: 0 };
  const serving = { at, maxConnections: 50, readTimeoutMs: 10_000 };
  const { address } = await env.net.serveHttp(serving, made.handlerOver(router.handler));
  made.start();
  while (!made.isReady) await new Promise((resolve) => setTimeout(resolve, 100));
  return `http://127.0.0.1:${address.port}`;
}

async function ask(url: string): Promise<{ ms: number; replicas: string; value: string }> {
  const beganMs = performance.now();
  const query = encodeURIComponent(QUERY);
  const answer = await fetch(
    `${url}/api/v1/query?query=${query}&time=${(END_MS - INTERVAL_MS) / 1_000}`,
  );
  const body = await answer.text();
  if (answer.status !== 200) throw new Error(body);
  const { data } = JSON.parse(body) as { data: { result: { value: [number, string] }[] } };
  return {
    ms: performance.now() - beganMs,
    replicas: answer.headers.get('x-pollux-replica') ?? '',
    value: data.result[0]?.value[1] ?? '',
  };
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

function median(list: readonly number[]): number {
  return [...list].sort((a, b) => a - b)[list.length >> 1] ?? Number.NaN;
}

function shown(list: readonly number[]): string {
  return `median ${median(list).toFixed(0)} ms of ${list.map((ms) => ms.toFixed(0)).join(', ')}`;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
