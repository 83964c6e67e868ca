/**
 * What alerts cost that come by `POST /api/v2/alerts` and go by `GET`, without the network: processor time of the thread,
 * heap, and the longest time it was held. Run with `node --expose-gc --conditions=@pollux/source --import tsx` and this file;
 * arguments: alerts (100,000), alerts of a request (100), silences (0).
 */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { EVERYONE, type HttpResponse } from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import { Router } from '@pollux/http';
import { Log, Registry } from '@pollux/telemetry';
import { Alertmanager } from '../alertmanager.ts';
import { NO_CLUSTER } from '../cluster-port.ts';
import { readConfig } from '../config/config.ts';

const [ALERTS = 100_000, BATCH = 100, SILENCES = 0] = process.argv.slice(2).map(Number);
const CONFIG = `
route: {receiver: nobody, group_by: [alertname], group_wait: 1h}
receivers: [{name: nobody}]
inhibit_rules: [{source_matchers: [severity=critical], target_matchers: [severity=none], equal: [cluster]}]
`;

const env = nodeEnv();
const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'pollux-alerts-'));
const alertmanager = new Alertmanager({
  env,
  log: Log.silent(),
  registry: new Registry(),
  cluster: NO_CLUSTER,
  storageDirectory: directory,
  externalUrl: 'http://am.example',
  version: '0.1.0',
  reload: async () => {},
});
alertmanager.prepare(readConfig(CONFIG, { file: 'alertmanager.yml' })).commit();
alertmanager.start();
const router = new Router({ monotonic: () => env.clock.monotonic() });
alertmanager.registerRoutes(router);

const bodies = Array.from({ length: Math.ceil(ALERTS / BATCH) }, (_, i) => bodyOf(i * BATCH));
const idle = heapBytes();
await measured('new', () => post(bodies));
process.stdout.write(`heap ${((heapBytes() - idle) / ALERTS).toFixed(0)} bytes an alert\n`);
await measured('known', () => post(bodies));
for (let i = 0; i < SILENCES; i++) await silence(i);
for (const target of [
  '/api/v2/alerts',
  '/api/v2/alerts?filter=alertname%3D%22BenchAlert7%22',
  '/api/v2/alerts/groups',
  '/metrics',
]) {
  for (let run = 0; run < 2; run++) await measured(`GET ${target}`, () => get(target));
}
await alertmanager.close();
fs.rmSync(directory, { recursive: true });

async function measured(what: string, work: () => Promise<number>): Promise<void> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const before = process.cpuUsage();
  const startedMs = performance.now();
  const bytes = await work();
  const wallMs = performance.now() - startedMs;
  const { user, system } = process.cpuUsage(before);
  await new Promise((resolve) => setTimeout(resolve, 5));
  delay.disable();
  process.stdout.write(
    `${what}: ${((user + system) / 1000).toFixed(0)} ms of processor time, ${((user + system) / ALERTS).toFixed(2)} µs an alert; ${wallMs.toFixed(0)} ms, longest hold ${(delay.max / 1e6).toFixed(0)} ms; ${(bytes / 1e6).toFixed(1)} MB\n`,
  );
}

async function post(list: readonly Uint8Array[]): Promise<number> {
  let size = 0;
  for (const body of list) {
    const { status } = await ask('POST', '/api/v2/alerts', body);
    if (status !== 200) throw new Error(`status ${status}`);
    size += body.length;
    await new Promise((resolve) => setImmediate(resolve));
  }
  return size;
}

async function get(target: string): Promise<number> {
  const { body } = await ask('GET', target, new Uint8Array(0));
  if (body === undefined || typeof body === 'string') return body?.length ?? 0;
  if (body instanceof Uint8Array) return body.length;
  let size = 0;
  for await (const piece of body) size += piece.length;
  return size;
}

async function silence(index: number): Promise<void> {
  const nowMs = env.clock.now();
  const draft = {
    matchers: [{ name: 'instance', value: `host-${index}`, isRegex: false }],
    startsAt: new Date(nowMs).toISOString(),
    endsAt: new Date(nowMs + 3_600_000).toISOString(),
    createdBy: 'bench',
    comment: 'bench',
  };
  await ask('POST', '/api/v2/silences', Buffer.from(JSON.stringify(draft)));
}

function ask(method: string, target: string, body: Uint8Array): Promise<HttpResponse> {
  return router.handler({
    method,
    target,
    headers: {},
    remote: { host: '127.0.0.1', port: 1 },
    body: async () => body,
    stream: async function* () {
      yield body;
    },
    signal: new AbortController().signal,
    principal: EVERYONE,
  });
}

function bodyOf(first: number): Uint8Array {
  const nowMs = env.clock.now();
  const alerts = Array.from({ length: Math.min(BATCH, ALERTS - first) }, (_, i) => {
    const id = first + i;
    return {
      labels: {
        alertname: `BenchAlert${id % 100}`,
        severity: ['warning', 'critical', 'info'][id % 3],
        cluster: `c${id % 10}`,
        instance: `host-${id % 5000}:9100`,
        id: String(id),
        job: 'bench',
      },
      annotations: {
        summary: `Instance ${id} is in trouble`,
        description: 'The value of the expression has been above the threshold for 5 minutes.',
      },
      startsAt: new Date(nowMs - 60_000).toISOString(),
      endsAt: new Date(nowMs + 3_600_000).toISOString(),
      generatorURL: 'http://127.0.0.1/graph?g0.expr=up+%3D%3D+0',
    };
  });
  return Buffer.from(JSON.stringify(alerts));
}

function heapBytes(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}
